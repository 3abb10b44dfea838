"""Refusals: the one error vocabulary, from a domain rule to the wire and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Category(Enum):
    """How a caller should take a refusal; `chassis.rpc.status` maps each to one gRPC code."""

    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PRECONDITION = "PRECONDITION"
    FORBIDDEN = "FORBIDDEN"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    EXHAUSTED = "EXHAUSTED"
    ABORTED = "ABORTED"
    UNAVAILABLE = "UNAVAILABLE"
    TOO_LATE = "TOO_LATE"


PASSING = frozenset({Category.EXHAUSTED, Category.UNAVAILABLE, Category.TOO_LATE, Category.ABORTED})
"""Categories that say "not now" and nothing about the request; never remembered as an answer."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request that breaks a rule.

    `field` is the path as in the proto (`lines[2].amount`), `rule` says in words what is expected.
    """

    field: str
    rule: str


class Refusal(Exception):
    """A request that is refused for a reason its caller can act on.

    `reason` is UPPER_SNAKE, as in the service's `ErrorReason` enum without its prefix.
    `message` is for a developer to read and holds no personal data. `retry_after_seconds` is set
    where waiting helps. `replayed` is true when the refusal was remembered from an earlier
    request with the same request id.

    Raised by a domain rule it means: nothing has changed. A refusal that must keep what it
    counted (a wrong PIN) goes into `Decision.refusal` instead of being raised.
    """

    def __init__(
        self,
        category: Category,
        reason: str,
        message: str,
        *,
        fields: Sequence[FieldViolation] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.category = category
        self.reason = reason
        self.message = message
        self.fields: tuple[FieldViolation, ...] = tuple(fields)
        self.metadata: dict[str, str] = dict(metadata or {})
        self.retry_after_seconds = retry_after_seconds
        self.replayed = False

    @property
    def passing(self) -> bool:
        """True when the trouble passes by itself and the refusal is never remembered."""
        return self.category in PASSING

    def copy(self, *, replayed: bool | None = None) -> Refusal:
        """Return an equal refusal of its own, so that each caller raises its own exception."""
        other = Refusal(
            self.category,
            self.reason,
            self.message,
            fields=self.fields,
            metadata=self.metadata,
            retry_after_seconds=self.retry_after_seconds,
        )
        other.replayed = self.replayed if replayed is None else replayed
        return other
