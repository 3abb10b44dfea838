"""An account's lots: which are spent next, looked at before and taken after what is due is gone."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.accounts import Account, Member
from services.points.domain.assets import Asset
from services.points.domain.books import Books
from services.points.domain.dues import settle_due
from services.points.domain.lots import Lot, NextExpiry
from services.points.domain.pins import Amounts, Hold, HoldState, Pin
from services.points.domain.programme import Programmes
from tests.unit.points.worlds import START, programme

ME = UUID(int=1)
DAY = timedelta(days=1)


def lot(number: int, amount: int, days: int | None, held: int = 0) -> Lot:
    """A lot that ends `days` after START, earned that many hours before it as its number says."""
    ends = None if days is None else START + days * DAY
    earned = START - timedelta(hours=number)
    return Lot(number, Asset.POINTS, amount, amount, 0, earned, ends, held)


def books_of(*lots: Lot, timeouts: tuple[int | None, ...] = ()) -> tuple[Books, Member]:
    """Books of a member with these lots; what each has held is one hold's, with its time-out."""
    account = Account(Asset.POINTS, sum(each.amount for each in lots), open_lots=[])
    member = Member(ME, points=account, lots={each.number: each for each in lots})
    for account_of in (member.cash, member.bonus):
        account_of.open_lots = []
    for each in lots:
        if each.free:
            account.add(each)
    account.held = sum(each.held for each in lots)
    for each, days in zip([each for each in lots if each.held], timeouts, strict=True):
        timeout_at = None if days is None else START + days * DAY
        hold_id = UUID(int=each.number)
        pins = [Pin(each, each.held)]
        held = Amounts(each.held)
        member.holds[hold_id] = Hold(
            hold_id, ME, HoldState.OPEN, "CNY", held, None, START, timeout_at, pins
        )
    books = Books({ME: member}, Programmes([programme()]), holds=dict(member.holds))
    return books, member


def numbers(parts: list[tuple[Lot, int]]) -> list[tuple[int, int]]:
    return [(each.number, part) for each, part in parts]


def test_the_soonest_end_is_spent_first_then_the_earlier_earned_then_the_lower_number() -> None:
    _, member = books_of(lot(1, 5, None), lot(2, 5, 9), lot(3, 5, 9), lot(4, 5, 8))
    assert numbers(member.points.first_parts(17, START)) == [(4, 5), (3, 5), (2, 5), (1, 2)]
    assert numbers(member.points.take(17)) == [(4, 5), (3, 5), (2, 5), (1, 2)]


def test_what_is_due_or_held_is_not_spent_and_a_timed_out_hold_has_nothing() -> None:
    lots = (lot(1, 10, 0), lot(2, 10, 5, held=4), lot(3, 10, 6, held=10), lot(4, 10, 7))
    books, member = books_of(*lots, timeouts=(0, 1))
    assert numbers(member.points.first_parts(30, START)) == [(2, 10), (4, 10)]
    assert (member.points.available(START), member.points.held_at(START)) == (20, 10)
    before = START - timedelta(microseconds=1)
    assert numbers(member.points.first_parts(30, before)) == [(1, 10), (2, 6), (4, 10)]
    assert member.points.available(before) == 26
    later = START + DAY
    assert numbers(member.points.first_parts(30, later)) == [(2, 10), (3, 10), (4, 10)]
    settle_due(books, member, START)
    assert numbers(member.points.take(20)) == [(2, 10), (4, 10)]


@pytest.mark.parametrize("amount", [1, 4, 5])
def test_the_next_end_is_told_with_what_of_it_is_free(amount: int) -> None:
    _, member = books_of(lot(1, 5, 9), lot(2, 7, 12), lot(3, 9, None))
    account = member.points
    first = account.open_lots[0] if account.open_lots else None
    assert first is not None
    account.take(amount)
    left = 5 - amount
    ends = START + 9 * DAY if left else START + 12 * DAY
    earned = START - timedelta(hours=1 if left else 2)
    assert account.next_expiry == NextExpiry(ends, earned, left or 7)
    account.put_back(first, amount)
    assert account.next_expiry == NextExpiry(START + 9 * DAY, START - timedelta(hours=1), 5)
    account.take(12)
    assert account.next_expiry is None


lots = st.lists(
    st.tuples(st.integers(1, 9), st.one_of(st.none(), st.integers(-2, 3)), st.integers(0, 9)),
    max_size=6,
)


@given(lots, st.lists(st.one_of(st.none(), st.integers(-1, 2)), min_size=6, max_size=6))
def test_what_is_looked_at_before_is_what_is_taken_once_all_that_is_due_is_settled(
    drawn: list[tuple[int, int | None, int]], ends: list[int | None]
) -> None:
    made = [
        lot(at, amount, days, min(held, amount)) for at, (amount, days, held) in enumerate(drawn, 1)
    ]
    timeouts = tuple(ends[: sum(1 for each in made if each.held)])
    books, member = books_of(*made, timeouts=timeouts)
    available = member.points.available(START)
    looked_at = numbers(member.points.first_parts(available, START))
    assert sum(part for _, part in looked_at) == available
    settle_due(books, member, START)
    assert member.points.available(START) == available
    assert member.points.available(START) == member.points.balance - member.points.held
    assert numbers(member.points.take(available)) == looked_at
