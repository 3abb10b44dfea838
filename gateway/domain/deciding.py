"""Deciding commands on checkouts and refunds against the locked rows of one batch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from chassis.kernel import Decision, Refusal
from gateway.domain import errors
from gateway.domain.checkouts import (
    Figures,
    Phase,
    Record,
    Recorded,
    RefundRecord,
    RefundRecorded,
    RefundState,
    State,
    expired,
)
from gateway.domain.commands import (
    CancelCheckout,
    Command,
    CommitCheckout,
    CompleteRefund,
    Decides,
    Finish,
    NoteHeld,
    RecordCheckout,
    RecordRefund,
    RefuseRefund,
    SettlesRefund,
    TakeCommit,
)
from gateway.domain.events import (
    CheckoutCancelled,
    CheckoutCommitted,
    CheckoutOpened,
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


@dataclass(frozen=True, slots=True)
class Due:
    """When recovery is to look at a checkout that was opened first: at a deadline, or soon."""

    at: datetime
    waiting: bool
    """For its commit until `at`. If not, it is being carried out since `at`."""


@dataclass(slots=True)
class Batch:
    """The rows of one batch of commands, and what deciding has changed in them.

    `fresh`: checkout ids this batch has inserted. `records`: by key, those that were there before.
    `open_checkouts` (with their phase) and `open_refunds`: locked rows still undecided; `standing`
    and `settled_refunds`: those that a command can only learn of. Everything from `bumped` on is to
    be saved; `opened`, `commits` and `decisions` in this order. `due` is of checkouts that are
    opened first.
    """

    versions: dict[UUID, int] = field(default_factory=dict)
    fresh: set[UUID] = field(default_factory=set)
    records: dict[Key, Record] = field(default_factory=dict)
    open_checkouts: dict[UUID, Phase] = field(default_factory=dict)
    standing: dict[UUID, Record] = field(default_factory=dict)
    refundable: dict[UUID, Refundable] = field(default_factory=dict)
    refunds: dict[Key, RefundRecord] = field(default_factory=dict)
    open_refunds: set[UUID] = field(default_factory=set)
    settled_refunds: dict[UUID, RefundRecord] = field(default_factory=dict)
    bumped: set[UUID] = field(default_factory=set)
    opened: list[Record] = field(default_factory=list)
    commits: list[Record] = field(default_factory=list)
    decisions: list[tuple[Record, Figures]] = field(default_factory=list)
    new_refunds: list[RefundRecord] = field(default_factory=list)
    refund_settlements: list[RefundRecord] = field(default_factory=list)
    finished: list[UUID] = field(default_factory=list)
    due: dict[UUID, Due] = field(default_factory=dict)

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
        case NoteHeld() | TakeCommit() | CommitCheckout() | CancelCheckout():
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
        two_calls = command.opening.commit_by is not None
        return Record(command.opening, phase=Phase.OPENING if two_calls else Phase.ONE_CALL)
    return Record(
        command.opening,
        State.CANCELLED,
        decided_at=command.opening.opened_at,
        refusal=command.refusal,
        finished=True,
    )


def _decide_checkout(batch: Batch, command: Decides, now: datetime) -> Decision[Answer, Event]:
    """The compare-and-set: whoever finds the phase it has seen is first, a later one learns."""
    seen = command.record
    checkout_id = seen.checkout_id
    if batch.open_checkouts.get(checkout_id) is not seen.phase:
        return Decision(batch.standing[checkout_id])
    event: Event | None = None
    match command:
        case NoteHeld():
            record = replace(seen, phase=Phase.WAITING, held=command.held)
            batch.opened.append(record)
            event = _opened(batch, record, now)
        case TakeCommit() if not expired(seen.opening, now):
            whole = command.commit.complete(seen.opening)
            record = replace(seen, opening=whole, phase=Phase.COMMITTING, commit=command.commit.key)
            batch.commits.append(record)
        case TakeCommit():
            record, event = _cancelled(batch, seen, errors.checkout_expired(), now, finished=False)
        case CancelCheckout():
            refusal = command.refusal
            if seen.phase is Phase.WAITING and expired(seen.opening, now):
                refusal = errors.checkout_expired()
            record, event = _cancelled(batch, seen, refusal, now, finished=command.finished)
        case CommitCheckout():
            record, event = _committed(batch, command, now)
    if record.state is State.OPEN:
        batch.open_checkouts[checkout_id] = record.phase
    else:
        del batch.open_checkouts[checkout_id]
    batch.standing[checkout_id] = record
    if record.phase is not Phase.ONE_CALL:
        batch.due[checkout_id] = _due(record, now)
    return Decision(record, (event,) if event is not None else ())


def _due(record: Record, now: datetime) -> Due:
    waiting = record.state is State.OPEN and record.phase is Phase.WAITING
    commit_by = record.opening.commit_by
    return Due(commit_by, True) if waiting and commit_by is not None else Due(now, False)


def _opened(batch: Batch, record: Record, now: datetime) -> Event:
    opening = record.opening
    assert opening.commit_by is not None
    assert record.held is not None
    member_id, version = _next_version(batch, record)
    return CheckoutOpened(
        member_id,
        version,
        record.checkout_id,
        opening.till,
        record.held.answer,
        now,
        opening.commit_by,
    )


def _committed(batch: Batch, command: CommitCheckout, now: datetime) -> tuple[Record, Event]:
    record = replace(
        command.record,
        state=State.COMMITTED,
        decided_at=now,
        receipt=command.receipt,
        finished=command.finished,
    )
    batch.decisions.append((record, command.figures))
    if record.finished:
        batch.finished.append(record.checkout_id)
    member_id, version = _next_version(batch, record)
    event = CheckoutCommitted(
        member_id, version, record.checkout_id, record.opening.till, command.receipt, now
    )
    return record, event


def _cancelled(
    batch: Batch, seen: Record, refusal: Refusal, now: datetime, *, finished: bool
) -> tuple[Record, Event]:
    record = replace(
        seen, state=State.CANCELLED, decided_at=now, refusal=refusal, finished=finished
    )
    batch.decisions.append((record, NOTHING))
    if finished:
        batch.finished.append(record.checkout_id)
    member_id, version = _next_version(batch, record)
    event = CheckoutCancelled(
        member_id, version, record.checkout_id, record.opening.till, refusal.reason, now
    )
    return record, event


def _next_version(batch: Batch, record: Record) -> tuple[UUID, int]:
    member_id = record.opening.member_id
    assert member_id is not None, "only a checkout of a known member is ever open"
    return member_id, batch.next_version(member_id)


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
