"""Holds by their rules: what they pin, how they end, and what they keep others from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.assets import Asset, EntryKind, House
from services.points.domain.commands import (
    AuthorizeHold,
    CancelPost,
    CaptureHold,
    Command,
    PostCheckout,
    ReleaseHold,
    ReverseCheckout,
    SettleDue,
    TopUpStoredValue,
)
from services.points.domain.events import (
    CheckoutPosted,
    HoldAuthorized,
    HoldCaptured,
    HoldExpired,
    HoldReleased,
    ValueExpired,
)
from services.points.domain.holds import OPEN_HOLDS_MAX
from services.points.domain.ledger import balances_at
from services.points.domain.pins import Hold, HoldState, Parts, parts_to_capture
from services.points.domain.programme import SpendOrder, StoredValueTerms
from tests.unit.points.worlds import PLACE, TERMS, World, programme, purchase

QUARTER = timedelta(minutes=15)
TWO_YEARS = timedelta(days=760)
"""After it, points and gifts of the start have expired."""


def authorize(
    world: World,
    points: int = 0,
    stored: int = 0,
    hold_id: UUID | None = None,
    checkout_id: UUID | None = None,
    currency: str = "CNY",
) -> AuthorizeHold:
    timeout = None if checkout_id else QUARTER
    hold_id = hold_id or uuid4()
    return AuthorizeHold(
        world.member_id, hold_id, PLACE, currency, points, stored, timeout, checkout_id
    )


def capture(
    world: World, hold_id: UUID, points: int = 0, stored: int = 0, currency: str = "CNY"
) -> CaptureHold:
    return CaptureHold(world.member_id, hold_id, PLACE, currency, points, stored)


def hold(world: World, points: int = 0, stored: int = 0, checkout_id: UUID | None = None) -> UUID:
    answer = world.do(authorize(world, points, stored, checkout_id=checkout_id))
    hold_id: UUID = answer.hold_id
    return hold_id


def post(world: World, bill: int, hold_id: UUID | None = None, **more: Any) -> PostCheckout:
    checkout_id = more.pop("checkout_id", None) or uuid4()
    bought = purchase(world.member_id, bill, occurred_at=world.now, **more)
    return PostCheckout(checkout_id, bought, hold_id)


def top_up(world: World, amount: int) -> None:
    world.do(TopUpStoredValue(world.member_id, uuid4(), PLACE, amount, "CNY"))


def rich(points: int = 1_000, stored: int = 100_000) -> World:
    """A member with as many points, and with stored value and its gift."""
    world = World()
    world.buy(points * 100)
    if stored:
        top_up(world, stored)
    world.events.clear()
    return world


def free(world: World) -> tuple[int, ...]:
    return tuple(account.available(world.now) for account in world.member.accounts())


def test_what_is_held_stays_in_the_balance_but_nothing_else_can_spend_it() -> None:
    world = rich()
    answer = world.do(authorize(world, points=700, stored=55_000))
    assert answer.held == Parts(700, 50_000, 5_000)
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
        (SpendOrder.PROPORTIONAL, Parts(0, 10_001, 1_000)),
        (SpendOrder.CASH_FIRST, Parts(0, 11_001, 0)),
        (SpendOrder.BONUS_FIRST, Parts(0, 1_001, 10_000)),
    ],
)
def test_stored_value_is_divided_by_the_spend_order_of_the_authorisation(
    order: SpendOrder, parts: Parts
) -> None:
    world = World(programme(terms=StoredValueTerms(TERMS.top_up_tiers, 500_000, 500_000, order, 0)))
    top_up(world, 100_000)
    assert world.do(authorize(world, stored=11_001)).held == parts


def test_a_capture_takes_cash_and_bonus_as_the_hold_has_them_and_earns_nothing() -> None:
    world = rich()
    hold_id = hold(world, points=500, stored=22_000)
    answer = world.do(capture(world, hold_id, points=200, stored=11_005))
    assert answer.captured == Parts(200, 10_005, 1_000)
    assert answer.released == Parts(300, 9_995, 1_000)
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
    one = Hold(uuid4(), uuid4(), HoldState.OPEN, "CNY", Parts(0, cash, bonus))
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
    assert answer.released == Parts(600, 10_000, 1_000)
    first, released, rest = world.events[-3:]
    assert isinstance(first, ValueExpired)
    assert (first.points, first.bonus_minor) == (400, 9_000)
    assert isinstance(released, HoldReleased)
    assert (released.balances.points, released.balances.points_held) == (600, 0)
    assert isinstance(rest, ValueExpired)
    assert (rest.points, rest.bonus_minor) == (600, 1_000)
    assert rest.balances == answer.balances
    assert free(world) == (0, 100_000, 0)


def test_a_direct_hold_can_be_captured_until_its_timeout_and_not_at_it() -> None:
    world = rich()
    hold_id = hold(world, points=600)
    world.now += QUARTER - timedelta(microseconds=1)
    assert free(world)[0] == 400
    world.now += timedelta(microseconds=1)
    assert free(world)[0] == 1_000
    refusal = world.refusal(capture(world, hold_id, points=1))
    assert refusal.reason == "HOLD_EXPIRED"
    assert refusal.metadata["timeout_at"] == world.now.isoformat()
    assert world.refusal(ReleaseHold(world.member_id, hold_id)).reason == "HOLD_EXPIRED"
    assert world.refusal(post(world, 900, hold_id, points=100)).reason == "HOLD_EXPIRED"
    noticed = world.now = world.now + timedelta(days=1)
    posted = world.buy(10_000, points=1_000)
    assert posted.balances.points_held == 0
    expired, checkout = world.events[-2:]
    assert isinstance(expired, HoldExpired)
    assert (expired.timeout_at, expired.expired_at) == (noticed - timedelta(days=1), noticed)
    assert expired.balances.member_version + 1 == posted.balances.member_version
    assert isinstance(checkout, CheckoutPosted)
    assert world.refusal(capture(world, hold_id, points=1)).reason == "HOLD_EXPIRED"


def test_a_timeout_that_gives_back_to_an_expired_lot_lets_it_expire_with_the_rest() -> None:
    world = rich(stored=0)
    hold(world, points=600)
    world.now += TWO_YEARS
    assert free(world) == (0, 0, 0)
    world.do(SettleDue(world.member_id))
    expired, value = world.events[-2:]
    assert isinstance(expired, HoldExpired)
    assert expired.balances.points == 1_000
    assert isinstance(value, ValueExpired)
    assert value.points == 1_000


def test_the_limit_of_a_card_counts_what_is_held_and_not_what_a_timeout_lets_expire() -> None:
    terms = StoredValueTerms(TERMS.top_up_tiers, 500_000, 120_000, SpendOrder.BONUS_FIRST, 1)
    world = World(programme(terms=terms))
    top_up(world, 100_000)
    hold(world, stored=10_000)
    too_much = TopUpStoredValue(world.member_id, uuid4(), PLACE, 10_001, "CNY")
    assert world.refusal(too_much).metadata["balance_minor"] == "110000"
    world.now += timedelta(days=70)
    top_up(world, 20_000)
    assert free(world) == (0, 120_000, 0)


def test_a_checkouts_hold_never_times_out_and_fits_its_checkout_only() -> None:
    world = rich()
    checkout_id = uuid4()
    hold_id = hold(world, points=500, stored=22_000, checkout_id=checkout_id)
    world.now += timedelta(days=300)
    refusal = world.refusal(post(world, 50_000, hold_id, points=500))
    assert refusal.reason == "HOLD_OF_CHECKOUT"
    assert refusal.metadata["checkout_id"] == str(checkout_id)
    refusal = world.refusal(capture(world, hold_id, points=1))
    assert refusal.reason == "HOLD_OF_CHECKOUT"
    without = post(world, 50_000, points=100, checkout_id=checkout_id)
    assert world.refusal(without).reason == "CHECKOUT_HAS_HOLD"
    refusal = world.refusal(authorize(world, 1, checkout_id=checkout_id))
    assert (refusal.reason, refusal.metadata["hold_id"]) == ("CHECKOUT_HAS_HOLD", str(hold_id))
    wanted = {"points": 300, "stored": 11_000, "checkout_id": checkout_id}
    posted = world.do(post(world, 50_000, hold_id, **wanted)).posted
    assert (posted.points_redeemed, posted.cash_paid_minor, posted.bonus_paid_minor) == (
        300, 10_000, 1_000,
    )  # fmt: skip
    assert posted.points_earned == (50_000 - 300 - 1_000) // 100
    assert posted.balances.points_held == posted.balances.bonus_held_minor == 0
    assert len(world.entries[-1].postings) == 4
    assert free(world)[1:] == (90_000, 9_000)
    late = authorize(world, 1, checkout_id=checkout_id)
    assert world.refusal(late).reason == "CHECKOUT_EXISTS"


def test_a_purchase_spends_no_more_than_its_hold_has_though_the_account_has_more() -> None:
    world = rich()
    hold_id = hold(world, points=500, stored=10_000)
    for more in ({"points": 600}, {"stored": 10_001}):
        refusal = world.refusal(post(world, 50_000, hold_id, **more))
        assert refusal.reason == "CAPTURE_EXCEEDS_HOLD"
    assert world.refusal(post(world, 50_000, uuid4())).reason == "HOLD_NOT_FOUND"
    world.do(post(world, 50_000, hold_id))
    assert world.member.balances().points_held == 0
    assert world.refusal(post(world, 50_000, hold_id)).reason == "HOLD_CAPTURED"


def resolved(world: World, how: str) -> UUID:
    """A hold that has ended in this way."""
    hold_id = hold(world, points=100)
    if how == "CAPTURED":
        world.do(capture(world, hold_id, points=100))
    elif how == "RELEASED":
        world.do(ReleaseHold(world.member_id, hold_id))
    else:
        world.now += QUARTER
        world.do(SettleDue(world.member_id))
    return hold_id


@pytest.mark.parametrize("how", ["CAPTURED", "RELEASED", "EXPIRED"])
def test_a_hold_resolves_once_and_every_other_attempt_learns_how(how: str) -> None:
    world = rich()
    hold_id = resolved(world, how)
    attempts: list[Command] = [
        capture(world, hold_id, points=100),
        ReleaseHold(world.member_id, hold_id),
        post(world, 1_000, hold_id, points=100),
    ]
    for attempt in attempts:
        refusal = world.refusal(attempt)
        assert (refusal.reason, refusal.metadata["state"]) == (f"HOLD_{how}", how)
    again = "HOLD_RELEASED" if how == "RELEASED" else "HOLD_EXISTS"
    assert world.refusal(authorize(world, 1, hold_id=hold_id)).reason == again


def test_releasing_a_hold_never_seen_leaves_a_tombstone_for_the_late_authorisation() -> None:
    world = rich()
    hold_id = uuid4()
    answer = world.do(ReleaseHold(world.member_id, hold_id))
    assert (answer.released, answer.balances.member_version) == (Parts(), 2)
    assert not world.events
    assert world.refusal(authorize(world, 1, hold_id=hold_id)).reason == "HOLD_RELEASED"
    assert world.refusal(ReleaseHold(world.member_id, hold_id)).reason == "HOLD_RELEASED"
    assert world.refusal(capture(world, hold_id, points=1)).reason == "HOLD_RELEASED"


def test_cancelling_a_checkout_releases_its_hold_and_refuses_a_late_one() -> None:
    world = rich()
    checkout_id = uuid4()
    hold(world, points=600, checkout_id=checkout_id)
    assert world.do(CancelPost(world.member_id, checkout_id)).cancelled_at == world.now
    assert isinstance(world.events[-1], HoldReleased)
    assert world.events[-1].checkout_id == checkout_id
    assert free(world)[0] == 1_000
    late = authorize(world, 1, checkout_id=checkout_id)
    assert world.refusal(late).reason == "CHECKOUT_CANCELLED"


def test_holds_of_others_are_not_found_and_their_ids_are_taken() -> None:
    world = rich()
    hold_id = uuid4()
    world.books.holds[hold_id] = Hold(hold_id, uuid4(), HoldState.OPEN, "CNY", Parts(5), uuid4())
    attempts: list[Command] = [
        capture(world, hold_id, points=1),
        ReleaseHold(world.member_id, hold_id),
        post(world, 1_000, hold_id),
    ]
    for attempt in attempts:
        assert world.refusal(attempt).reason == "HOLD_NOT_FOUND"
    assert world.refusal(authorize(world, 1, hold_id=hold_id)).reason == "HOLD_EXISTS"


def test_a_direct_hold_takes_no_checkouts_id_and_a_capture_needs_its_own() -> None:
    world = rich()
    taken = uuid4()
    world.buy(1_000, checkout_id=taken)
    assert world.refusal(authorize(world, 1, hold_id=taken)).reason == "HOLD_EXISTS"
    hold_id = hold(world, points=1)
    world.buy(1_000, checkout_id=hold_id)
    assert world.refusal(capture(world, hold_id, points=1)).reason == "CHECKOUT_EXISTS"
    world.do(ReleaseHold(world.member_id, hold_id))


def test_a_member_has_a_bounded_number_of_open_holds_and_timed_out_ones_do_not_count() -> None:
    world = rich()
    for _ in range(OPEN_HOLDS_MAX):
        hold(world, points=1)
    refusal = world.refusal(authorize(world, 1))
    assert (refusal.reason, refusal.metadata) == ("TOO_MANY_HOLDS", {"limit": "100"})
    world.now += QUARTER
    hold(world, points=1)
    assert len(world.member.holds) == 1


def test_a_captured_hold_is_reversed_under_its_own_id_lot_by_lot() -> None:
    world = rich()
    hold_id = hold(world, points=500, stored=22_000)
    world.do(capture(world, hold_id, points=400, stored=11_000))
    reverse = ReverseCheckout(world.member_id, hold_id, uuid4(), PLACE)
    answer = world.do(reverse)
    assert (answer.points_restored, answer.points_taken_back) == (400, 0)
    assert (answer.cash_restored_minor, answer.bonus_restored_minor) == (10_000, 1_000)
    assert free(world) == (1_000, 100_000, 10_000)
    again = ReverseCheckout(world.member_id, hold_id, uuid4(), PLACE)
    assert world.refusal(again).reason == "ALREADY_REVERSED"


def test_a_reversal_takes_earned_points_back_from_what_is_free_and_leaves_pins_alone() -> None:
    world = rich(points=1_000, stored=0)
    checkout_id = uuid4()
    world.buy(20_000, checkout_id=checkout_id)
    hold_id = hold(world, points=1_150)
    answer = world.do(ReverseCheckout(world.member_id, checkout_id, uuid4(), PLACE))
    assert (answer.points_taken_back, answer.debt_recorded) == (50, 150)
    assert free(world)[0] == 0
    captured = world.do(capture(world, hold_id, points=1_150))
    assert captured.balances.points == 0


def test_reading_counts_a_timed_out_hold_as_released_and_posts_nothing() -> None:
    world = rich()
    hold(world, points=600)
    world.now += QUARTER
    version = world.member.version
    balances = balances_at(world.books, world.member_id, world.now)
    assert (balances.points, balances.points_held) == (1_000, 0)
    assert balances.member_version == version
