"""Reversals by part: exact to the fen, never beyond the original, in the end as one whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.points.domain.assets import Asset, Funder, House
from services.points.domain.commands import (
    CancelPost,
    PostCheckout,
    ReverseCheckout,
    TopUpStoredValue,
)
from services.points.domain.parts import Parts, Returned, returned_after
from services.points.domain.programme import (
    Clawback,
    EarningRule,
    Programme,
    Redemption,
    StackingClass,
)
from tests.unit.points.worlds import OUTLET_BASE, PLACE, World, programme, purchase

BONUS_RULE = EarningRule("WELCOME", StackingClass.ADD, 7, Funder.MERCHANT)
REFUSING = replace(programme(), clawback=Clawback.REFUSE)


def reverse(world: World, checkout: UUID, amount: int | None = None) -> ReverseCheckout:
    return ReverseCheckout(world.member_id, checkout, uuid4(), PLACE, amount)


def rich(world: World) -> World:
    """A member with points in three lots and stored value of both kinds in two."""
    for days in (0, 40, 40):
        world.now += timedelta(days=days)
        world.buy(100_000)
    for _ in range(2):
        world.do(TopUpStoredValue(world.member_id, uuid4(), PLACE, 50_000, "CNY"))
    return world


def dinner(world: World, bill: int, **tendered: int) -> UUID:
    checkout = uuid4()
    world.buy(bill, checkout_id=checkout, **tendered)
    return checkout


def lots(world: World) -> list[tuple[int, int, int]]:
    return [(lot.number, lot.remaining, lot.expired) for lot in world.member.lots.values()]


def parts(answer: Any) -> Parts:
    return Parts(
        answer.points_value_minor,
        answer.cash_restored_minor,
        answer.bonus_restored_minor,
        answer.money_minor,
    )


def test_each_part_follows_its_share_of_all_that_was_refunded() -> None:
    world = rich(World())
    checkout = dinner(world, 10_000, points=1_000, stored=3_000)
    assert world.entries[-1].postings[0].amount == -1_000
    first = world.do(reverse(world, checkout, 3_333))
    assert parts(first) == Parts(333, 944, 56, 2_000)
    assert (first.amount_minor, first.left_minor, first.whole) == (3_333, 6_667, False)
    second = world.do(reverse(world, checkout, 3_333))
    assert parts(second) == Parts(334, 943, 57, 1_999)
    last = world.do(reverse(world, checkout))
    assert parts(last) == Parts(333, 944, 56, 2_001)
    assert (last.amount_minor, last.left_minor, last.whole) == (3_334, 0, True)


def test_where_largest_remainder_would_take_a_fen_back_it_stays() -> None:
    paid = Returned(Parts(6, 6, 2), 6)
    ten = returned_after(paid, Returned(), 10)
    assert ten.parts == Parts(4, 4, 2)
    assert returned_after(paid, Returned(), 11).parts == Parts(5, 5, 1)
    assert returned_after(paid, ten, 1).parts == Parts(5, 4, 2)


amounts = st.integers(0, 10**6)


@given(st.tuples(amounts, amounts, amounts, amounts), st.data())
def test_no_part_goes_back_or_beyond_and_each_stays_within_a_fen_of_its_share(
    paid: tuple[int, int, int, int], data: st.DataObject
) -> None:
    whole = Returned(Parts(*paid), paid[0])
    bill, back = sum(paid), Returned()
    while left := bill - back.parts.amount_minor:
        amount = data.draw(st.integers(1, left) | st.just(left))
        after = returned_after(whole, back, amount)
        assert after.parts.amount_minor == back.parts.amount_minor + amount
        refunded = after.parts.amount_minor
        for was, now, most in zip(back.parts, after.parts, paid, strict=True):
            assert was <= now <= most
            assert abs(now * bill - refunded * most) < bill
        back = after
    assert back == whole or not bill


@settings(max_examples=2 * settings().max_examples)
@given(
    st.tuples(st.sampled_from([0, 100, 1_234, 2_345]), st.integers(0, 60_000), amounts),
    st.lists(st.integers(1, 999), max_size=6),
    st.booleans(),
)
def test_partial_reversals_up_to_the_bill_restore_what_one_whole_restores(
    bought: tuple[int, int, int], cuts: list[int], spends_all: bool
) -> None:
    rules = programme(OUTLET_BASE, BONUS_RULE)
    by_part, whole = World(rules), World(rules)
    points, stored, money = bought
    checkout = uuid4()
    bill = points + stored + money
    for world in (by_part, whole):
        rich(world)
        world.buy(bill, checkout_id=checkout, points=points, stored=stored)
        if spends_all:
            left = world.member.points.balance
            world.buy(left, points=left)
    once = whole.do(reverse(whole, checkout))
    steps = sorted({bill * cut // 1000 for cut in cuts} | {0, bill})
    done = [by_part.do(reverse(by_part, checkout, b - a)) for a, b in pairwise(steps)]
    if not bill:
        done = [by_part.do(reverse(by_part, checkout))]
    assert tuple(map(sum, zip(*map(parts, done), strict=True))) == parts(once)
    assert sum(each.points_restored for each in done) == once.points_restored == points
    assert [each.whole for each in done] == [False] * (len(done) - 1) + [True]
    assert by_rule(done) == by_rule([once])
    one, other = whole.member, by_part.member
    assert one.points.balance - one.points_debt == other.points.balance - other.points_debt
    assert (one.cash.balance, one.bonus.balance) == (other.cash.balance, other.bonus.balance)
    if not spends_all:
        assert lots(by_part) == lots(whole)
        assert one.points_debt == other.points_debt == 0


def by_rule(answers: list[Any]) -> dict[str, int]:
    taken: dict[str, int] = {}
    for answer in answers:
        for by in answer.taken_back_by:
            taken[by.rule] = taken.get(by.rule, 0) + by.points
        of_answer = sum(by.points for by in answer.taken_back_by)
        assert of_answer == answer.points_taken_back + answer.debt_recorded
    return taken


def test_of_several_lots_the_last_spent_is_restored_first() -> None:
    world = World()
    for days in (0, 40, 40):
        world.now += timedelta(days=days)
        world.buy(10_000)
    checkout = dinner(world, 250, points=250)
    assert [lot[1] for lot in lots(world)] == [0, 0, 50]
    smaller = World()
    for days in (0, 40, 40):
        smaller.now += timedelta(days=days)
        smaller.buy(10_000)
    dinner(smaller, 130, points=130)
    world.do(reverse(world, checkout, 120))
    assert lots(world) == lots(smaller)
    world.do(reverse(world, checkout, 100))
    assert [lot[1] for lot in lots(world)] == [70, 100, 100]
    world.do(reverse(world, checkout))
    assert [lot[1] for lot in lots(world)] == [100, 100, 100]


def test_points_worth_more_than_a_fen_come_back_whole_and_in_the_end_all() -> None:
    world = World(programme(redemption=Redemption(points_per_unit=40, minimum_points=0)))
    world.buy(100_000)
    checkout = dinner(world, 100, points=40)
    restored = [world.do(reverse(world, checkout, 1)).points_restored for _ in range(5)]
    assert restored == [0, 0, 1, 0, 1]
    assert world.do(reverse(world, checkout)).points_restored == 38


def test_earned_points_are_claimed_back_by_rule_and_funder_in_proportion() -> None:
    world = World()
    checkout = uuid4()
    world.buy(10_100, checkout_id=checkout, tier="GOLD")
    answer = world.do(reverse(world, checkout, 5_000))
    assert [(by.rule, by.points, by.funder) for by in answer.taken_back_by] == [
        ("BASE_OUTLETS", 49, Funder.ISSUER),
        ("TIER_GOLD", 25, Funder.MERCHANT),
    ]
    taken = [(each.house, each.amount) for each in world.entries[-1].postings]
    assert taken == [(House.ISSUED, -49), (House.FUNDING, -25)]
    answer = world.do(reverse(world, checkout))
    assert [by.points for by in answer.taken_back_by] == [52, 25]
    assert world.member.points.balance == 0


def test_what_expires_between_two_reversals_is_neither_taken_nor_owed() -> None:
    world = World()
    checkout = dinner(world, 10_000)
    assert world.do(reverse(world, checkout, 5_000)).points_taken_back == 50
    world.now += timedelta(days=800)
    answer = world.do(reverse(world, checkout))
    assert (answer.points_taken_back, answer.debt_recorded, answer.whole) == (0, 0, True)
    assert answer.taken_back_by == ()


def test_what_returns_to_an_expired_lot_expires_at_once_part_by_part() -> None:
    world = World()
    world.buy(100_000)
    checkout = dinner(world, 1_000, points=1_000)
    world.do(reverse(world, checkout, 400))
    world.now += timedelta(days=800)
    answer = world.do(reverse(world, checkout, 500))
    assert (answer.points_restored, answer.balances.points) == (500, 0)
    assert world.entries[-1].kind == "EXPIRY"
    assert [each.amount for each in world.entries[-1].postings] == [-500]
    assert lots(world) == [(1, 0, 900)]


def test_more_than_is_left_is_refused_with_what_is() -> None:
    world = World()
    checkout = dinner(world, 10_000)
    world.do(reverse(world, checkout, 4_000))
    refusal = world.refusal(reverse(world, checkout, 6_001))
    assert (refusal.reason, refusal.metadata) == (
        "REVERSAL_EXCEEDS_CHECKOUT",
        {"left_minor": "6000"},
    )
    world.do(reverse(world, checkout, 6_000))
    assert world.refusal(reverse(world, checkout, 1)).reason == "ALREADY_REVERSED"
    assert world.refusal(reverse(world, checkout)).reason == "ALREADY_REVERSED"


def test_a_bill_that_coupons_took_wholly_is_reversed_once_and_without_an_amount() -> None:
    world = World()
    checkout = dinner(world, 0)
    refusal = world.refusal(reverse(world, checkout, 1))
    assert refusal.metadata == {"left_minor": "0"}
    answer = world.do(reverse(world, checkout))
    assert (answer.whole, answer.amount_minor) == (True, 0)
    assert world.refusal(reverse(world, checkout)).reason == "ALREADY_REVERSED"


def test_a_reversal_id_is_used_once_also_for_parts() -> None:
    world = World()
    checkout = dinner(world, 10_000)
    command = reverse(world, checkout, 100)
    world.do(command)
    assert world.refusal(replace(command, amount_minor=200)).reason == "REVERSAL_EXISTS"


def test_a_checkout_of_which_a_part_is_reversed_is_settled_as_it_was_posted() -> None:
    world = World()
    checkout = dinner(world, 10_000)
    world.do(reverse(world, checkout, 100))
    assert world.do(CancelPost(world.member_id, checkout)).posted.posted.points_earned == 100


@pytest.mark.parametrize(
    ("rules", "reason"), [(REFUSING, "EARNED_POINTS_SPENT"), (programme(), None)]
)
def test_where_nobody_may_owe_points_spent_earnings_refuse_the_reversal(
    rules: Programme, reason: str | None
) -> None:
    world = World(rules)
    checkout = dinner(world, 30_000)
    world.buy(250, points=250)
    if reason is None:
        assert world.do(reverse(world, checkout)).debt_recorded == 250
        return
    refusal = world.refusal(reverse(world, checkout))
    assert (refusal.reason, refusal.metadata) == (reason, {"missing_points": "250"})
    assert world.do(reverse(world, checkout, 5_000)).points_taken_back == 50
    world.buy(25_000)
    assert world.do(reverse(world, checkout)).points_taken_back == 250
    assert world.member.points_debt == 0


def test_what_no_till_was_told_of_is_undone_and_owed_though_nobody_may_owe() -> None:
    world = World(REFUSING)
    checkout = dinner(world, 30_000)
    world.buy(250, points=250)
    undo = replace(reverse(world, checkout), untold=True)
    answer = world.do(undo)
    assert (answer.points_taken_back, answer.debt_recorded, answer.whole) == (50, 250, True)
    assert world.member.points_debt == 250
    assert world.refusal(undo).reason == "ALREADY_REVERSED"
    assert world.buy(30_000).debt_collected == 250
    assert world.member.points.balance == 50


def test_what_the_reversal_itself_restores_may_meet_its_claims() -> None:
    world = World(REFUSING)
    world.buy(20_000)
    checkout = dinner(world, 10_200, points=200)
    world.buy(100, points=100)
    answer = world.do(reverse(world, checkout))
    assert (answer.points_restored, answer.points_taken_back) == (200, 100)
    assert world.member.account(Asset.POINTS).balance == 100


def test_restored_points_that_expire_at_once_meet_no_claim() -> None:
    world = World(REFUSING)
    world.buy(20_000)
    world.now += timedelta(days=600)
    checkout = dinner(world, 10_200, points=200)
    world.buy(100, points=100)
    world.now += timedelta(days=200)
    refusal = world.refusal(reverse(world, checkout))
    assert refusal.metadata == {"missing_points": "100"}


def test_the_version_that_posted_the_checkout_decides_whether_points_may_be_owed() -> None:
    world = World(REFUSING)
    checkout = dinner(world, 30_000)
    world.buy(300, points=300)
    world.books.programmes.add(replace(programme(), version=2, valid_from=world.now))
    assert world.refusal(reverse(world, checkout)).reason == "EARNED_POINTS_SPENT"
    later = uuid4()
    bought = purchase(world.member_id, 30_000, occurred_at=world.now)
    world.do(PostCheckout(later, bought))
    world.buy(300, points=300)
    assert world.do(reverse(world, later)).debt_recorded == 300


def test_points_are_taken_back_from_their_own_lot_then_from_the_next_ends_then_owed() -> None:
    world, own = World(), uuid4()
    world.buy(20_000, checkout_id=own, tier="GOLD")  # 200 of the issuer's, 100 of the merchant's
    for points in (50, 70):
        world.now += timedelta(days=40)
        world.buy(points * 100)
    world.buy(200, points=200)
    answer = world.do(reverse(world, own))
    assert (answer.points_taken_back, answer.debt_recorded) == (220, 80)
    assert [(each.amount, each.house, each.lot_number) for each in world.entries[-1].postings] == [
        (80, House.DEBT, None),
        (-100, House.ISSUED, 1),
        (-50, House.ISSUED, 2),
        (-50, House.ISSUED, 3),
        (-20, House.FUNDING, 3),
        (-80, House.FUNDING, None),
    ]


def test_points_whose_end_has_come_are_gone_and_nobody_is_refused_for_them() -> None:
    world, own = World(REFUSING), uuid4()
    world.buy(20_000, checkout_id=own)
    world.now += timedelta(days=800)
    answer = world.do(reverse(world, own))
    assert (answer.points_taken_back, answer.debt_recorded, answer.whole) == (0, 0, True)
