"""Refunds of top-ups: within seven days and untouched, back by the tender they were paid with."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.points.domain import movement_errors as refusals
from services.points.domain.accounts import Member
from services.points.domain.assets import EntryKind, Funder, House
from services.points.domain.books import Books
from services.points.domain.dues import settle_due
from services.points.domain.events import Event
from services.points.domain.journal import open_entry
from services.points.domain.lots import Lot
from services.points.domain.movement_answers import RefundTopUpAnswer
from services.points.domain.movement_commands import RefundTopUp
from services.points.domain.movement_events import TopUpRefunded
from services.points.domain.movements import SoldValue, TopUpRefund
from services.points.domain.top_ups import GIFT_RULE


def refund_top_up(
    books: Books, command: RefundTopUp, now: datetime
) -> tuple[RefundTopUpAnswer, list[Event]]:
    """Take principal and gift of a top-up out again; a gift that has expired is gone already.

    Only the merchant that sold it can give money back by the same tender, so to others it is
    unknown. What was spent and wholly returned counts as unspent. Refuses TOP_UP_REFUND_EXISTS,
    TOP_UP_NOT_FOUND, TOP_UP_REFUNDED, TOP_UP_TOO_OLD, TOP_UP_SPENT.
    """
    member = books.members[command.member_id]
    sold = _refundable(books, member, command, now)

    # From here on nothing is refused.
    events: list[Event] = settle_due(books, member, now)
    merchant = command.place.merchant_id
    entry = open_entry(member, EntryKind.TOP_UP_REFUND, now, command.refund_id, merchant)
    cash_lot, gift_lot = _lots(member, sold)
    member.cash.take_from(cash_lot, sold.cash_minor)
    entry.post(member.cash, -sold.cash_minor, House.CASH_OUT, cash_lot)
    books.changes.touch(member, cash_lot)
    gift = gift_lot.remaining if gift_lot else 0
    if gift_lot is not None and gift:
        member.bonus.take_from(gift_lot, gift)
        entry.post(
            member.bonus, -gift, House.ISSUED, gift_lot, GIFT_RULE, Funder.ISSUER, sold.cash_minor
        )
        books.changes.touch(member, gift_lot)
    books.changes.entries.append(entry)
    answer = RefundTopUpAnswer(
        command.refund_id,
        sold.top_up_id,
        now,
        sold.tender,
        sold.cash_minor,
        gift,
        member.balances(),
    )
    sold.refunded_at = now
    books.movements.refund_ids.add(command.refund_id)
    books.changes.movements.sold[sold.top_up_id] = sold
    books.changes.movements.refunds.append(
        TopUpRefund(member.member_id, command.place, member.currency, entry.version, answer)
    )
    events.append(TopUpRefunded(member.member_id, command.place, member.currency, answer))
    return answer, events


def _refundable(books: Books, member: Member, command: RefundTopUp, now: datetime) -> SoldValue:
    movements = books.movements
    if command.refund_id in movements.refund_ids:
        raise refusals.top_up_refund_exists(command.refund_id)
    sold = movements.sold.get(command.top_up_id)
    if sold is None or sold.member_id != command.member_id:
        raise refusals.top_up_not_found(command.top_up_id)
    if sold.merchant_id != command.place.merchant_id:
        raise refusals.top_up_not_found(command.top_up_id)
    if sold.refunded_at is not None:
        raise refusals.top_up_refunded(command.top_up_id)
    until = sold.posted_at + timedelta(days=movements.terms.top_up_refund_days)
    if now > until:
        raise refusals.top_up_too_old(until)
    if not all(_untouched(member, lot, now) for lot in _lots(member, sold) if lot is not None):
        raise refusals.top_up_spent(command.top_up_id)
    return sold


def _lots(member: Member, sold: SoldValue) -> tuple[Lot, Lot | None]:
    gift = None if sold.bonus_lot_number is None else member.lots[sold.bonus_lot_number]
    return member.lots[sold.cash_lot_number], gift


def _untouched(member: Member, lot: Lot, now: datetime) -> bool:
    """Whether nothing was spent of a lot, or pinned by a hold; expiry is no use of it."""
    return member.account(lot.asset).free_at(lot, now) + lot.expired == lot.amount
