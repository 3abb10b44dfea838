"""How holds end: once, by one of four ways, and what each gives back."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from services.points.domain.commands import (
    CancelPost,
    Command,
    ReleaseHold,
    ReverseCheckout,
    SettleDue,
    TopUpStoredValue,
    WarnExpiring,
)
from services.points.domain.events import (
    CheckoutPosted,
    HoldExpired,
    HoldReleased,
    PointsExpiring,
    ValueExpired,
)
from services.points.domain.holds import OPEN_HOLDS_MAX
from services.points.domain.ledger import balances_at
from services.points.domain.pins import Amounts, Hold, HoldState
from services.points.domain.programme import SpendOrder, StoredValueTerms
from tests.unit.points.holding import (
    QUARTER,
    TWO_YEARS,
    authorize,
    capture,
    free,
    hold,
    post,
    rich,
    top_up,
)
from tests.unit.points.worlds import PLACE, SHANGHAI, TERMS, World, programme


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
        assert refusal.metadata["hold_id"] == str(hold_id)
    again = "HOLD_RELEASED" if how == "RELEASED" else "HOLD_EXISTS"
    assert world.refusal(authorize(world, 1, hold_id=hold_id)).reason == again


def test_releasing_a_hold_never_seen_leaves_a_tombstone_for_the_late_authorisation() -> None:
    world = rich()
    hold_id = uuid4()
    answer = world.do(ReleaseHold(world.member_id, hold_id))
    assert (answer.released, answer.balances.member_version) == (Amounts(), 2)
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
    world.books.holds[hold_id] = Hold(hold_id, uuid4(), HoldState.OPEN, "CNY", Amounts(5), uuid4())
    attempts: list[Command] = [
        capture(world, hold_id, points=1),
        ReleaseHold(world.member_id, hold_id),
        post(world, 1_000, hold_id),
    ]
    for attempt in attempts:
        assert world.refusal(attempt).reason == "HOLD_NOT_FOUND"
    assert world.refusal(authorize(world, 1, hold_id=hold_id)).reason == "HOLD_EXISTS"


def test_a_purchase_is_not_kept_from_its_checkout_by_a_hold_of_another_member() -> None:
    world = rich()
    checkout_id, other = uuid4(), uuid4()
    theirs = Hold(other, uuid4(), HoldState.OPEN, "CNY", Amounts(5), checkout_id)
    world.books.holds[other] = world.books.checkout_holds[checkout_id] = theirs
    assert world.do(post(world, 1_000, checkout_id=checkout_id)).checkout_id == checkout_id


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


def test_a_captured_hold_is_reversed_by_part_its_bill_being_all_that_was_captured() -> None:
    world = rich()
    hold_id = hold(world, points=500, stored=22_000)
    world.do(capture(world, hold_id, points=400, stored=11_000))
    part = ReverseCheckout(world.member_id, hold_id, uuid4(), PLACE, 5_700)
    answer = world.do(part)
    assert (answer.points_restored, answer.left_minor) == (200, 5_700)
    assert (answer.cash_restored_minor, answer.bonus_restored_minor) == (5_000, 500)
    too_much = ReverseCheckout(world.member_id, hold_id, uuid4(), PLACE, 5_701)
    assert world.refusal(too_much).reason == "REVERSAL_EXCEEDS_CHECKOUT"


def test_members_are_warned_of_what_is_free_for_what_is_held_may_still_be_spent() -> None:
    world = rich(stored=0)
    hold(world, points=600, checkout_id=uuid4())
    last = world.member.balances().next_expiry
    assert last is not None
    world.now = last - timedelta(days=7)
    world.do(WarnExpiring(world.member_id, SHANGHAI))
    warning = world.events[-1]
    assert isinstance(warning, PointsExpiring)
    assert (warning.amount, warning.balances.points_held) == (400, 600)


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
