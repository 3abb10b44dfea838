"""Movements in memory: groups, transfers, adjustments, and top-ups that go back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from datetime import date, datetime
from uuid import UUID

import psycopg

from services.points.domain.accounts import Member
from services.points.domain.assets import Asset
from services.points.domain.books import Books
from services.points.domain.commands import Command
from services.points.domain.movement_commands import (
    AdjustBalance,
    ApproveAdjustment,
    PutTransferGroup,
    RefundTopUp,
    RejectAdjustment,
    TransferPoints,
    WithdrawStoredValue,
)
from services.points.domain.movements import (
    ALONE_FOR,
    Adjustment,
    AdjustmentState,
    MovementChanges,
    SoldValue,
)
from services.points.domain.records import TopUp
from tests.points_memory.tables import MemoryTransaction, Tables, not_null


def load(tables: Tables, books: Books, commands: Sequence[Command], now: datetime) -> None:
    """Read what the batch's movements need besides lots."""
    known = books.movements
    for command in commands:
        if isinstance(command, PutTransferGroup):
            group = tables.groups.get(command.group_id)
            if group is not None and group.group_id not in known.groups:
                known.groups[group.group_id] = copy(group)
                _know_groups_of(tables, books, group.member_ids)
            _know_groups_of(tables, books, command.member_ids)
        elif isinstance(command, TransferPoints):
            _load_transfer(tables, books, command, now)
        elif isinstance(command, AdjustBalance | ApproveAdjustment | RejectAdjustment):
            adjustment = tables.adjustments.get(command.adjustment_id)
            if adjustment is not None:
                known.adjustments.setdefault(command.adjustment_id, copy(adjustment))
            if isinstance(command, AdjustBalance):
                _load_adjusted(tables, books, command, now)
        elif isinstance(command, WithdrawStoredValue):
            known.withdrawal_ids |= {command.withdrawal_id} & tables.withdrawals
        elif isinstance(command, RefundTopUp):
            known.refund_ids |= {command.refund_id} & tables.refunds
            _know_sold(books, tables.sold.get(command.top_up_id))


def _know_groups_of(tables: Tables, books: Books, ids: Iterable[UUID]) -> None:
    of_group = {each: tables.group_of[each] for each in ids if each in tables.group_of}
    books.movements.group_of.update(of_group)


def _load_transfer(tables: Tables, books: Books, command: TransferPoints, now: datetime) -> None:
    known = books.movements
    known.transfer_ids |= {command.transfer_id} & tables.transfers.keys()
    _know_groups_of(tables, books, (command.from_member_id, command.to_member_id))
    month = now.astimezone(known.terms.zone).date().replace(day=1)
    given: dict[date, int] = {}
    for transfer in tables.transfers.values():
        if transfer.from_member_id == command.from_member_id and transfer.day >= month:
            given[transfer.day] = given.get(transfer.day, 0) + transfer.points
    known.given[command.from_member_id] = given


def _load_adjusted(tables: Tables, books: Books, command: AdjustBalance, now: datetime) -> None:
    """What staff have done alone lately, in every asset of the member."""
    lately: dict[tuple[UUID, Asset], list[tuple[datetime, int]]] = {}
    for each in tables.adjustments.values():
        alone = each.state is AdjustmentState.BOOKED and each.decided_by is None
        if each.member_id == command.member_id and alone and each.requested_at > now - ALONE_FOR:
            key = each.member_id, each.asset
            lately.setdefault(key, []).append((each.requested_at, each.amount))
    books.movements.adjusted.update(lately)


def load_sold(
    tables: Tables, books: Books, commands: Sequence[Command]
) -> Iterable[tuple[UUID, int]]:
    """Once the lots of principal are there: their top-ups. Yields the lots those lie in."""
    for command in commands:
        if isinstance(command, WithdrawStoredValue):
            member = books.members[command.member_id]
            _know_taken_by_hand(tables, books, member)
            cash = {lot.number for lot in member.lots.values() if lot.asset is Asset.CASH}
            for sold in tables.sold.values():
                if sold.member_id == member.member_id and sold.cash_lot_number in cash:
                    _know_sold(books, sold)
    for sold in books.movements.sold.values():
        if sold.member_id in books.members:
            yield sold.member_id, sold.cash_lot_number
            if sold.bonus_lot_number is not None:
                yield sold.member_id, sold.bonus_lot_number


def _know_sold(books: Books, sold: SoldValue | None) -> None:
    if sold is not None and sold.top_up_id not in books.movements.sold:
        books.movements.keep_sold(copy(sold))


