"""Adjustments: correcting a balance by hand, above a limit with a second person.

What a member's account was adjusted by in the last 24 hours without a second person counts towards
the limit, whoever asked, so that an amount in pieces needs one as well.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.points.domain import errors
from services.points.domain import movement_errors as refusals
from services.points.domain.accounts import Member
from services.points.domain.assets import Asset, EntryKind, House
from services.points.domain.books import Books
from services.points.domain.calendar import end_of_month_after
from services.points.domain.dues import settle_due
from services.points.domain.events import Event
from services.points.domain.journal import open_entry
from services.points.domain.lots import Lot
from services.points.domain.movement_answers import AdjustAnswer, ApproveAnswer, RejectAnswer
from services.points.domain.movement_commands import (
    AdjustBalance,
    ApproveAdjustment,
    RejectAdjustment,
)
from services.points.domain.movement_events import BalanceAdjusted
from services.points.domain.movements import ALONE_FOR, Adjustment, AdjustmentState
from services.points.domain.programme import Programme


def adjust(books: Books, command: AdjustBalance, now: datetime) -> tuple[AdjustAnswer, list[Event]]:
    """Book an adjustment, or record that it waits for a second person.

    Refuses ADJUSTMENT_EXISTS and, either way, what could not be booked now: INSUFFICIENT_POINTS,
    INSUFFICIENT_STORED_VALUE, BALANCE_LIMIT.
    """
    movements = books.movements
    if command.adjustment_id in movements.adjustments:
        raise refusals.adjustment_exists(command.adjustment_id)
    member = books.members[command.member_id]
    _check_possible(books, member, command.asset, command.amount, now)

    # From here on nothing is refused.
    events: list[Event] = settle_due(books, member, now)
    adjustment = Adjustment(
        command.adjustment_id,
        command.member_id,
        command.asset,
        command.amount,
        command.reason_code,
        command.reason_text,
        command.requested_by,
        now,
    )
    movements.adjustments[adjustment.adjustment_id] = adjustment
    books.changes.movements.adjustments.append(adjustment)
    if not _needs_second_person(books, adjustment, now):
        lately = movements.adjusted.setdefault((member.member_id, adjustment.asset), [])
        lately.append((now, adjustment.amount))
        events.append(_book(books, member, adjustment, now))
    return AdjustAnswer(adjustment.adjustment_id, adjustment.decided_at, member.balances()), events


def approve(
    books: Books, command: ApproveAdjustment, now: datetime
) -> tuple[ApproveAnswer, list[Event]]:
    """Book a pending adjustment as the balances allow now; never approved by who asked for it."""
    adjustment = _pending(books, command.member_id, command.adjustment_id)
    if command.approved_by == adjustment.requested_by:
        raise refusals.second_person_required()
    member = books.members[command.member_id]
    _check_possible(books, member, adjustment.asset, adjustment.amount, now)

    # From here on nothing is refused.
    events: list[Event] = settle_due(books, member, now)
    adjustment.decided_by = command.approved_by
    events.append(_book(books, member, adjustment, now))
    books.changes.movements.decided[adjustment.adjustment_id] = adjustment
    return ApproveAnswer(adjustment.adjustment_id, now, member.balances()), events


def reject(
    books: Books, command: RejectAdjustment, now: datetime
) -> tuple[RejectAnswer, list[Event]]:
    """Turn a pending adjustment down for good; who asked for it may do so as well."""
    adjustment = _pending(books, command.member_id, command.adjustment_id)
    events: list[Event] = settle_due(books, books.members[command.member_id], now)
    adjustment.state = AdjustmentState.REJECTED
    adjustment.decided_by = command.rejected_by
    adjustment.decided_at = now
    books.changes.movements.decided[adjustment.adjustment_id] = adjustment
    return RejectAnswer(adjustment.adjustment_id, now), events


def _pending(books: Books, member_id: UUID, adjustment_id: UUID) -> Adjustment:
    adjustment = books.movements.adjustments.get(adjustment_id)
    if adjustment is None or adjustment.member_id != member_id:
        raise refusals.adjustment_not_found(adjustment_id)
    if adjustment.state is not AdjustmentState.PENDING_APPROVAL:
        raise refusals.adjustment_decided(adjustment_id, adjustment.state)
    return adjustment


def _needs_second_person(books: Books, adjustment: Adjustment, now: datetime) -> bool:
    terms = books.movements.terms
    points = adjustment.asset is Asset.POINTS
    lately = books.movements.adjusted.get((adjustment.member_id, adjustment.asset), ())
    total = sum(abs(amount) for at, amount in lately if at > now - ALONE_FOR)
    limit = terms.adjust_points_max if points else terms.adjust_minor_max
    return total + abs(adjustment.amount) > limit


def _check_possible(books: Books, member: Member, asset: Asset, amount: int, now: datetime) -> None:
    """Refuse to take more than is available, and to give a card more than it may hold."""
    if amount < 0:
        available = member.account(asset).available(now)
        if -amount > available:
            if asset is Asset.POINTS:
                raise errors.insufficient_points(available)
            raise errors.insufficient_stored_value(available)
    elif asset is not Asset.POINTS:
        limit = books.programmes.valid_at(now).stored_value.balance_limit_minor
        held = member.cash.balance + member.bonus.balance - member.bonus.due_amount(now)
        if held + amount > limit:
            raise errors.balance_limit(limit, held)


def _book(books: Books, member: Member, adjustment: Adjustment, now: datetime) -> BalanceAdjusted:
    account, amount = member.account(adjustment.asset), adjustment.amount
    programme = books.programmes.valid_at(now)
    entry = open_entry(
        member,
        EntryKind.ADJUSTMENT,
        now,
        adjustment.adjustment_id,
        programme_version=programme.version,
    )
    if amount > 0:
        expires_at = _expiry(books, programme, adjustment.asset, now)
        lot = books.put_lot(member, account, amount, amount, now, expires_at)
        entry.post(account, amount, House.ADJUSTED, lot, adjustment.reason_code)
    else:
        for lot, part in account.take(-amount):
            entry.post(account, -part, House.ADJUSTED, lot, adjustment.reason_code)
            books.changes.touch(member, lot)
            if lot.asset is Asset.BONUS:
                _note_gift(books, member, lot, part)
    books.changes.entries.append(entry)
    adjustment.state = AdjustmentState.BOOKED
    adjustment.decided_at = now
    adjustment.version = entry.version
    return BalanceAdjusted(
        member.member_id,
        adjustment.adjustment_id,
        now,
        adjustment.asset,
        amount,
        adjustment.reason_code,
        adjustment.requested_by,
        adjustment.decided_by,
        member.currency,
        member.balances(),
    )


def _note_gift(books: Books, member: Member, lot: Lot, part: int) -> None:
    """Remember that staff took gift away: a withdrawal does not ask the guest for it again."""
    taken, key = books.movements.taken_by_hand, (member.member_id, lot.number)
    taken[key] = taken.get(key, 0) + part


def _expiry(books: Books, programme: Programme, asset: Asset, now: datetime) -> datetime | None:
    """When what is given now expires: points as earned ones, gift as a top-up's, CASH never."""
    zone = books.movements.terms.zone
    if asset is Asset.POINTS:
        return programme.points_expiry(now, now, zone)
    months = programme.stored_value.bonus_expires_after_months
    return end_of_month_after(now, months, zone) if asset is Asset.BONUS and months else None
