"""Holds by their rules: what they pin, and what may be spent of it and of the rest."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.assets import Asset, EntryKind, House
from services.points.domain.commands import (
    ReleaseHold,
    SettleDue,
)
from services.points.domain.events import (
    CheckoutPosted,
    HoldAuthorized,
    HoldCaptured,
    HoldReleased,
    ValueExpired,
)
from services.points.domain.pins import Amounts, Hold, HoldState, parts_to_capture
from services.points.domain.programme import SpendOrder, StoredValueTerms
from tests.unit.points.holding import (
    TWO_YEARS,
    authorize,
    capture,
    free,
    hold,
    post,
    rich,
    top_up,
)
from tests.unit.points.worlds import TERMS, World, programme


def test_what_is_held_stays_in_the_balance_but_nothing_else_can_spend_it() -> None:
    world = rich()
    answer = world.do(authorize(world, points=700, stored=55_000))
    assert answer.held == Amounts(700, 50_000, 5_000)
    balances = answer.balances
    assert (balances.points, balances.cash_minor, balances.bonus_minor) == (1_000, 100_000, 10_000)
    assert (balances.points_held, balances.cash_held_minor, balances.bonus_held_minor) == (
        700, 50_000, 5_000,
    )  # fmt: skip
    assert balances.member_version == 3
    assert balances.next_expiring_points == 300
    assert free(world) == (300, 50_000, 5_000)
    refusal = world.refusal(post(world, 10_000, points=301))
    assert (refusal.reason, refusal.metadata) == ("INSUFFICIENT_POINTS", {"available": "300"})
    refusal = world.refusal(post(world, 90_000, stored=55_001))
    assert refusal.metadata == {"available_minor": "55000"}
    refusal = world.refusal(authorize(world, points=301))
    assert refusal.metadata == {"available": "300"}
    world.buy(90_000, points=300, stored=55_000)
    assert free(world)[1:] == (0, 0)


@pytest.mark.parametrize(
    ("order", "parts"),
    [
        (SpendOrder.PROPORTIONAL, Amounts(0, 10_001, 1_000)),
        (SpendOrder.CASH_FIRST, Amounts(0, 11_001, 0)),
        (SpendOrder.BONUS_FIRST, Amounts(0, 1_001, 10_000)),
    ],
)
def test_stored_value_is_divided_by_the_spend_order_of_the_authorisation(
    order: SpendOrder, parts: Amounts
) -> None:
    world = World(programme(terms=StoredValueTerms(TERMS.top_up_tiers, 500_000, 500_000, order, 0)))
    top_up(world, 100_000)
    assert world.do(authorize(world, stored=11_001)).held == parts


def test_a_capture_takes_cash_and_bonus_as_the_hold_has_them_and_earns_nothing() -> None:
    world = rich()
    hold_id = hold(world, points=500, stored=22_000)
    answer = world.do(capture(world, hold_id, points=200, stored=11_005))
    assert answer.captured == Amounts(200, 10_005, 1_000)
    assert answer.released == Amounts(300, 9_995, 1_000)
    entry = world.entries[-1]
    assert (entry.kind, entry.reference_id) == (EntryKind.CAPTURE, hold_id)
    assert [(each.asset, each.house, each.amount) for each in entry.postings] == [
        (Asset.POINTS, House.REDEEMED, -200),
        (Asset.CASH, House.SETTLEMENT, -10_005),
        (Asset.BONUS, House.SETTLEMENT, -1_000),
    ]
    assert free(world) == (800, 89_995, 9_000)
    assert world.member.balances().points_held == 0
    assert [type(event) for event in world.events] == [HoldAuthorized, HoldCaptured]


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.data())
def test_capturing_everything_in_parts_or_whole_never_takes_more_than_is_held(
    cash: int, bonus: int, data: st.DataObject
) -> None:
    amount = data.draw(st.integers(0, cash + bonus))
    one = Hold(uuid4(), uuid4(), HoldState.OPEN, "CNY", Amounts(0, cash, bonus))
    if not amount:
        return
    parts = parts_to_capture(one, 0, amount)
    assert parts.stored_value_minor == amount
    assert parts.cash_minor <= cash
    assert parts.bonus_minor <= bonus
    assert abs(parts.bonus_minor * (cash + bonus) - amount * bonus) * 2 <= cash + bonus


def test_a_capture_beyond_the_hold_names_what_it_has() -> None:
    world = rich()
    hold_id = hold(world, points=500, stored=22_000)
    for points, stored in ((501, 0), (0, 22_001)):
        refusal = world.refusal(capture(world, hold_id, points, stored))
        assert refusal.reason == "CAPTURE_EXCEEDS_HOLD"
        assert refusal.metadata == {"points": "500", "stored_value_minor": "22000"}
    refusal = world.refusal(capture(world, hold_id, points=1, currency="USD"))
    assert (refusal.reason, refusal.metadata) == ("CURRENCY_MISMATCH", {"currency": "CNY"})
    assert world.refusal(authorize(world, 1, currency="USD")).reason == "CURRENCY_MISMATCH"


def test_a_hold_pins_the_lots_that_expire_first_and_plain_spending_goes_round_them() -> None:
    world = rich(stored=0)
    world.now += timedelta(days=40)
    world.buy(50_000)
    hold_id = hold(world, points=1_200)
    world.buy(200, points=200)
    assert [(each.lot_number, each.amount) for each in world.entries[-1].postings] == [(2, -200)]
    world.do(capture(world, hold_id, points=1_100))
    assert [(each.lot_number, each.amount) for each in world.entries[-1].postings] == [
        (1, -1_000),
        (2, -100),
    ]
    assert free(world) == (200, 0, 0)


def test_a_held_lot_that_expires_stays_spendable_by_its_hold_and_its_free_part_does_not() -> None:
    world = rich(stored=0)
    checkout_id = uuid4()
    hold_id = hold(world, points=600, checkout_id=checkout_id)
    world.now += TWO_YEARS
    world.do(SettleDue(world.member_id))
    assert isinstance(world.events[-1], ValueExpired)
    assert world.events[-1].points == 400
    assert world.member.balances()[:1] == (600,)
    assert world.member.balances().next_expiry is None
    assert free(world) == (0, 0, 0)
    posted = world.do(post(world, 5_000, hold_id, points=500, checkout_id=checkout_id)).posted
    assert posted.points_redeemed == 500
    assert posted.points_earned == 45
    rest, checkout = world.events[-2:]
    assert isinstance(rest, ValueExpired)
    assert rest.points == 100
    assert isinstance(checkout, CheckoutPosted)
    assert checkout.hold_id == hold_id
    assert world.member.balances().points == 45
    lot = world.member.lots[1]
    assert (lot.remaining, lot.held, lot.expired) == (0, 0, 500)


def test_what_a_release_gives_back_to_an_expired_lot_expires_at_once_as_its_own_entry() -> None:
    world = rich()
    hold_id = hold(world, points=600, stored=11_000, checkout_id=uuid4())
    world.now += TWO_YEARS
    answer = world.do(ReleaseHold(world.member_id, hold_id))
    assert answer.released == Amounts(600, 10_000, 1_000)
    first, released, rest = world.events[-3:]
    assert isinstance(first, ValueExpired)
    assert (first.points, first.bonus_minor) == (400, 9_000)
    assert isinstance(released, HoldReleased)
    assert (released.balances.points, released.balances.points_held) == (600, 0)
    assert isinstance(rest, ValueExpired)
    assert (rest.points, rest.bonus_minor) == (600, 1_000)
    assert rest.balances == answer.balances
    assert free(world) == (0, 100_000, 0)
