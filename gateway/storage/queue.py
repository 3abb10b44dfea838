"""The queue of unfinished checkouts and refunds, from which recovery claims its work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine, text

from gateway.domain.checkouts import Record, RefundRecord
from gateway.storage import records, refunds

# The claim is its own lease: whoever is first moves `due_at` past the lease, and a claim that was
# never completed comes due again. SKIP LOCKED keeps replicas from waiting for each other.
_CLAIM = text(
    "UPDATE unfinished SET due_at = :until, attempts = attempts + 1 WHERE record_id IN ("
    "SELECT record_id FROM unfinished WHERE due_at <= :now ORDER BY due_at LIMIT :limit "
    "FOR UPDATE SKIP LOCKED) RETURNING record_id, refund, attempts"
)
_POSTPONE = text(
    "UPDATE unfinished SET due_at = :due_at WHERE record_id = :record_id AND attempts = :attempts"
)
_COUNTS = text(
    "SELECT count(*) FILTER (WHERE NOT waiting), count(*) FILTER (WHERE waiting) FROM unfinished"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One unfinished record, held until its lease ends; `attempts` counts claims, this included."""

    record_id: UUID
    refund: bool
    attempts: int


class UnfinishedQueue:
    """Claims and reads; every method is one short transaction and blocks its thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(self, now: datetime, lease: timedelta, limit: int) -> list[Claim]:
        """Claim up to `limit` records that are due."""
        parameters = {"now": now, "until": now + lease, "limit": limit}
        with self._engine.begin() as connection:
            return [Claim(*row) for row in connection.execute(_CLAIM, parameters)]

    def postpone(self, claim: Claim, due_at: datetime) -> None:
        """Let a claim that could not be finished come due at `due_at`, unless claimed again."""
        parameters = {
            "due_at": due_at,
            "record_id": claim.record_id,
            "attempts": claim.attempts,
        }
        with self._engine.begin() as connection:
            connection.execute(_POSTPONE, parameters)

    def checkouts(self, ids: Sequence[UUID]) -> dict[UUID, Record]:
        """Read claimed checkouts as they stand."""
        with self._engine.connect() as connection:
            return records.by_id(connection, ids)

    def refunds(self, ids: Sequence[UUID]) -> dict[UUID, RefundRecord]:
        """Read claimed refunds as they stand."""
        with self._engine.connect() as connection:
            return refunds.by_id(connection, ids)

    def counts(self) -> tuple[int, int]:
        """Count what is unfinished, and what is open and waits for its commit; for the metrics."""
        with self._engine.connect() as connection:
            unfinished, waiting = connection.execute(_COUNTS).one()
        return int(unfinished), int(waiting)
