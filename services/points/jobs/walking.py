"""Walking through all members by id, and doing for each what time asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Final, Protocol
from uuid import UUID

import structlog
from sqlalchemy import Connection

from chassis.clock import Clock
from chassis.kernel import Refusal
from chassis.storage.executor import Submission
from chassis.storage.reads import Reads
from services.points.domain.commands import Command
from services.points.storage.queries import DuePage

FIRST: Final = UUID(int=0)
"""Below every member id."""
PAGE_MEMBERS: Final = 10_000
BATCH_MEMBERS: Final = 32
"""In one transaction: members of ten lots each write as much as a full batch of purchases then."""
RESTS: Final = 1.0
"""How long a job rests after each batch, in times of what the batch took: guests come first."""
CALLER: Final = "points"
DEFECT: Final = "INTERNAL"
"""One member's books are not as they should be: logged by the executor, and no other waits."""

_log = structlog.get_logger(__name__)


def at_any_time(_now: datetime) -> bool:
    """For walks that no guest notices."""
    return True


@dataclass(frozen=True, slots=True)
class Walk:
    """One thing that time asks for.

    `find(connection, after, limit, now)` looks through the next members after an id for those that
    it concerns at `now`; `command` is what is done for one of them, and does nothing where nothing
    is to be done. `when` says whether now is a time for it.
    """

    name: str
    find: Callable[[Connection, UUID, int, datetime], DuePage]
    command: Callable[[UUID], Command]
    when: Callable[[datetime], bool] = at_any_time


class Executor(Protocol):
    """What a job needs of the ledger's executor."""

    async def execute_many(
        self, submissions: Sequence[Submission[Command]]
    ) -> Sequence[object]: ...


@dataclass(frozen=True, slots=True)
class Job:
    """Goes one walk again and again.

    Safe to stop anywhere, to run twice and in two processes at once: what is done is decided under
    the member's lock, and a member with nothing to do is left alone, so nothing is remembered of a
    run. The result does not depend on the batches; one page of ids is held at a time.
    """

    walk: Walk
    reads: Reads
    executor: Executor
    clock: Clock
    batch_members: int = BATCH_MEMBERS
    page_members: int = PAGE_MEMBERS
    rests: float = RESTS

    async def run_once(self) -> int:
        """Go through all members; returns for how many there was something to do."""
        done, after = 0, FIRST
        while self.walk.when(self.clock.now()):
            page = await self.reads.run(self.walk.find, after, self.page_members, self.clock.now())
            for at in range(0, len(page.due), self.batch_members):
                began = monotonic()
                done += await self._do(page.due[at : at + self.batch_members])
                await asyncio.sleep((monotonic() - began) * self.rests)
            if page.last is None:
                break
            after = page.last
        return done

    async def run(self, interval_seconds: float, stopping: asyncio.Event) -> None:
        """Go again and again, `interval_seconds` apart, until `stopping` is set."""
        while not stopping.is_set():
            try:
                done = await self.run_once()
                _log.info("walk.done", walk=self.walk.name, members=done)
            except Refusal as refusal:  # an outage of the database; the next run comes
                _log.warning("walk.interrupted", walk=self.walk.name, reason=refusal.reason)
            try:
                await asyncio.wait_for(stopping.wait(), interval_seconds)
            except TimeoutError:
                continue

    async def _do(self, members: Sequence[UUID]) -> int:
        submissions: list[Submission[Command]] = [
            Submission(self.walk.command(member), CALLER, f"{self.walk.name}/{member}", None)
            for member in members
        ]
        outcomes = await self.executor.execute_many(submissions)
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        for refusal in refused:
            if refusal.reason != DEFECT:
                raise refusal
        return len(outcomes) - len(refused)
