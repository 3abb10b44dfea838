"""Dry runs: caps stand where they stood, and the version in force makes no difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.commands import ReverseCheckout
from services.points.domain.dry_runs import (
    Attempt,
    RecordedCheckout,
    RecordedReversal,
    RuleTally,
    Tally,
    rewind,
    try_member,
)
from services.points.domain.limits import Budget, Counter, Limits
from services.points.domain.programme import Programme
from services.points.domain.rules import Caps, Pending, RuleBook
from tests.unit.points.rulebooks import rule
from tests.unit.points.trials import (
    CAPPED,
    GIFT,
    MEMBER,
    TODAY,
    life,
    points_tried,
    recorded,
    tried,
)
from tests.unit.points.worlds import PLACE, START, World, programme, purchase

# Where caps stood


def test_a_cap_that_was_served_before_the_range_leaves_its_rest() -> None:
    checkouts = [recorded(5, earned={"CAPPED": 40}), recorded(6, earned={"CAPPED": 20})]
    tally = tried([CAPPED], *checkouts, given_by_now=life("CAPPED", 100))
    assert (tally.checkouts_changed, points_tried(tally, "CAPPED")) == (0, 60)


def test_what_was_given_after_the_range_is_not_missing_in_it() -> None:
    after = recorded(7, in_range=False, earned={"CAPPED": 30})
    tally = tried(
        [CAPPED], recorded(6, earned={"CAPPED": 40}), after, given_by_now=life("CAPPED", 100)
    )
    assert points_tried(tally, "CAPPED") == 40
    tally = tried([CAPPED], recorded(6, earned={"CAPPED": 10}), given_by_now=life("CAPPED", 100))
    assert points_tried(tally, "CAPPED") == 10


def test_a_reversal_in_the_range_gives_back_to_the_cap_from_then_on() -> None:
    undone = RecordedReversal(3, 1_000, before_range=False)
    before = recorded(
        1, in_range=False, before_range=True, reversals=(undone,), earned={"CAPPED": 40}
    )
    checkouts = [
        before,
        recorded(2, earned={"CAPPED": 10}),
        recorded(4, earned={"CAPPED": 40}),
    ]
    # 90 had been given when the range began, and then 10; 40 came back, and were given again.
    tally = tried([CAPPED], *checkouts, given_by_now=life("CAPPED", 100))
    assert tally.checkouts_changed == 0
    assert points_tried(tally, "CAPPED") == 50


def test_a_reversal_before_the_range_was_counted_then() -> None:
    undone = RecordedReversal(2, 1_000, before_range=True)
    before = recorded(
        1, in_range=False, before_range=True, reversals=(undone,), earned={"CAPPED": 40}
    )
    tally = tried(
        [CAPPED], before, recorded(3, earned={"CAPPED": 40}), given_by_now=life("CAPPED", 100)
    )
    assert (tally.checkouts_changed, points_tried(tally, "CAPPED")) == (0, 40)
    tally = tried(
        [CAPPED], before, recorded(3, earned={"CAPPED": 0}), given_by_now=life("CAPPED", 101)
    )
    assert points_tried(tally, "CAPPED") == 0


def test_a_reversal_of_a_purchase_tried_gives_back_what_the_trial_gave() -> None:
    undone = RecordedReversal(2, 1_000, before_range=False)
    tally = tried(
        [CAPPED],
        recorded(1, reversals=(undone,), earned={"OLD": 3}),
        recorded(3),
        recorded(4),
        recorded(5),
    )
    # 40, given back; then 40, 40 and the last 20.
    assert points_tried(tally, "CAPPED") == 40 + 40 + 40 + 20


def test_a_reversal_of_what_came_after_the_range_gives_nothing_back_in_it() -> None:
    undone = RecordedReversal(3, 1_000, before_range=False)
    after = recorded(2, in_range=False, reversals=(undone,), earned={"CAPPED": 40})
    tally = tried([CAPPED], after, recorded(4, earned={"CAPPED": 40}), recorded(5), recorded(6))
    assert points_tried(tally, "CAPPED") == 100


@pytest.mark.parametrize(
    ("refunded", "taken_back"),
    [
        # 40 points of a bill of 1000: floor(40 x refunded / 1000) in all after each reversal.
        ((250, 500), [10, 10]),
        ((99, 124, 1_000), [3, 1, 36]),
        ((24, 1_000), [0, 40]),
    ],
)
def test_refunds_by_part_give_back_their_share_of_what_was_given(
    refunded: tuple[int, ...], taken_back: list[int]
) -> None:
    for count in range(len(refunded) + 1):
        undone = [RecordedReversal(2 + at, refunded[at], before_range=False) for at in range(count)]
        first = recorded(1, reversals=tuple(undone))
        later = [recorded(10 + at) for at in range(4)]
        tally = tried([rule("CAPPED", 40, caps=Caps(per_member=80))], first, *later)
        assert points_tried(tally, "CAPPED") == 80 + sum(taken_back[:count])


def test_parts_of_several_rules_are_given_back_by_largest_remainder() -> None:
    rules = [
        rule("A", 3, caps=Caps(per_member=3)),
        rule("B", 5, caps=Caps(per_member=5)),
        rule("C", 2, caps=Caps(per_member=2)),
    ]
    # Half of 3, 5 and 2 is 5 in all: exactly 1.5, 2.5 and 1, the odd one to the earlier code.
    undone = RecordedReversal(2, 500, before_range=False)
    tally = tried(rules, recorded(1, reversals=(undone,)), recorded(3))
    assert {code: each.points_tried for code, each in tally.rules.items()} == {
        "A": 3 + 2,
        "B": 5 + 2,
        "C": 2 + 1,
    }
    # The rest follows, whatever the first part was.
    rest = (undone, RecordedReversal(4, 1_000, before_range=False))
    tally = tried(rules, recorded(1, reversals=rest), recorded(3), recorded(5))
    assert {code: each.points_tried for code, each in tally.rules.items()} == {
        "A": 3 + 2 + 1,
        "B": 5 + 2 + 3,
        "C": 2 + 1 + 1,
    }


@pytest.mark.parametrize(
    ("waits", "given_back"),
    [({}, {"Z": 2, "M": 2, "A": 1}), ({"Z": 9}, {"Z": 1, "M": 2, "A": 2})],
)
def test_of_equal_remainders_the_rule_that_gave_first_gives_back_first_and_what_waits_last(
    waits: dict[str, int], given_back: dict[str, int]
) -> None:
    rules = [
        replace(rule(code, 3, caps=Caps(per_member=3)), pending=Pending(waits.get(code, 0)))
        for code in ("Z", "M", "A")
    ]
    # 600 of 1000 of 9 points in all are 5: of each rule 1 2/3, and the odd ones are two.
    undone = RecordedReversal(2, 600, before_range=False)
    tally = tried(rules, recorded(1, reversals=(undone,)), recorded(3))
    given = {code: each.points_tried - 3 for code, each in tally.rules.items()}
    assert given == given_back


def test_points_that_had_waited_long_enough_when_they_were_posted_give_back_in_their_turn() -> None:
    waiting = replace(rule("Z", 3, caps=Caps(per_member=3)), pending=Pending(9))
    rules = [waiting, rule("A", 3, caps=Caps(per_member=3))]
    undone = RecordedReversal(2, 500, before_range=False)
    for late, given_back in ((8, {"Z": 1, "A": 2}), (9, {"Z": 2, "A": 1})):
        posted_at = START + timedelta(days=late)
        first = recorded(1, reversals=(undone,), posted_at=posted_at)
        tally = tried(rules, first, recorded(3))
        given = {code: each.points_tried - 3 for code, each in tally.rules.items()}
        assert given == given_back


def test_a_purchase_of_nothing_gives_back_all_at_once() -> None:
    undone = RecordedReversal(2, 0, before_range=False)
    before = recorded(
        1, 0, in_range=False, before_range=True, reversals=(undone,), earned={"CAPPED": 40}
    )
    tally = tried([CAPPED], before, recorded(3), recorded(4), recorded(5), recorded(6))
    assert points_tried(tally, "CAPPED") == 100


def test_points_of_rules_without_caps_are_given_back_to_no_counter() -> None:
    undone = RecordedReversal(2, 1_000, before_range=False)
    tally = tried([GIFT], recorded(1, reversals=(undone,), earned={"CAPPED": 40}), recorded(3))
    assert tally.rules["GIFT"] == RuleTally(0, 2, 0, 10)
    with_cap = tried([CAPPED, GIFT], recorded(1, reversals=(undone,)), recorded(3), recorded(4))
    assert with_cap.rules == {"CAPPED": RuleTally(0, 3, 0, 120), "GIFT": RuleTally(0, 3, 0, 15)}


def test_a_day_has_counters_of_its_own() -> None:
    daily = rule("DAILY", 30, caps=Caps(per_member_day=50))
    tomorrow = START + timedelta(days=1)
    tally = tried([daily], recorded(1), recorded(2), recorded(3), recorded(4, occurred_at=tomorrow))
    assert points_tried(tally, "DAILY") == 50 + 30
    stood = {Counter(MEMBER, "DAILY", TODAY.isoformat()): 45}
    tally = tried([daily], recorded(1), recorded(4, occurred_at=tomorrow), given_by_now=stood)
    assert points_tried(tally, "DAILY") == 5 + 30


# Budgets, which members share

BUDGETED = rule("BUDGETED", 40, budget_points=100)


def test_a_budget_is_served_by_who_comes_first_whoever_it_is() -> None:
    limits, tally = Limits(budgets={"BUDGETED": Budget(100, 0)}), Tally()
    attempt = Attempt(RuleBook([BUDGETED]), limits, tally)
    mine, theirs, last = recorded(1), recorded(2, member_id=UUID(int=8)), recorded(3)
    for each in (mine, theirs, last):
        attempt.post(each)
    assert tally.points_tried == 40 + 40 + 20
    assert limits.budgets == {"BUDGETED": Budget(100, 100)}
    attempt.post(recorded(4, in_range=False))
    attempt.post(recorded(5))
    assert (tally.checkouts, tally.points_tried) == (4, 100)


def test_a_reversal_gives_back_to_the_budget_what_the_trial_gave_or_what_was_given_before() -> None:
    undone = RecordedReversal(9, 500, before_range=False)
    tried_one = recorded(1, reversals=(undone,), earned={"BUDGETED": 7})
    before = recorded(
        2, in_range=False, before_range=True, reversals=(undone,), earned={"BUDGETED": 30}
    )
    after = recorded(3, in_range=False, reversals=(undone,), earned={"BUDGETED": 30})
    limits = Limits(budgets={"BUDGETED": Budget(100, 60)})
    attempt = Attempt(RuleBook([BUDGETED]), limits, Tally())
    attempt.post(tried_one)
    assert limits.budgets["BUDGETED"].given_points == 100
    for checkout, stands in ((tried_one, 80), (before, 65), (after, 65)):
        attempt.reverse(checkout, undone)
        assert limits.budgets["BUDGETED"].given_points == stands
    earlier = undone._replace(before_range=True)
    attempt.reverse(replace(before, reversals=(earlier,)), earlier)
    assert limits.budgets["BUDGETED"].given_points == 65


def test_counters_and_budgets_are_taken_back_to_where_the_range_began() -> None:
    both = rule("BOTH", 40, caps=Caps(per_member=300), budget_points=500)
    undone = RecordedReversal(9, 250, before_range=False)
    known_before = RecordedReversal(1, 250, before_range=True)
    checkouts = [
        recorded(
            0, in_range=False, before_range=True, reversals=(known_before,), earned={"BOTH": 40}
        ),
        recorded(1, in_range=False, before_range=True, reversals=(undone,), earned={"BOTH": 40}),
        recorded(2, earned={"BOTH": 30, "OLD": 5}),
        recorded(3, in_range=False, earned={"BOTH": 20}),
    ]
    limits = Limits(life("BOTH", 200), {"BOTH": Budget(500, 400)})
    rewind(RuleBook([both, GIFT]), checkouts, limits)
    assert limits.given == life("BOTH", 200 - 50 + 10)
    assert limits.budgets == {"BOTH": Budget(500, 400 - 50 + 10)}


# The version in force makes no difference

steps = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.integers(1, 900)),
        st.tuples(st.just("refund"), st.integers(0, 99)),
    ),
    min_size=2,
    max_size=12,
)


def lived_through(
    rules: Programme, drawn: Sequence[tuple[str, int]]
) -> tuple[World, list[RecordedCheckout]]:
    """A member's history as it was recorded; each step is an hour later than the one before."""
    world, refunded, bills = World(rules), dict[UUID, int](), dict[UUID, int]()
    checkouts: dict[UUID, RecordedCheckout] = {}
    for at, (what, number) in enumerate(drawn):
        world.now = START + timedelta(hours=at)
        if what == "buy":
            checkout_id = UUID(int=at + 1)
            posted = world.buy(number, checkout_id=checkout_id)
            bought = purchase(world.member_id, number, occurred_at=world.now)
            as_claimed = sorted(posted.earned_by, key=lambda by: by.pending_until is not None)
            earned = {by.rule: by.points for by in as_claimed}
            version = world.member.version
            checkouts[checkout_id] = RecordedCheckout(
                checkout_id, version, world.now, (), True, False, bought, False, 0, earned
            )
            bills[checkout_id] = number
        elif open_ones := [each for each, bill in bills.items() if refunded.get(each, 0) < bill]:
            checkout_id = open_ones[number % len(open_ones)]
            left = bills[checkout_id] - refunded.get(checkout_id, 0)
            amount = max(1, left * number // 99)
            world.do(
                ReverseCheckout(world.member_id, checkout_id, UUID(int=1000 + at), PLACE, amount)
            )
            refunded[checkout_id] = refunded.get(checkout_id, 0) + amount
            undone = RecordedReversal(
                world.member.version, refunded[checkout_id], before_range=False
            )
            known = checkouts[checkout_id]
            checkouts[checkout_id] = replace(known, reversals=(*known.reversals, undone))
    return world, list(checkouts.values())


def since(version: int, checkouts: Sequence[RecordedCheckout]) -> list[RecordedCheckout]:
    """The checkouts as they are recorded for a range that begins with entry `version`."""
    return [
        replace(
            each,
            in_range=each.version >= version,
            before_range=each.version < version,
            reversals=tuple(
                undone._replace(before_range=undone.version < version) for undone in each.reversals
            ),
        )
        for each in checkouts
    ]


@given(steps, st.integers(1, 12))
def test_the_version_in_force_makes_no_difference_wherever_the_range_begins(
    drawn: list[tuple[str, int]], begins: int
) -> None:
    in_force = programme(
        rule("BASE", 3_000, "BASE", Caps(per_member_day=60)),
        rule("DOUBLE", 2_000, "BEST_OF", Caps(per_member=45)),
        rule("CAPPED", 7, caps=Caps(per_member_day=30, per_member=40)),
        replace(GIFT, pending=Pending(9)),
        rule("AFTER", 5, caps=Caps(per_member_day=20)),
    )
    world, checkouts = lived_through(in_force, drawn)
    tally = Tally()
    try_member(in_force, since(begins, checkouts), world.books.limits.given, tally)
    assert tally.checkouts == sum(each.version >= begins for each in checkouts)
    assert (tally.checkouts_changed, tally.examples) == (0, [])
    assert tally.points_recorded == tally.points_tried
    for each in tally.rules.values():
        assert each.points_recorded == each.points_tried
        assert each.checkouts_recorded == each.checkouts_tried
