"""Withdrawals: paying principal out, and taking back the gift that goes with it.

The gift of a top-up belongs to its principal: who spends half of the principal has earned half of
the gift. So when X of a top-up's principal P is withdrawn, X/P of its gift is unearned. It is taken
out of the gift that is left in the top-up's own lot. What of it was spent already is deducted from
the payout, or a guest could top up, eat the gift and withdraw the principal whole. What of it has
expired or was taken away by hand is nobody's: the guest had nothing of it.

A top-up of 1,000 with a gift of 100, withdrawn whole:

    spent before                 left             taken back   deducted   paid out
    nothing                      1,000 and 100          100          0      1,000
    500 and 50 (proportional)      500 and  50           50          0        500
    500 and 0 (CASH first)         500 and 100           50          0        500
    0 and 100 (BONUS first)      1,000 and   0            0        100        900
    0 and 40, 60 have expired    1,000 and   0            0         40        960

Shares are cumulative for each top-up and rounded up once, so that withdrawing fen by fen takes back
as much as withdrawing at once. What a later reversal returns to a gift lot whose share was deducted
stays the guest's, who has paid for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.points.domain import movement_errors as refusals
from services.points.domain.accounts import Member
from services.points.domain.assets import EntryKind, Funder, House
from services.points.domain.books import Books
from services.points.domain.dues import settle_due
from services.points.domain.events import Event
from services.points.domain.journal import Entry, open_entry
from services.points.domain.lots import Lot
from services.points.domain.movement_answers import WithdrawAnswer
from services.points.domain.movement_commands import WithdrawStoredValue
from services.points.domain.movement_events import StoredValueWithdrawn
from services.points.domain.movements import SoldValue, Withdrawal
from services.points.domain.top_ups import GIFT_RULE

DEDUCTED_RULE = "GIFT_DEDUCTED"


class _Part(NamedTuple):
    """What is withdrawn of a top-up's principal, and what becomes of the gift given on it."""

    amount: int
    sold: SoldValue
    gift_lot: Lot
    taken_back: int
    deducted: int


def withdraw(
    books: Books, command: WithdrawStoredValue, now: datetime
) -> tuple[WithdrawAnswer, list[Event]]:
    """Take principal out in spend order, pay it out, take its gift back.

    `QuoteWithdrawal` runs this very function on books that are thrown away. Refuses
    WITHDRAWAL_EXISTS, INSUFFICIENT_CASH, NOTHING_TO_PAY_OUT.
    """
    member = books.members[command.member_id]
    amount = _check(books, member, command, now)

    # From here on nothing is refused.
    events: list[Event] = settle_due(books, member, now)
    parts = _plan(books, member, amount, now)
    merchant = command.place.merchant_id
    entry = open_entry(member, EntryKind.WITHDRAWAL, now, command.withdrawal_id, merchant)
    deducted = min(amount, sum(part.deducted for part in parts))
    _pay_out(books, member, entry, amount, deducted)
    for part in parts:
        _take_gift_back(books, member, entry, part)
    books.changes.entries.append(entry)
    answer = WithdrawAnswer(
        command.withdrawal_id,
        now,
        amount,
        amount - deducted,
        deducted,
        sum(part.taken_back for part in parts),
        member.balances(),
    )
    books.movements.withdrawal_ids.add(command.withdrawal_id)
    books.changes.movements.withdrawals.append(
        Withdrawal(
            member.member_id, command.place, member.currency, command.tender, entry.version, answer
        )
    )
    events.append(
        StoredValueWithdrawn(
            member.member_id, command.place, member.currency, command.tender, answer
        )
    )
    return answer, events


def _check(books: Books, member: Member, command: WithdrawStoredValue, now: datetime) -> int:
    """Refuse what can't be done; returns the principal to take out."""
    if command.withdrawal_id in books.movements.withdrawal_ids:
        raise refusals.withdrawal_exists(command.withdrawal_id)
    available = member.cash.available(now)
    amount = command.amount_minor or available
    if not 0 < amount <= available:
        raise refusals.insufficient_cash(available)
    deducted = sum(part.deducted for part in _plan(books, member, amount, now))
    if deducted >= amount:
        raise refusals.nothing_to_pay_out(deducted)
    return amount


def _plan(books: Books, member: Member, amount: int, now: datetime) -> Sequence[_Part]:
    """What would become of each gift whose principal is withdrawn; changes nothing."""
    parts = []
    for lot, part in member.cash.first_parts(amount, now):
        sold = books.movements.sold_into.get((member.member_id, lot.number))
        if sold is not None and sold.bonus_lot_number is not None:
            gift_lot = member.lots[sold.bonus_lot_number]
            by_hand = books.movements.taken_by_hand.get((member.member_id, gift_lot.number), 0)
            left = member.bonus.free_at(gift_lot, now)
            parts.append(_divided(part, sold, gift_lot, left, by_hand, now))
    return parts


def _divided(
    amount: int, sold: SoldValue, lot: Lot, left: int, taken_by_hand: int, now: datetime
) -> _Part:
    """Divide the unearned share of the gift into what is left, what was spent, what is gone."""
    withdrawn = sold.withdrawn_minor + amount
    unearned = -(-sold.bonus_minor * withdrawn // sold.cash_minor)  # rounded up
    unearned -= sold.bonus_taken_back_minor + sold.gift_deducted_minor
    gone = lot.expired + taken_by_hand
    if lot.due(now):
        left, gone = 0, gone + left
    taken_back = max(0, min(unearned, left))
    return _Part(amount, sold, lot, taken_back, max(0, unearned - taken_back - gone))


def _pay_out(books: Books, member: Member, entry: Entry, amount: int, deducted: int) -> None:
    """Post the principal: first what is kept for spent gift, then what the guest gets."""
    account = member.cash
    for lot, part in account.take(amount):
        kept = min(part, deducted)
        deducted -= kept
        if kept:
            entry.post(account, -kept, House.BREAKAGE, lot, DEDUCTED_RULE)
        if part > kept:
            entry.post(account, kept - part, House.CASH_OUT, lot)
        books.changes.touch(member, lot)


def _take_gift_back(books: Books, member: Member, entry: Entry, part: _Part) -> None:
    sold, gift_lot = part.sold, part.gift_lot
    sold.withdrawn_minor += part.amount
    sold.bonus_taken_back_minor += part.taken_back
    sold.gift_deducted_minor += part.deducted
    books.changes.movements.sold[sold.top_up_id] = sold
    if part.taken_back:
        member.bonus.take_from(gift_lot, part.taken_back)
        entry.post(
            member.bonus,
            -part.taken_back,
            House.ISSUED,
            gift_lot,
            GIFT_RULE,
            Funder.ISSUER,
            part.amount,
        )
        books.changes.touch(member, gift_lot)
