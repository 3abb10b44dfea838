"""Recovery: what is unfinished comes to its end, whoever died on the way to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from chassis.clock import Clock
from chassis.kernel import Refusal
from chassis.telemetry import metrics
from chassis.telemetry.logs import get_logger
from gateway.domain.checkouts import Record, RefundRecord, State
from gateway.domain.coordinator import Coordinator
from gateway.domain.refunding import Refunder
from gateway.storage.queue import Claim, UnfinishedQueue

UNFINISHED: Final = metrics.gauge(
    "huitouke_gateway_unfinished_records",
    "Checkouts and refunds whose end is not reached on every participant, when last looked.",
)
WAITING: Final = metrics.gauge(
    "huitouke_gateway_open_checkouts",
    "Open checkouts that wait for their commit, when last looked.",
)
RECOVERED: Final = metrics.counter(
    "huitouke_gateway_recovery_attempts_total",
    "Attempts of recovery, by what was driven and what came of it: finished, postponed, failed.",
    ("kind", "outcome"),
)
FIRST_PAUSE_SECONDS: Final = 0.5
_log = get_logger("gateway.recovery")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RecoveryPace:
    """How recovery works: seconds, and claims taken at once."""

    lease_seconds: float
    poll_seconds: float
    backoff_seconds_max: float
    claims_max: int = 64

    def pause_after(self, attempts: int) -> timedelta:
        """How long to leave a record alone after so many attempts: doubling, bounded."""
        doubled: float = FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, 30)
        return timedelta(seconds=min(doubled, self.backoff_seconds_max))


class Recovery:
    """Claims unfinished checkouts and refunds and drives them, for ever, with back-off.

    Any number of replicas may run: a claim is a lease, and driving is harmless twice.
    """

    def __init__(
        self,
        queue: UnfinishedQueue,
        coordinator: Coordinator,
        refunder: Refunder,
        clock: Clock,
        pace: RecoveryPace,
    ) -> None:
        self._queue = queue
        self._coordinator = coordinator
        self._refunder = refunder
        self._clock = clock
        self._pace = pace

    async def run_until(self, stop: asyncio.Future[None]) -> None:
        """Work until `stop` is done; what is claimed then is finished or its lease runs out."""
        while not stop.done():
            done = await self._look()
            if done < self._pace.claims_max:
                await asyncio.wait({stop}, timeout=self._pace.poll_seconds)

    async def run_once(self) -> int:
        """Drive what is due now; returns how many records were claimed."""
        lease = timedelta(seconds=self._pace.lease_seconds)
        claims = await asyncio.to_thread(
            self._queue.claim, self._clock.now(), lease, self._pace.claims_max
        )
        checkouts = await self._read(self._queue.checkouts, claims, refund=False)
        refunds = await self._read(self._queue.refunds, claims, refund=True)
        await asyncio.gather(
            *(self._attempt(c, "checkout", self._checkout(c, checkouts[c.record_id]))
              for c in claims if not c.refund),
            *(self._attempt(c, "refund", self._refund(refunds[c.record_id]))
              for c in claims if c.refund),
        )  # fmt: skip
        return len(claims)

    async def _look(self) -> int:
        """Run once through any outage of the database; returns how many were claimed."""
        try:
            claimed = await self.run_once()
            unfinished, waiting = await asyncio.to_thread(self._queue.counts)
        except (SQLAlchemyError, psycopg.Error) as error:
            _log.warning("recovery_waits", reason=type(error).__name__)
            return 0
        UNFINISHED.prometheus.set(unfinished)
        WAITING.prometheus.set(waiting)
        return claimed

    async def _read(
        self, read: Callable[[list[UUID]], dict[UUID, T]], claims: list[Claim], *, refund: bool
    ) -> dict[UUID, T]:
        ids = [claim.record_id for claim in claims if claim.refund is refund]
        return await asyncio.to_thread(read, ids) if ids else {}

    async def _checkout(self, claim: Claim, record: Record) -> None:
        """Repeat before the deadline; after it nobody waits any more: settle.

        What was opened meanwhile, and waits for its commit, comes due when that is too late.
        """
        record = await self._coordinator.conclude(record, give_up=self._overdue)
        if record.state is State.OPEN and record.opening.commit_by is not None:
            await asyncio.to_thread(self._queue.postpone, claim, record.opening.commit_by)

    def _overdue(self, record: Record) -> bool:
        return record.overdue(self._clock.now())

    async def _refund(self, record: RefundRecord) -> None:
        await self._refunder.conclude(record)

    async def _attempt(self, claim: Claim, kind: str, drive: Awaitable[None]) -> None:
        """Drive one record; whatever goes wrong, it comes due again."""
        try:
            await drive
        except Refusal as refusal:
            outcome = "postponed" if refusal.passing else "failed"
            _log.warning(
                "recovery_postponed",
                kind=kind,
                record=str(claim.record_id),
                attempts=claim.attempts,
                reason=refusal.reason,
            )
            await self._postpone(claim)
        except Exception as error:  # noqa: BLE001 - one record's defect must not stop the others
            outcome = "failed"
            _log.error("recovery_failed", kind=kind, record=str(claim.record_id), exc_info=error)
            await self._postpone(claim)
        else:
            outcome = "finished"
            _log.info("recovered", kind=kind, record=str(claim.record_id))
        RECOVERED.prometheus.labels(kind, outcome).inc()

    async def _postpone(self, claim: Claim) -> None:
        due_at = self._clock.now() + self._pace.pause_after(claim.attempts)
        try:
            await asyncio.to_thread(self._queue.postpone, claim, due_at)
        except (SQLAlchemyError, psycopg.Error) as error:
            _log.warning("lease_runs_out_instead", reason=type(error).__name__)
