"""Top-ups: selling stored value, with the programme's gift and limits."""

from __future__ import annotations

from datetime import datetime

from services.points.domain import errors
from services.points.domain.accounts import Member
from services.points.domain.answers import TopUpAnswer
from services.points.domain.assets import EntryKind, Funder, House
from services.points.domain.books import Books
from services.points.domain.calendar import end_of_month_after
from services.points.domain.commands import TopUpStoredValue
from services.points.domain.dues import settle_due
from services.points.domain.events import Event, StoredValueToppedUp
from services.points.domain.journal import Entry, open_entry
from services.points.domain.lots import Lot
from services.points.domain.movements import SoldValue
from services.points.domain.programme import StoredValueTerms
from services.points.domain.records import TopUp

GIFT_RULE = "TOP_UP_TIER"


def top_up(
    books: Books, command: TopUpStoredValue, now: datetime
) -> tuple[TopUpAnswer, list[Event]]:
    """Put the amount in as CASH, which never expires, and the tier's gift as BONUS, which may.

    Limits count what is left after expiry. Refuses CURRENCY_MISMATCH, TOP_UP_LIMIT,
    BALANCE_LIMIT, TOP_UP_EXISTS.
    """
    member = books.members[command.member_id]
    programme = books.programmes.valid_at(now)
    terms = programme.stored_value
    gift = terms.gift_minor(command.amount_minor)
    _check(books, member, command, terms, gift, now)

    # From here on nothing is refused.
    events: list[Event] = settle_due(books, member, now)
    place = command.place
    entry = open_entry(
        member,
        EntryKind.TOP_UP,
        now,
        command.top_up_id,
        place.merchant_id,
        programme.version,
    )
    amount = command.amount_minor
    cash_lot = books.put_lot(member, member.cash, amount, amount, now, None)
    entry.post(member.cash, amount, House.CASH_IN, cash_lot)
    bonus_lot = None
    if gift:
        months = terms.bonus_expires_after_months
        expires_at = end_of_month_after(now, months, place.zone) if months else None
        bonus_lot = books.put_lot(member, member.bonus, gift, gift, now, expires_at)
        entry.post(member.bonus, gift, House.ISSUED, bonus_lot, GIFT_RULE, Funder.ISSUER, amount)
    books.changes.entries.append(entry)
    answer = TopUpAnswer(command.top_up_id, now, amount, gift, member.balances())
    _record(books, command, entry, cash_lot, bonus_lot, answer)
    events.append(StoredValueToppedUp(member.member_id, place, command.currency, answer))
    return answer, events


def _record(
    books: Books,
    command: TopUpStoredValue,
    entry: Entry,
    cash_lot: Lot,
    bonus_lot: Lot | None,
    answer: TopUpAnswer,
) -> None:
    """Keep the top-up to be stored, and know it for what may take it back in the same batch."""
    bonus_lot_number = bonus_lot.number if bonus_lot else None
    books.top_up_ids.add(command.top_up_id)
    books.changes.top_ups.append(
        TopUp(
            command.member_id,
            command.place,
            command.currency,
            entry.version,
            cash_lot.number,
            bonus_lot_number,
            answer,
            command.tender,
        )
    )
    books.movements.keep_sold(
        SoldValue(
            command.top_up_id,
            command.member_id,
            command.place.merchant_id,
            answer.posted_at,
            command.tender,
            answer.cash_added_minor,
            answer.bonus_added_minor,
            cash_lot.number,
            bonus_lot_number,
        )
    )


def _check(
    books: Books,
    member: Member,
    command: TopUpStoredValue,
    terms: StoredValueTerms,
    gift: int,
    now: datetime,
) -> None:
    if command.top_up_id in books.top_up_ids:
        raise errors.top_up_exists(command.top_up_id)
    if command.currency != member.currency:
        raise errors.currency_mismatch(member.currency)
    if command.amount_minor > terms.top_up_limit_minor:
        raise errors.top_up_limit(terms.top_up_limit_minor)
    stored = member.cash.balance + member.bonus.balance - member.bonus.due_amount(now)
    if stored + command.amount_minor + gift > terms.balance_limit_minor:
        raise errors.balance_limit(terms.balance_limit_minor, stored)