def _know_taken_by_hand(tables: Tables, books: Books, member: Member) -> None:
    taken: dict[tuple[UUID, int], int] = {}
    for each in tables.adjustments.values():
        booked = each.member_id == member.member_id and each.version is not None
        if booked and each.asset is Asset.BONUS and each.amount < 0:
            for posting in tables.versions[member.member_id, each.version or 0].postings:
                key = member.member_id, posting.lot_number or 0
                taken[key] = taken.get(key, 0) - posting.amount
    books.movements.taken_by_hand.update(taken)


def write(transaction: MemoryTransaction, changes: MovementChanges) -> None:
    """Save everything, as the real one does after new top-ups are in their table."""
    tables = transaction.tables
    for group in changes.groups.values():
        if not group.stored_revision:
            _unique(tables.groups, group.group_id)
        row = copy(group)
        row.stored_revision = row.revision
        transaction.put(tables.groups, group.group_id, row)
        transaction.writes.append(_regrouping(tables, group.group_id, group.member_ids))
    for transfer in changes.transfers:
        not_null(transfer)
        _unique(tables.transfers, transfer.transfer_id)
        assert transfer.points > 0, "transfers_positive"
        transaction.put(tables.transfers, transfer.transfer_id, transfer)
    for adjustment in changes.adjustments:
        _unique(tables.adjustments, adjustment.adjustment_id)
        _write_adjustment(transaction, adjustment)
    for adjustment in changes.decided.values():
        stored = tables.adjustments.get(adjustment.adjustment_id)
        pending = stored is None or stored.state is AdjustmentState.PENDING_APPROVAL
        assert pending, "adjustments_are_decided_once"
        _write_adjustment(transaction, adjustment)
    for withdrawal in changes.withdrawals:
        not_null(withdrawal)
        not_null(withdrawal.answer)
        _unique(tables.withdrawals, withdrawal.answer.withdrawal_id)
        done = withdrawal.answer
        assert done.cash_minor == done.paid_out_minor + done.gift_deducted_minor, "add_up"
        transaction.writes.append(_adding(tables.withdrawals, done.withdrawal_id))
    for sold in changes.sold.values():
        write_sold(transaction, sold)
    for refund in changes.refunds:
        not_null(refund)
        not_null(refund.answer, "tender")
        _unique(tables.refunds, refund.answer.refund_id)
        transaction.writes.append(_adding(tables.refunds, refund.answer.refund_id))


def _unique(table: Collection[UUID], id_: UUID) -> None:
    if id_ in table:
        raise psycopg.errors.SerializationFailure("an id was taken meanwhile")


def _write_adjustment(transaction: MemoryTransaction, adjustment: Adjustment) -> None:
    not_null(adjustment, "decided_by", "decided_at", "version")
    booked = adjustment.state is AdjustmentState.BOOKED
    assert booked == (adjustment.version is not None), "adjustments_booked"
    pending = adjustment.state is AdjustmentState.PENDING_APPROVAL
    assert pending == (adjustment.decided_at is None), "adjustments_decided"
    assert adjustment.decided_by != adjustment.requested_by or not booked, "approved_by_another"
    transaction.put(transaction.tables.adjustments, adjustment.adjustment_id, copy(adjustment))


def _adding(table: set[UUID], id_: UUID) -> Callable[[], None]:
    return lambda: table.add(id_)


def _regrouping(tables: Tables, group_id: UUID, member_ids: Iterable[UUID]) -> Callable[[], None]:
    """A member is in one group at most: the member's id is the key."""

    def write() -> None:
        for each in [each for each, of in tables.group_of.items() if of == group_id]:
            del tables.group_of[each]
        for each in member_ids:
            assert each not in tables.group_of, "transfer_group_members_pkey"
            tables.group_of[each] = group_id

    return write


def write_sold(transaction: MemoryTransaction, sold: SoldValue) -> None:
    assert 0 <= sold.withdrawn_minor <= sold.cash_minor, "top_ups_gone_back"
    gone = sold.bonus_taken_back_minor + sold.gift_deducted_minor
    assert 0 <= gone <= sold.bonus_minor, "top_ups_gone_back"
    assert sold.refunded_at is None or not sold.withdrawn_minor, "top_ups_refunded_untouched"
    transaction.put(transaction.tables.sold, sold.top_up_id, copy(sold))


def sold_value(top_up: TopUp) -> SoldValue:
    """A new top-up's row, of which nothing has gone back."""
    return SoldValue(
        top_up.answer.top_up_id,
        top_up.member_id,
        top_up.place.merchant_id,
        top_up.answer.posted_at,
        top_up.tender,
        top_up.answer.cash_added_minor,
        top_up.answer.bonus_added_minor,
        top_up.cash_lot_number,
        top_up.bonus_lot_number,
    )
