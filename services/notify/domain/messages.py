"""A message and its life (DOMAIN §5)."""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum


class Channel(IntEnum):
    """How a message travels; the numbers are those of the contract."""

    SMS = 1
    EMAIL = 2


class State(IntEnum):
    """Where a message is; the numbers are those of the contract."""

    QUEUED = 1
    SUBMITTING = 2
    SENT = 3
    DELIVERED = 4
    FAILED = 5
    SUPPRESSED = 6


class Purpose(StrEnum):
    """Why a guest is written to; consent is asked for by it."""

    SERVICE = "SERVICE"
    MARKETING = "MARKETING"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.SUBMITTING, State.SUPPRESSED, State.FAILED}),
    State.SUBMITTING: frozenset({State.QUEUED, State.SENT, State.FAILED}),
    State.SENT: frozenset({State.DELIVERED, State.FAILED}),
    State.DELIVERED: frozenset(),
    State.FAILED: frozenset(),
    State.SUPPRESSED: frozenset(),
}
"""A receipt that overtakes the answer to its submission waits until the message is SENT."""


ENDS = frozenset(state for state, following in TRANSITIONS.items() if not following)
"""States that nothing follows."""


def may_become(old: State, new: State) -> bool:
    """Whether the life of a message has this step."""
    return new in TRANSITIONS[old]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a message that could not be handed over is tried again: doubling, bounded by its age."""

    first_seconds: float = 2.0
    longest_seconds: float = 600.0
    keep_trying: timedelta = timedelta(hours=24)

    def next_delay(self, attempts: int, age: timedelta) -> timedelta | None:
        """The wait after so many attempts (from 1); None when it is too old for one."""
        seconds = self.first_seconds * 2 ** min(attempts - 1, 30)
        delay = timedelta(seconds=min(seconds, self.longest_seconds))
        return delay if age + delay <= self.keep_trying else None


def resend_when_in_doubt(purpose: Purpose) -> bool:
    """Whether a message whose submission may or may not have happened is sent again.

    A service message rather twice than never, under the same message id; marketing never twice.
    """
    return purpose is Purpose.SERVICE
