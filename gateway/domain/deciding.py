"""Deciding commands on checkouts and refunds against the locked rows of one batch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from chassis.kernel import Decision, Refusal
from gateway.domain import errors
from gateway.domain.checkouts import (
    Figures,
    Record,
    Recorded,
    RefundRecord,
    RefundRecorded,
    RefundState,
    State,
)
from gateway.domain.commands import (
    CancelCheckout,
    Command,
    CommitCheckout,
    CompleteRefund,
    Decides,
    Finish,
    RecordCheckout,
    RecordRefund,
    RefuseRefund,
    SettlesRefund,
)
from gateway.domain.events import (
    CheckoutCancelled,
    CheckoutCommitted,
    CheckoutRefunded,
    Event,
)

Key = tuple[UUID, str]
"""(merchant_id, request_id)."""

Answer = Record | Recorded | RefundRecord | RefundRecorded | Finish


@dataclass(slots=True)
class Refundable:
    """What refunding a checkout is decided on; read under the checkout row's lock."""

    merchant_id: UUID
    state: State
    finished: bool
    open_refund: bool
    refunded: bool
    """Wholly: nothing is left."""
    done: int = 0
    """Refunds that happened."""


@dataclass(slots=True)
class Batch:
    """The rows of one batch of commands, and what deciding has changed in them.

    `fresh`: checkout ids this batch has inserted. `records`: by key, those that were there before.
    `open_checkouts` and `open_refunds`: locked rows still undecided; `decided` and
    `settled_refunds` the others. Everything from `bumped` on is to be saved.
    """

    versions: dict[UUID, int] = field(default_factory=dict)
    fresh: set[UUID] = field(default_factory=set)
    records: dict[Key, Record] = field(default_factory=dict)
    open_checkouts: set[UUID] = field(default_factory=set)
    decided: dict[UUID, Record] = field(default_factory=dict)
    refundable: dict[UUID, Refundable] = field(default_factory=dict)
    refunds: dict[Key, RefundRecord] = field(default_factory=dict)
    open_refunds: set[UUID] = field(default_factory=set)
    settled_refunds: dict[UUID, RefundRecord] = field(default_factory=dict)
    bumped: set[UUID] = field(default_factory=set)
    decisions: list[tuple[Record, Figures]] = field(default_factory=list)
    new_refunds: list[RefundRecord] = field(default_factory=list)
    refund_settlements: list[RefundRecord] = field(default_factory=list)
    finished: list[UUID] = field(default_factory=list)

    def next_version(self, member_id: UUID) -> int:
        """Count one event of this member."""
        self.versions[member_id] += 1
        self.bumped.add(member_id)
        return self.versions[member_id]


NOTHING = Figures(0, 0, 0)


def decide(batch: Batch, command: Command, now: datetime) -> Decision[Answer, Event]:
    """Decide one command; raises Refusal only where nothing is to be recorded (passing ones)."""
    match command:
        case RecordCheckout():
            return Decision(_record(batch, command))
        case CommitCheckout() | CancelCheckout():
            return _decide_checkout(batch, command, now)
        case Finish():
            batch.finished.append(command.record_id)
            return Decision(command)
        case RecordRefund():
            return Decision(_record_refund(batch, command))
        case CompleteRefund() | RefuseRefund():
            return _settle_refund(batch, command)


def _record(batch: Batch, command: RecordCheckout) -> Recorded:
    opening = command.opening
    if opening.checkout_id in batch.fresh:
        return Recorded(first_record(command), fresh=True)
    return Recorded(batch.records[opening.till.merchant_id, opening.request_id], fresh=False)


def first_record(command: RecordCheckout) -> Record:
    """Return the row a RecordCheckout inserts: open, or cancelled before anyone was asked."""
    if command.refusal is None:
        return Record(command.opening)
    return Record(
        command.opening,
        State.CANCELLED,
        decided_at=command.opening.opened_at,
        refusal=command.refusal,
        finished=True,
    )


def _decide_checkout(batch: Batch, command: Decides, now: datetime) -> Decision[Answer, Event]:
    """The compare-and-set: the first decision stands, a later one learns of it."""
    checkout_id = command.record.checkout_id
    if checkout_id not in batch.open_checkouts:
        return Decision(batch.decided[checkout_id])
    opening = command.record.opening
    assert opening.member_id is not None, "only a checkout of a known member is ever open"
    version = batch.next_version(opening.member_id)
    event: Event
    if isinstance(command, CommitCheckout):
        record = Record(
            opening, State.COMMITTED, now, receipt=command.receipt, finished=command.finished
        )
        figures = command.figures
        event = CheckoutCommitted(
            opening.member_id, version, checkout_id, opening.till, command.receipt, now
        )
    else:
        record = Record(
            opening, State.CANCELLED, now, refusal=command.refusal, finished=command.finished
        )
        figures = NOTHING
        event = CheckoutCancelled(
            opening.member_id, version, checkout_id, opening.till, command.refusal.reason, now
        )
    batch.open_checkouts.discard(checkout_id)
    batch.decided[checkout_id] = record
    batch.decisions.append((record, figures))
    if command.finished:
        batch.finished.append(checkout_id)
    return Decision(record, (event,))


def _record_refund(batch: Batch, command: RecordRefund) -> RefundRecorded:
    opening = command.opening
    key = opening.till.merchant_id, opening.request_id
    known = batch.refunds.get(key)
    if known is not None:
        return RefundRecorded(known, fresh=False)
    refusal = _may_refund(batch, command) or opening.refusal
    if refusal is not None and refusal.passing:
        raise refusal
    state = RefundState.OPEN if refusal is None else RefundState.REFUSED
    record = RefundRecord(opening, state, refusal=refusal)
    if refusal is None:
        batch.refundable[opening.checkout_id].open_refund = True
    batch.refunds[key] = record
    batch.new_refunds.append(record)
    return RefundRecorded(record, fresh=True)


def _may_refund(batch: Batch, command: RecordRefund) -> Refusal | None:
    """Why the checkout may not be refunded now; None when it may."""
    checkout = batch.refundable.get(command.opening.checkout_id)
    if checkout is None or checkout.merchant_id != command.opening.till.merchant_id:
        return errors.checkout_not_found()
    if checkout.state is State.CANCELLED:
        return errors.checkout_cancelled()
    if checkout.refunded:
        return errors.already_refunded()
    if checkout.state is State.OPEN or not checkout.finished or checkout.open_refund:
        return errors.in_progress()
    if checkout.done + 1 != command.opening.ordinal:
        return errors.in_progress()  # another came between: its amounts are no longer right
    return None


def _settle_refund(batch: Batch, command: SettlesRefund) -> Decision[Answer, Event]:
    refund_id = command.record.refund_id
    if refund_id not in batch.open_refunds:
        return Decision(batch.settled_refunds[refund_id])
    batch.open_refunds.discard(refund_id)
    opening = command.record.opening
    events: tuple[Event, ...] = ()
    if isinstance(command, CompleteRefund):
        record = replace(
            command.record,
            state=RefundState.DONE,
            answer=command.answer,
            figures=command.figures,
        )
        assert opening.member_id is not None, "only a known member's checkout is refunded"
        version = batch.next_version(opening.member_id)
        events = (
            CheckoutRefunded(
                opening.member_id, version, opening.checkout_id, opening.till, command.answer
            ),
        )
    else:
        record = replace(command.record, state=RefundState.REFUSED, refusal=command.refusal)
    batch.settled_refunds[refund_id] = record
    batch.refund_settlements.append(record)
    batch.finished.append(refund_id)
    return Decision(record, events)
