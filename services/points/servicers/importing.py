"""One stream of an import: rows gathered into batches, decided two at a time, told in order."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from uuid import UUID

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from huitouke.points.v1 import import_pb2
from huitouke.points.v1 import import_service_pb2 as pb

from chassis.kernel import Category, Refusal
from chassis.rpc import validation
from chassis.rpc.calls import Call
from chassis.storage.executor import Executed, Executor, Submission
from chassis.storage.outbox import OutboxEvent
from services.points.converters.imports import to_import_row, to_rejected
from services.points.domain import errors
from services.points.domain.books import Books
from services.points.domain.commands import Command
from services.points.domain.progress import Acknowledge, Progress
from services.points.domain.records import RejectedRow

BATCH_ROWS: Final = 256
BATCHES_UNDER_WAY: Final = 2
"""One is saved while the next is made ready; more would only wait."""
FIRST_REJECTED_MAX: Final = 20
REFERENCE_SHOWN_MAX: Final = 128
MESSAGE_MAX: Final = 500
PAUSE_SECONDS_MIN: Final = 0.05
DEFECT: Final = "INTERNAL"
"""One row that the service can't take through its own fault must not hold up all others."""

Row = import_pb2.OpeningBalance
Outcome = Executed[Any] | Refusal
LedgerExecutor = Executor[Command, Books, Message, OutboxEvent]
ProgressExecutor = Executor[Acknowledge, Progress, Empty, OutboxEvent]


async def in_batches(
    requests: AsyncIterator[pb.ImportOpeningBalancesRequest],
) -> AsyncIterator[tuple[UUID, list[Row]]]:
    """Gather the messages' rows into batches, with the id of the import.

    Takes a message only when its rows are wanted, so the transport holds the sender back. Refuses
    INVALID_FIELD for another import id in between, or for lines that don't ascend: progress is
    told by them.
    """
    gathered: list[Row] = []
    import_id, last = "", 0
    async for request in requests:
        import_id = import_id or request.import_id
        if request.import_id != import_id:
            raise errors.invalid_field("import_id", "must be the same in all messages of a stream")
        for row in request.rows:
            if row.line <= last:
                rule = f"must be above the row's before it, {last}, and is {row.line}"
                raise errors.invalid_field("rows.line", rule)
            last = row.line
        gathered += request.rows
        while len(gathered) >= BATCH_ROWS:
            yield UUID(import_id), gathered[:BATCH_ROWS]
            del gathered[:BATCH_ROWS]
    if gathered:
        yield UUID(import_id), gathered


class Intake:
    """Takes the batches of one stream in; `response` tells what became of them.

    Batches are acknowledged in the order of their lines, each when all of its rows are dealt with
    for good, so that nothing before an acknowledged line is ever missing.
    """

    def __init__(self, ledger: LedgerExecutor, progress: ProgressExecutor, call: Call) -> None:
        self._ledger = ledger
        self._progress = progress
        self._call = call
        self._under_way: deque[asyncio.Task[None]] = deque()
        self.response = pb.ImportOpeningBalancesResponse()

    async def take(self, import_id: UUID, rows: Sequence[Row]) -> None:
        """Begin a batch; waits while as many as allowed are under way, raises what ended one."""
        if len(self._under_way) == BATCHES_UNDER_WAY:
            await self._under_way.popleft()
        before = self._under_way[-1] if self._under_way else None
        self._under_way.append(asyncio.create_task(self._deal_with(import_id, rows, before)))

    async def finish(self) -> None:
        """Wait for the batches that are under way."""
        while self._under_way:
            await self._under_way.popleft()

    def give_up(self) -> None:
        """Leave what is under way: rows that are decided stay so, and none is acknowledged."""
        for task in self._under_way:
            if task.done() and not task.cancelled():
                task.exception()  # what ended the stream was another one's
            task.cancel()

    async def _deal_with(
        self, import_id: UUID, rows: Sequence[Row], before: asyncio.Task[None] | None
    ) -> None:
        outcomes = await self._decide(import_id, rows)
        if before is not None:
            await before
        accepted, rejected = self._sorted(rows, outcomes)
        line = rows[-1].line
        done = Acknowledge(import_id, line, tuple(accepted), tuple(rejected))
        await self._progress.execute(
            Submission(
                done, self._call.caller, f"{import_id}/{line}", None, self._call.deadline_monotonic
            )
        )
        self.response.acknowledged_line = line

    def _sorted(
        self, rows: Sequence[Row], outcomes: Sequence[Outcome]
    ) -> tuple[list[int], list[RejectedRow]]:
        """The lines that are in, and the rows that are not; counts both."""
        accepted, rejected = [], []
        response = self.response
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, Refusal):
                rejected.append(_rejected(row, outcome))
            else:
                accepted.append(row.line)
                response.rows_imported += outcome.answer.rows_imported
                response.rows_repeated += outcome.answer.rows_repeated
        response.rows_rejected += len(rejected)
        shown = FIRST_REJECTED_MAX - len(response.first_rejected)
        response.first_rejected.extend(to_rejected(each) for each in rejected[:shown])
        return accepted, rejected

    async def _decide(self, import_id: UUID, rows: Sequence[Row]) -> list[Outcome]:
        """Decide every row for good, giving way to the tills' commands while too many wait.

        Raises what passes by itself, an outage or the stream's deadline.
        """
        outcomes: dict[int, Outcome] = {}
        waiting: dict[int, Submission[Command]] = {}
        for at, row in enumerate(rows):
            try:
                waiting[at] = self._submission(import_id, row)
            except Refusal as refusal:
                outcomes[at] = refusal
        while waiting:
            done = await self._ledger.execute_many(list(waiting.values()))
            outcomes |= zip(waiting, done, strict=True)
            crowded = [each for each in done if _is(each, Category.EXHAUSTED)]
            waiting = {
                at: submission
                for at, submission in waiting.items()
                if _is(outcomes[at], Category.EXHAUSTED)
            }
            if crowded:
                await asyncio.sleep(_pause_seconds(crowded))
        for outcome in outcomes.values():
            if isinstance(outcome, Refusal) and outcome.passing and outcome.reason != DEFECT:
                raise outcome
        return [outcomes[at] for at in range(len(rows))]

    def _submission(self, import_id: UUID, row: Row) -> Submission[Command]:
        validation.validate_alone(row)
        return Submission(
            to_import_row(import_id, row),
            self._call.caller,
            f"{import_id}/{row.line}",
            None,
            self._call.deadline_monotonic,
            self._call.traceparent,
        )


def _is(outcome: Outcome, category: Category) -> bool:
    return isinstance(outcome, Refusal) and outcome.category is category


def _pause_seconds(crowded: Sequence[Outcome]) -> float:
    """As long as the queue asks for; spread, so that two imports don't come back together."""
    asked = [each.retry_after_seconds or 0 for each in crowded if isinstance(each, Refusal)]
    return max(PAUSE_SECONDS_MIN, *asked) * (0.5 + random.random())  # noqa: S311 - no secret


def _rejected(row: Row, refusal: Refusal) -> RejectedRow:
    """What is kept of a wrong row; a NUL can't be, and a long reference is cut."""
    reference = row.reference.replace("\0", "")[:REFERENCE_SHOWN_MAX]
    return RejectedRow(row.line, reference, refusal.reason, refusal.message[:MESSAGE_MAX])
