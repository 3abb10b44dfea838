"""When to try again: only idempotent calls, passing troubles, within budget and deadline."""

import random
from dataclasses import dataclass
from typing import Final

from chassis.kernel.refusals import Category, Refusal

_RETRIED: Final = frozenset({Category.UNAVAILABLE, Category.EXHAUSTED, Category.ABORTED})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how fast one call is repeated.

    The pause before attempt n is drawn from 0 to `first_pause_seconds` × 2^(n-1), at most
    `longest_pause_seconds` (full jitter), and never less than the server's RetryInfo asks for.
    """

    attempts_max: int = 4
    first_pause_seconds: float = 0.05
    longest_pause_seconds: float = 1.0

    def pause_seconds(self, attempt: int, refusal: Refusal) -> float | None:
        """Seconds to wait after failed attempt number `attempt` (from 1); None: give up."""
        if attempt >= self.attempts_max or refusal.category not in _RETRIED:
            return None
        ceiling = min(self.longest_pause_seconds, self.first_pause_seconds * 2.0 ** (attempt - 1))
        jittered = random.random() * ceiling  # noqa: S311 - spreads load, no secret
        return float(max(jittered, refusal.retry_after_seconds or 0.0))


class RetryBudget:
    """A token bucket that keeps retries from multiplying an outage.

    A retry costs one token, an answered call earns a tenth: in a long outage at most one call in
    ten is repeated. Not thread-safe; one per channel and loop.
    """

    def __init__(self, tokens_max: float = 20.0, earned_per_call: float = 0.1) -> None:
        self._tokens_max = tokens_max
        self._tokens = tokens_max
        self._earned_per_call = earned_per_call

    def earn(self) -> None:
        """A call was answered (a refusal by a rule is an answer too)."""
        self._tokens = min(self._tokens_max, self._tokens + self._earned_per_call)

    def spend(self) -> bool:
        """Take the token for one retry; False when there is none: don't repeat."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
