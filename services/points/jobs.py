"""Time in: taking out what is due for members whom nobody serves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import structlog

from chassis.clock import Clock
from chassis.kernel import Refusal
from chassis.storage.executor import Submission
from chassis.storage.reads import Reads
from services.points.domain.commands import Command, SettleDue
from services.points.storage.queries import DuePage, due_members

FIRST: Final = UUID(int=0)
"""Below every member id."""
PAGE_MEMBERS: Final = 10_000
BATCH_MEMBERS: Final = 256
CALLER: Final = "points"
DEFECT: Final = "INTERNAL"
"""One member's books are not as they should be: logged by the executor, and no other waits."""

_log = structlog.get_logger(__name__)


class Executor(Protocol):
    """What the job needs of the ledger's executor."""

    async def execute_many(
        self, submissions: Sequence[Submission[Command]]
    ) -> Sequence[object]: ...


@dataclass(frozen=True, slots=True)
class ExpiryJob:
    """Walks through all members by id, expires what is due and resolves holds that timed out.

    Safe to stop anywhere, to run twice and in two processes at once: a member with nothing due is
    left alone, so nothing is remembered of a run. The result does not depend on the batches.
    """

    reads: Reads
    executor: Executor
    clock: Clock

    async def run_once(self) -> int:
        """Go through all members; returns how many had something due."""
        expired, after = 0, FIRST
        while True:
            page: DuePage = await self.reads.run(due_members, after, PAGE_MEMBERS, self.clock.now())
            for at in range(0, len(page.due), BATCH_MEMBERS):
                expired += await self._expire(page.due[at : at + BATCH_MEMBERS])
            if page.last is None:
                return expired
            after = page.last

    async def run(self, interval_seconds: float, stopping: asyncio.Event) -> None:
        """Run again and again, `interval_seconds` apart, until `stopping` is set."""
        while not stopping.is_set():
            try:
                expired = await self.run_once()
                _log.info("expiry.done", members=expired)
            except Refusal as refusal:  # an outage of the database; the next run comes
                _log.warning("expiry.interrupted", reason=refusal.reason)
            try:
                await asyncio.wait_for(stopping.wait(), interval_seconds)
            except TimeoutError:
                continue

    async def _expire(self, members: Sequence[UUID]) -> int:
        submissions: list[Submission[Command]] = [
            Submission(SettleDue(member), CALLER, f"expire/{member}", None) for member in members
        ]
        outcomes = await self.executor.execute_many(submissions)
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        for refusal in refused:
            if refusal.reason != DEFECT:
                raise refusal
        return len(outcomes) - len(refused)
