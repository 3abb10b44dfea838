"""The coordinator's journal: its methods as commands to the executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from chassis.kernel import Refusal
from chassis.rpc.calls import find_current_call
from chassis.storage.executor import Executor, Submission
from gateway.domain.checkouts import (
    CommitPlan,
    Figures,
    Held,
    Opening,
    Record,
    Recorded,
    RefundFigures,
    RefundOpening,
    RefundRecord,
    RefundRecorded,
)
from gateway.domain.commands import (
    CancelCheckout,
    Command,
    CommitCheckout,
    CompleteRefund,
    Finish,
    NoteHeld,
    RecordCheckout,
    RecordRefund,
    RefuseRefund,
    TakeCommit,
)
from gateway.domain.deciding import Answer, Batch
from gateway.domain.events import Event
from gateway.domain.participants import Posted, Reversed

CheckoutExecutor = Executor[Command, Batch, Answer, Event]
WriteHeld = Callable[[Opening, object | None], Held]
WriteReceipt = Callable[[Opening, Posted], tuple[bytes, Figures]]
WriteRefund = Callable[[RefundOpening, Reversed, object | None], tuple[bytes, RefundFigures]]
T = TypeVar("T")


class UnrememberedCodec:
    """The codec of an executor whose commands are remembered by their own rows alone."""

    def encode(self, answer: Answer) -> bytes:
        raise AssertionError(f"{type(answer).__name__} is remembered by its row")

    def decode(self, data: bytes) -> Answer:
        raise AssertionError(f"nothing was encoded, yet {len(data)} bytes are to be decoded")


class ExecutorJournal:
    """`gateway.domain.participants.Journal` and `RefundJournal` over the executor.

    `write_held`, `write_receipt` and `write_refund` encode what participants answered, in the
    edge's own format; they raise AssertionError where the figures do not add up, which must never
    be.
    """

    def __init__(
        self,
        executor: CheckoutExecutor,
        write_held: WriteHeld,
        write_receipt: WriteReceipt,
        write_refund: WriteRefund,
    ) -> None:
        self._executor = executor
        self._write_held = write_held
        self._write_receipt = write_receipt
        self._write_refund = write_refund

    async def record(self, opening: Opening) -> Recorded:
        return await self._execute(RecordCheckout(opening), Recorded, in_time=True)

    async def record_refused(self, opening: Opening, refusal: Refusal) -> Recorded:
        """Write a first record that is CANCELLED at once: no participant was told anything."""
        return await self._execute(RecordCheckout(opening, refusal), Recorded, in_time=True)

    async def note_held(self, record: Record, authorized: object | None) -> Record:
        held = self._write_held(record.opening, authorized)
        return await self._execute(NoteHeld(record, held), Record)

    async def take_commit(self, record: Record, commit: CommitPlan) -> Record:
        return await self._execute(TakeCommit(record, commit), Record, in_time=True)

    async def commit(self, record: Record, posted: Posted, *, finished: bool) -> Record:
        receipt, figures = self._write_receipt(record.opening, posted)
        return await self._execute(CommitCheckout(record, receipt, figures, finished), Record)

    async def cancel(self, record: Record, refusal: Refusal, *, finished: bool) -> Record:
        return await self._execute(CancelCheckout(record, refusal, finished), Record)

    async def finish(self, record_id: UUID) -> None:
        await self._execute(Finish(record_id), Finish)

    async def record_refund(self, opening: RefundOpening) -> RefundRecorded:
        return await self._execute(RecordRefund(opening), RefundRecorded, in_time=True)

    async def complete_refund(
        self, record: RefundRecord, reversed_: Reversed, rolled_back: object | None
    ) -> RefundRecord:
        answer, figures = self._write_refund(record.opening, reversed_, rolled_back)
        return await self._execute(CompleteRefund(record, answer, figures), RefundRecord)

    async def refuse_refund(self, record: RefundRecord, refusal: Refusal) -> RefundRecord:
        return await self._execute(RefuseRefund(record, refusal), RefundRecord)

    async def _execute(self, command: Command, kind: type[T], *, in_time: bool = False) -> T:
        """Run one command; `in_time` drops it past the call's deadline, a decision never is."""
        call = find_current_call()
        executed = await self._executor.execute(
            Submission(
                command,
                caller="gateway",
                request_id="",
                fingerprint=None,
                deadline_monotonic=call.deadline_monotonic if call and in_time else None,
                traceparent=call.traceparent if call else "",
            )
        )
        assert isinstance(executed.answer, kind)
        return executed.answer
