"""Checkouts, top-ups and reversals by their rules, one at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.assets import Category, Channel, House
from services.points.domain.commands import (
    CancelPost,
    PostCheckout,
    ReverseCheckout,
    TopUpStoredValue,
)
from services.points.domain.programme import Redemption, SpendOrder, StoredValueTerms
from services.points.domain.purchases import Stay
from services.points.domain.tenders import points_value, split_stored_value
from tests.unit.points.worlds import PLACE, TERMS, World, programme, purchase


def post(world: World, *amounts: int, **more: object) -> PostCheckout:
    bought = purchase(world.member_id, *amounts, **{"occurred_at": world.now, **more})  # type: ignore[arg-type]
    return PostCheckout(uuid4(), bought)


def top_up(world: World, amount: int, currency: str = "CNY") -> TopUpStoredValue:
    return TopUpStoredValue(world.member_id, uuid4(), PLACE, amount, currency)


def test_points_and_stored_value_may_pay_the_bill_to_the_fen_but_not_beyond() -> None:
    world = World()
    world.buy(100_000)
    world.do(top_up(world, 50_000))
    assert world.refusal(post(world, 600, points=500, stored=101)).reason == "TENDER_EXCEEDS_BILL"
    posted = world.buy(600, points=500, stored=100)
    assert (posted.to_pay_minor, posted.points_earned) == (0, 0)


def test_a_purchase_is_booked_only_with_what_is_expected_left_to_pay() -> None:
    world = World()
    world.buy(100_000)
    for expected in (0, 499, 501):
        other = replace(post(world, 600, points=100), expected_to_pay_minor=expected)
        refusal = world.refusal(other)
        assert (refusal.reason, refusal.metadata) == ("TO_PAY_DIFFERS", {"to_pay_minor": "500"})
        said = "500 is left to pay in money, another amount than expected; quote again"
        assert refusal.message == said
    poor = replace(post(world, 2_000, points=1_001), expected_to_pay_minor=1)
    assert world.refusal(poor).reason == "INSUFFICIENT_POINTS"
    fitting = replace(post(world, 600, points=100), expected_to_pay_minor=500)
    assert world.do(fitting).posted.to_pay_minor == 500
    free = replace(post(world, 100, points=100), expected_to_pay_minor=0)
    assert world.do(free).posted.to_pay_minor == 0


def test_fewer_points_than_the_minimum_or_more_than_the_share_are_refused() -> None:
    rules = Redemption(100, 200, ((Category.DINING, 5_000), (Category.SPA, 0)))
    world = World(programme(redemption=rules))
    world.buy(1_000_000)
    refusal = world.refusal(post(world, 10_000, points=199))
    assert (refusal.reason, refusal.metadata) == ("REDEMPTION_SHARE", {"minimum_points": "200"})
    assert refusal.message == "at least 200 points are redeemed at once"
    refusal = world.refusal(post(world, 601, 398, points=500))
    assert refusal.metadata == {"maximum_value_minor": "499"}
    assert world.buy(602, 398, points=500).points_value_minor == 500
    refusal = world.refusal(post(world, 999, points=200, category=Category.SPA))
    assert refusal.metadata == {"maximum_value_minor": "0"}
    assert refusal.message == "points may pay 0 of this bill at most"


def test_points_are_worth_whole_fen_or_the_way_out_is_named() -> None:
    assert points_value(250, Redemption(points_per_unit=250)) == 100
    world = World(programme(redemption=Redemption(points_per_unit=250, minimum_points=0)))
    world.buy(100_000)
    refusal = world.refusal(post(world, 10_000, points=101))
    assert refusal.reason == "INVALID_FIELD"
    assert refusal.fields[0].field == "purchase.redeem_points"
    assert refusal.fields[0].rule == "must be a multiple of 5 to be worth whole minor units"


@given(st.integers(0, 10**11), st.integers(0, 10**11), st.data())
def test_both_parts_of_stored_value_pay_what_they_have_and_together_all(
    cash: int, bonus: int, data: st.DataObject
) -> None:
    amount = data.draw(st.integers(0, cash + bonus))
    order = data.draw(st.sampled_from(SpendOrder))
    from_cash, from_bonus = split_stored_value(amount, cash, bonus, order)
    assert from_cash + from_bonus == amount
    assert 0 <= from_cash <= cash
    assert 0 <= from_bonus <= bonus
    if order is SpendOrder.CASH_FIRST:
        assert from_bonus == 0 or from_cash == cash
    if order is SpendOrder.BONUS_FIRST:
        assert from_cash == 0 or from_bonus == bonus


def test_the_odd_fen_of_a_proportional_payment_comes_from_cash() -> None:
    assert split_stored_value(1, 1_000, 100, SpendOrder.PROPORTIONAL) == (1, 0)
    assert split_stored_value(1_099, 1_000, 100, SpendOrder.PROPORTIONAL) == (1_000, 99)


def test_lots_are_spent_soonest_expiry_first_then_as_they_were_earned() -> None:
    world = World()
    world.buy(30_000)
    late = purchase(
        world.member_id,
        20_000,
        occurred_at=world.now - timedelta(days=200),
        stay=Stay(Channel.DIRECT, "", 1),
    )
    world.do(PostCheckout(uuid4(), late))
    world.buy(40_000)
    world.buy(600, points=600)
    spent = [(each.lot_number, each.amount) for each in world.entries[-1].postings]
    assert spent == [(2, -200), (1, -300), (3, -100)]


def test_a_gift_follows_the_highest_tier_reached_and_limits_count_it() -> None:
    world = World()
    assert world.do(top_up(world, 49_999)).bonus_added_minor == 0
    assert world.do(top_up(world, 50_000)).bonus_added_minor == 3_000
    assert world.do(top_up(world, 100_000)).bonus_added_minor == 10_000
    refusal = world.refusal(top_up(world, 500_001))
    assert (refusal.reason, refusal.metadata) == ("TOP_UP_LIMIT", {"limit_minor": "500000"})
    left = 500_000 - 212_999
    refusal = world.refusal(top_up(world, left - 9_999))
    assert refusal.reason == "BALANCE_LIMIT"
    assert refusal.metadata == {"limit_minor": "500000", "balance_minor": "212999"}
    assert world.do(top_up(world, left - 10_000)).balances.bonus_minor == 23_000


def test_limits_count_what_is_left_after_expiry() -> None:
    terms = StoredValueTerms((*TERMS.top_up_tiers,), 500_000, 120_000, SpendOrder.CASH_FIRST, 1)
    world = World(programme(terms=terms))
    world.do(top_up(world, 100_000))
    assert world.refusal(top_up(world, 20_000)).reason == "BALANCE_LIMIT"
    world.now += timedelta(days=60)
    assert world.do(top_up(world, 20_000)).balances.cash_minor == 120_000


def test_another_currency_is_refused_with_the_accounts_own() -> None:
    world = World()
    assert world.refusal(top_up(world, 100, "USD")).metadata == {"currency": "CNY"}


@pytest.mark.parametrize(
    ("step", "stay", "refused"),
    [
        (timedelta(minutes=5), None, False),
        (timedelta(minutes=5, microseconds=1), None, True),
        (timedelta(days=-400), None, False),
        (timedelta(days=-400, microseconds=-1), None, True),
        (timedelta(days=-4000), Stay(Channel.DIRECT, "", 1), False),
    ],
)
def test_a_purchase_lies_in_a_range_of_time_and_only_a_stay_further_back(
    step: timedelta, stay: Stay | None, refused: bool
) -> None:
    world = World()
    command = post(world, 10_000, occurred_at=world.now + step, stay=stay)
    if refused:
        assert world.refusal(command).reason == "OCCURRED_AT_OUT_OF_RANGE"
    else:
        assert world.do(command).posted.points_earned == 100


def test_before_any_programme_was_valid_nothing_is_booked() -> None:
    world = World()
    old = post(
        world, 100, occurred_at=world.now.replace(year=1999), stay=Stay(Channel.DIRECT, "", 1)
    )
    assert world.refusal(old).reason == "PROGRAMME_NOT_FOUND"


def test_what_merchants_fund_is_taken_back_from_what_they_funded() -> None:
    world, dinner = World(), uuid4()
    world.buy(20_000, tier="GOLD", checkout_id=dinner)
    earned = [(each.house, each.amount) for each in world.entries[-1].postings]
    assert earned == [(House.ISSUED, 200), (House.FUNDING, 100)]
    world.buy(250, points=250)
    world.do(ReverseCheckout(world.member_id, dinner, uuid4(), PLACE))
    taken = [(each.house, each.lot_number, each.amount) for each in world.entries[-1].postings]
    assert taken == [
        (House.DEBT, None, 250),
        (House.ISSUED, 1, -50),
        (House.ISSUED, None, -150),
        (House.FUNDING, None, -100),
    ]


def test_earned_points_that_have_expired_are_neither_taken_back_nor_owed() -> None:
    world, dinner = World(), uuid4()
    world.buy(30_000, checkout_id=dinner)
    world.buy(100, points=100)
    world.now += timedelta(days=800)
    answer = world.do(ReverseCheckout(world.member_id, dinner, uuid4(), PLACE))
    assert (answer.points_taken_back, answer.debt_recorded) == (0, 100)


def test_a_debt_that_takes_all_that_was_earned_leaves_an_exhausted_lot() -> None:
    world, dinner = World(), uuid4()
    world.buy(30_000, checkout_id=dinner)
    world.buy(300, points=300)
    world.do(ReverseCheckout(world.member_id, dinner, uuid4(), PLACE))
    posted = world.buy(10_000)
    assert (posted.debt_collected, posted.balances.points_debt) == (100, 200)
    assert posted.balances.next_expiry is None


def test_a_reversal_id_is_used_once() -> None:
    world, first, second, reversal = World(), uuid4(), uuid4(), uuid4()
    world.buy(10_000, checkout_id=first)
    world.buy(10_000, checkout_id=second)
    world.do(ReverseCheckout(world.member_id, first, reversal, PLACE))
    again = ReverseCheckout(world.member_id, second, reversal, PLACE)
    assert world.refusal(again).reason == "REVERSAL_EXISTS"


def test_a_top_up_id_is_used_once() -> None:
    world = World()
    command = top_up(world, 1_000)
    world.do(command)
    assert world.refusal(command).reason == "TOP_UP_EXISTS"


def test_a_fenced_checkout_is_not_found_by_a_reversal() -> None:
    world, checkout = World(), uuid4()
    world.do(CancelPost(world.member_id, checkout))
    command = ReverseCheckout(world.member_id, checkout, uuid4(), PLACE)
    assert world.refusal(command).reason == "CHECKOUT_NOT_FOUND"


def test_a_purchase_lies_at_most_5_minutes_ahead_and_only_stays_more_than_400_days_back() -> None:
    world, moment = World(), timedelta(microseconds=1)
    ahead, back = world.now + timedelta(minutes=5), world.now - timedelta(days=400)
    for occurred_at in (ahead, back):
        world.buy(100, occurred_at=occurred_at)
    refusal = world.refusal(post(world, 100, occurred_at=ahead + moment))
    assert refusal.reason == "OCCURRED_AT_OUT_OF_RANGE"
    assert refusal.fields[0].rule == "must lie at most 5 minutes ahead; set the clock"
    refusal = world.refusal(post(world, 100, occurred_at=back - moment))
    assert refusal.reason == "OCCURRED_AT_OUT_OF_RANGE"
    assert refusal.fields[0].rule == "only stays are booked after more than 400 days"
    stayed = Stay(Channel.DIRECT, "BAR", 2)
    world.buy(100, occurred_at=back - moment, stay=stayed, category=Category.ROOM)
    late = post(world, 100, occurred_at=ahead + moment, stay=stayed, category=Category.ROOM)
    assert world.refusal(late).reason == "OCCURRED_AT_OUT_OF_RANGE"
