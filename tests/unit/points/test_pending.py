"""Pending points: beside the balance until they mature, gone without a trace by a reversal."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.assets import Asset, Category, Channel, EntryKind, Funder, House
from services.points.domain.books import Books
from services.points.domain.commands import (
    AuthorizeHold,
    CaptureHold,
    PostCheckout,
    ReverseCheckout,
    SettleDue,
)
from services.points.domain.events import HoldAuthorized, PointsMatured
from services.points.domain.ledger import balances_at, decide
from services.points.domain.programme import Clawback, Programmes
from services.points.domain.purchases import Stay
from services.points.domain.rules import Caps, Condition, EarningRule, Pending, StackingClass
from tests.unit.points.worlds import OUTLET_BASE, PLACE, START, World, programme, purchase

DAY = timedelta(days=1)
BASE_ROOM = EarningRule(
    "BASE_ROOM",
    StackingClass.BASE,
    1000,
    Funder.ISSUER,
    Condition(categories=frozenset({Category.ROOM})),
    pending=Pending(until_stay_ends=True),
)
GIFT = EarningRule("GIFT", StackingClass.ADD, 50, Funder.MERCHANT, pending=Pending(days=7))


def world(*rules: EarningRule) -> World:
    return World(programme(*(rules or (OUTLET_BASE, GIFT))))


def reverse(world: World, checkout_id: Any, amount: int | None = None) -> Any:
    return world.do(ReverseCheckout(world.member_id, checkout_id, uuid4(), PLACE, amount))


def copied(books: Books) -> Books:
    """Books to be thrown away; the programmes, which only grow, are shared by all."""
    return deepcopy(books, {id(books.programmes): books.programmes})


def check(world: World) -> None:
    """Balance = postings = open lots; what is pending is what is open of it; no version missing."""
    member = world.member
    posted = sum(each.amount for entry in world.entries for each in entry.postings)
    assert member.points.balance == posted == sum(lot.remaining for lot in member.lots.values())
    waiting = [each for each in member.pending.values() if each.open]
    assert member.points_pending == sum(each.left for each in waiting)
    assert member.next_maturing_at == min((each.matures_at for each in waiting), default=None)
    versions = [entry.version for entry in world.entries]
    told = sum(isinstance(event, HoldAuthorized) for event in world.events)  # without an entry
    assert versions == sorted(set(versions))
    assert len(versions) + told == member.version == len(world.events)


def test_pending_points_are_no_part_of_the_balance_until_they_mature_to_the_instant() -> None:
    hotel = world()
    posted = hotel.buy(10_000)
    assert (posted.points_earned, posted.points_pending) == (150, 50)
    assert [by.pending_until for by in posted.earned_by] == [None, START + 7 * DAY]
    assert (posted.balances.points, posted.balances.points_pending) == (100, 50)
    just_before = START + 7 * DAY - timedelta(microseconds=1)
    assert balances_at(copied(hotel.books), hotel.member_id, just_before).points == 100
    now = START + 7 * DAY
    balances = balances_at(copied(hotel.books), hotel.member_id, now)
    assert (balances.points, balances.points_pending) == (150, 0)
    hotel.now = now
    assert hotel.do(SettleDue(hotel.member_id)).points_matured == 50
    assert hotel.entries[-1].kind is EntryKind.MATURING
    assert [each.house for each in hotel.entries[-1].postings] == [House.FUNDING]
    event = hotel.events[-1]
    assert isinstance(event, PointsMatured)
    assert (event.points, event.balances.points, event.debt_collected) == (50, 150, 0)
    assert hotel.do(SettleDue(hotel.member_id)).points_matured == 0
    check(hotel)


def test_points_that_are_due_to_mature_can_be_spent_by_the_very_command() -> None:
    hotel = world()
    hotel.buy(10_000)
    refused = hotel.refusal(PostCheckout(uuid4(), purchase(hotel.member_id, 10_000, points=150)))
    assert refused.metadata == {"available": "100"}
    hotel.now = START + 7 * DAY
    spent = hotel.buy(150, points=150)
    assert spent.points_redeemed == 150
    check(hotel)


def test_points_wait_for_the_stays_end_where_it_is_known() -> None:
    hotel = world(BASE_ROOM)
    check_out = START + 3 * DAY
    for ends_at, waits_until in ((check_out, check_out), (None, None), (START - DAY, None)):
        stay = Stay(Channel.DIRECT, "BAR", 3, ends_at)
        posted = hotel.buy(10_000, category=Category.ROOM, stay=stay)
        assert [by.pending_until for by in posted.earned_by] == [waits_until]
    assert hotel.member.points_pending == 100
    check(hotel)


def test_a_late_booking_whose_wait_is_over_earns_at_once() -> None:
    hotel = world()
    posted = hotel.buy(10_000, occurred_at=START - 8 * DAY)
    assert posted.points_pending == 0
    assert posted.balances.points == 150


def test_a_reversal_cancels_what_is_pending_and_leaves_no_debt() -> None:
    hotel, dinner = world(), uuid4()
    hotel.buy(10_000, checkout_id=dinner)
    answer = reverse(hotel, dinner)
    assert (answer.points_taken_back, answer.debt_recorded, answer.pending_cancelled) == (
        100,
        0,
        50,
    )
    hotel.now = START + 8 * DAY
    assert hotel.do(SettleDue(hotel.member_id)).points_matured == 0
    assert hotel.member.points.balance == hotel.member.points_debt == 0
    check(hotel)


def test_after_maturing_a_reversal_takes_back_from_the_own_lots_and_records_the_rest_as_debt() -> (
    None
):
    hotel, dinner = world(), uuid4()
    hotel.buy(10_000, checkout_id=dinner)
    hotel.now = START + 7 * DAY
    hotel.buy(120, points=120)
    answer = reverse(hotel, dinner)
    assert (answer.points_taken_back, answer.debt_recorded, answer.pending_cancelled) == (
        30,
        120,
        0,
    )
    by_rule = {
        rule: sum(p.amount for e in hotel.entries for p in e.postings if p.rule == rule)
        for rule in ("BASE_OUTLETS", "GIFT")
    }
    assert by_rule == {"BASE_OUTLETS": 0, "GIFT": 0}
    check(hotel)


def test_parts_of_pending_points_are_cancelled_with_parts_of_the_bill() -> None:
    hotel, dinner = world(), uuid4()
    hotel.buy(10_000, checkout_id=dinner)
    first = reverse(hotel, dinner, 2_500)
    assert (first.points_taken_back, first.pending_cancelled) == (25, 12)
    assert [(by.rule, by.points) for by in first.taken_back_by] == [("BASE_OUTLETS", 25)]
    second = reverse(hotel, dinner, 2_500)
    assert (second.points_taken_back, second.pending_cancelled) == (25, 13)
    check(hotel)
    hotel.now = START + 7 * DAY
    assert hotel.do(SettleDue(hotel.member_id)).points_matured == 25
    last = reverse(hotel, dinner)
    assert (last.points_taken_back, last.pending_cancelled, last.whole) == (75, 0, True)
    assert hotel.member.points.balance == 0
    assert hotel.member.purchases == 0
    check(hotel)


def test_where_debts_are_refused_what_is_pending_can_still_be_cancelled() -> None:
    hotel, dinner = world(), uuid4()
    hotel.books.programmes = Programmes(
        [replace(programme(OUTLET_BASE, GIFT), clawback=Clawback.REFUSE)]
    )
    hotel.buy(10_000, checkout_id=dinner)
    assert reverse(hotel, dinner).pending_cancelled == 50
    hotel.buy(10_000, checkout_id=(supper := uuid4()))
    hotel.now += 7 * DAY
    hotel.buy(150, points=150)
    command = ReverseCheckout(hotel.member_id, supper, uuid4(), PLACE)
    assert hotel.refusal(command).reason == "EARNED_POINTS_SPENT"


def test_maturing_serves_an_open_debt_first() -> None:
    hotel, dinner = world(), uuid4()
    hotel.buy(2_000, checkout_id=dinner)
    hotel.buy(10_000)
    hotel.now += DAY
    hotel.buy(10_000, points=120)
    assert hotel.member.points.balance == 98
    hotel.member.points_debt = 30
    hotel.now = START + 7 * DAY
    hotel.do(SettleDue(hotel.member_id))
    matured = [event for event in hotel.events if isinstance(event, PointsMatured)]
    assert [(event.points, event.debt_collected) for event in matured] == [(50, 30), (50, 0)]
    assert hotel.member.points_debt == 0


def test_what_matured_late_and_has_expired_meanwhile_expires_at_once() -> None:
    hotel = world()
    hotel.buy(10_000)
    hotel.now = datetime(2028, 5, 1, tzinfo=UTC)
    refused = hotel.refusal(PostCheckout(uuid4(), _now(hotel, points=100)))
    assert refused.metadata == {"available": "0"}
    settled = hotel.do(SettleDue(hotel.member_id))
    assert (settled.points_matured, settled.points) == (50, 150)
    check(hotel)


def _now(hotel: World, points: int) -> Any:
    return purchase(hotel.member_id, 20_000, points=points, occurred_at=hotel.now)


def test_caps_count_what_is_pending_and_a_reversal_gives_it_back() -> None:
    capped = replace(GIFT, caps=Caps(per_member_day=70, per_member=90))
    hotel, dinner = world(OUTLET_BASE, capped), uuid4()
    assert hotel.buy(10_000, checkout_id=dinner).points_pending == 50
    assert hotel.buy(10_000).points_pending == 20
    reverse(hotel, dinner)
    assert hotel.buy(10_000).points_pending == 50
    hotel.now += DAY
    assert hotel.buy(10_000).points_pending == 20
    check(hotel)


def test_the_first_purchase_is_the_one_while_no_other_stands() -> None:
    welcome = EarningRule(
        "WELCOME", StackingClass.ADD, 500, Funder.ISSUER, Condition(first_purchase_only=True)
    )
    hotel, dinner = world(OUTLET_BASE, welcome), uuid4()
    assert hotel.buy(10_000, checkout_id=dinner).points_earned == 600
    assert hotel.buy(10_000).points_earned == 100
    other = world(OUTLET_BASE, welcome)
    assert other.buy(10_000, checkout_id=dinner).points_earned == 600
    reverse(other, dinner)
    assert other.buy(10_000, purchased_before=True).points_earned == 100
    again = world(OUTLET_BASE, welcome)
    again.buy(10_000, checkout_id=dinner)
    reverse(again, dinner)
    assert again.buy(10_000).points_earned == 600


def test_a_hold_may_pin_what_is_due_to_mature_and_a_capture_is_no_purchase() -> None:
    hotel, hold_id = world(), uuid4()
    hotel.buy(10_000)
    hotel.now = START + 7 * DAY
    held = AuthorizeHold(hotel.member_id, hold_id, PLACE, "CNY", 150, 0, DAY)
    assert hotel.do(held).balances.points_held == 150
    hotel.do(CaptureHold(hotel.member_id, hold_id, PLACE, "CNY", 150, 0))
    assert hotel.member.purchases == 1
    assert reverse(hotel, hold_id).points_restored == 150
    assert hotel.member.purchases == 1
    check(hotel)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from([0, 1, 3, 7, 31, 800])),
        st.tuples(st.just("buy"), st.integers(0, 30_000)),
        st.tuples(st.just("stay"), st.integers(0, 30_000)),
        st.tuples(st.just("spend"), st.integers(1, 1000)),
        st.tuples(st.just("reverse"), st.integers(0, 20)),
    ),
    min_size=5,
    max_size=25,
)


@given(steps)
def test_any_history_keeps_its_books_and_a_quote_is_what_a_post_does(history: Any) -> None:
    capped = replace(GIFT, caps=Caps(per_checkout=40, per_member_day=70, per_member=500))
    hotel = world(OUTLET_BASE, BASE_ROOM, capped)
    bought: list[Any] = []
    for kind, number in history:
        if kind == "wait":
            hotel.now += number * DAY
        elif kind == "reverse":
            if bought:
                at = number % len(bought)
                whole = reverse(hotel, bought[at], _part(hotel, bought[at], number)).whole
                bought = bought[:at] + bought[at + whole :]
        else:
            command = _command(hotel, kind, number)
            quoted = decide(copied(hotel.books), command, hotel.now).answer
            assert hotel.do(command) == quoted
            bought.append(command.checkout_id)
        assert hotel.member.points.balance >= 0
        counters = hotel.books.limits.given
        assert all(0 <= points <= 500 for points in counters.values())
        check(hotel)


def _part(hotel: World, checkout_id: Any, number: int) -> int | None:
    """A third of the bill, as long as there is more; else, and for odd numbers, the rest."""
    checkout = hotel.books.checkouts[checkout_id]
    assert checkout.answer is not None
    bill = checkout.answer.posted.to_pay_minor + checkout.answer.posted.points_value_minor
    left = bill - checkout.returned.parts.amount_minor
    return bill // 3 if number % 2 == 0 and 0 < bill // 3 < left else None


def _command(hotel: World, kind: str, number: int) -> PostCheckout:
    if kind == "stay":
        stay = Stay(Channel.DIRECT, "BAR", 2, hotel.now + 2 * DAY)
        made = purchase(
            hotel.member_id, number, category=Category.ROOM, stay=stay, occurred_at=hotel.now
        )
    else:
        has = hotel.member.points.available(hotel.now)
        points = has * number // 1000 if kind == "spend" else 0
        points = points if points >= 100 else 0
        amount = number if kind == "buy" else max(points, 100)
        made = purchase(hotel.member_id, amount, points=points, occurred_at=hotel.now)
    return PostCheckout(uuid4(), made)


def test_the_member_knows_its_account_of_points() -> None:
    assert world().member.account(Asset.POINTS).incoming is None


def test_what_matures_only_to_expire_is_gone_and_not_missed_by_a_reversal() -> None:
    hotel = World(replace(programme(OUTLET_BASE, GIFT, months=1), clawback=Clawback.REFUSE))
    dinner = uuid4()
    hotel.buy(10_000, checkout_id=dinner)
    hotel.buy(10_000, points=100)
    hotel.now += 120 * DAY
    refusal = hotel.refusal(ReverseCheckout(hotel.member_id, dinner, uuid4(), PLACE))
    assert (refusal.reason, refusal.metadata) == ("EARNED_POINTS_SPENT", {"missing_points": "100"})
