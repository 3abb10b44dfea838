"""Dry runs: what another programme would have given, rule by rule, from where caps stood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.commands import ReverseCheckout
from services.points.domain.dry_runs import (
    Example,
    RecordedCheckout,
    RecordedReversal,
    RuleTally,
    Tally,
    counters_to_load,
    largest_first,
    range_state,
    subject,
    try_member,
)
from services.points.domain.earning import EarnedBy
from services.points.domain.inquiry import RuleFault
from services.points.domain.limits import WHOLE_LIFE, Counter
from services.points.domain.programme import Programme
from services.points.domain.rules import Caps, EarningRule, Pending
from tests.unit.points.test_rules import rule
from tests.unit.points.worlds import PLACE, START, World, programme, purchase

MEMBER = UUID(int=7)
TODAY = date(2026, 3, 10)
BASE = rule("BASE", 1000, "BASE")
CAPPED = rule("CAPPED", 40, caps=Caps(per_member=100))
GIFT = rule("GIFT", 5)


def recorded(number: int, bill: int = 1_000, **more: Any) -> RecordedCheckout:
    """The member's checkout of that number, in the range, of version `number`; earned nothing."""
    facts = {name: more.pop(name) for name in ("occurred_at", "tier") if name in more}
    bought = purchase(MEMBER, bill, **facts) if bill else purchase(MEMBER, 0, **facts)
    checkout = RecordedCheckout(
        UUID(int=number), number, bought.occurred_at, (), True, False, bought, False, 0, {}
    )
    return replace(checkout, **more)


def tried(
    rules: Sequence[EarningRule],
    *checkouts: RecordedCheckout,
    given_by_now: dict[Counter, int] | None = None,
) -> Tally:
    tally = Tally()
    try_member(programme(*rules), checkouts, given_by_now or {}, tally)
    return tally


def points_tried(tally: Tally, code: str) -> int:
    return tally.rules[code].points_tried if code in tally.rules else 0


def life(code: str, points: int) -> dict[Counter, int]:
    return {Counter(MEMBER, code, WHOLE_LIFE): points}


# What is counted


def test_what_a_programme_would_have_given_is_told_beside_what_was_given() -> None:
    tally = tried(
        [BASE, GIFT],
        recorded(1, 1_000, earned={"BASE": 10, "GIFT": 5}),
        recorded(2, 2_000, earned={"BASE": 40, "OLD": 3}),
        recorded(3, 100, earned={"BASE": 1, "GIFT": 5}),
    )
    assert (tally.checkouts, tally.checkouts_changed) == (3, 1)
    assert (tally.points_recorded, tally.points_tried) == (15 + 43 + 6, 15 + 25 + 6)
    assert tally.rules == {
        "BASE": RuleTally(3, 3, 51, 31, 0),
        "GIFT": RuleTally(2, 3, 10, 15, 0),
        "OLD": RuleTally(1, 0, 3, 0, 0),
    }
    assert tally.examples == [Example(18, UUID(int=2), MEMBER, 43, 25)]


def test_a_checkout_with_the_same_sum_by_other_rules_has_changed() -> None:
    tally = tried([BASE], recorded(1, 1_000, earned={"OLD": 10}))
    assert (tally.checkouts, tally.checkouts_changed) == (1, 1)
    assert tally.examples == [Example(0, UUID(int=1), MEMBER, 10, 10)]


def test_what_points_and_bonus_paid_earns_nothing_and_who_comes_first_is_kept() -> None:
    welcome = rule("WELCOME", 100, first_purchase_only=True)
    tally = tried(
        [BASE, welcome],
        recorded(1, 1_000, not_earning_minor=400, first_purchase=True),
        recorded(2, 1_000, not_earning_minor=1_000),
    )
    assert tally.rules == {"BASE": RuleTally(0, 1, 0, 6), "WELCOME": RuleTally(0, 1, 0, 100)}


def test_a_condition_that_fails_is_counted_for_each_purchase_it_failed_on() -> None:
    broken = rule("BROKEN", 5, expression="bill_minor / nights > 1")
    tally = tried([BASE, broken], recorded(1, 100), recorded(2, 100))
    assert tally.rules == {"BASE": RuleTally(0, 2, 0, 2), "BROKEN": RuleTally(faults=2)}


def test_the_ten_largest_differences_are_kept_the_largest_first() -> None:
    tally = Tally()
    for number in (3, 9, 12, 1, 7, 2, 11, 5, 10, 4, 8, 6):
        points = number if number % 2 else -number
        checkout = recorded(number, earned={"OLD": 100})
        tally.add(checkout, [EarnedBy("NEW", 100 + points, 0, GIFT.funder)], [])
    assert tally.checkouts_changed == 12
    assert [each.size for each in largest_first(tally)] == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]
    assert largest_first(tally)[:2] == [
        Example(12, UUID(int=12), MEMBER, 100, 88),
        Example(11, UUID(int=11), MEMBER, 100, 111),
    ]


def test_of_equal_differences_the_later_ids_are_shown() -> None:
    tally = Tally()
    for number in range(20, 0, -1):
        tally.add(recorded(number, earned={"OLD": 1}), [], [RuleFault("BROKEN", "")])
    assert [each.checkout_id.int for each in largest_first(tally)] == list(range(20, 10, -1))
    assert tally.rules == {"OLD": RuleTally(20, 0, 20), "BROKEN": RuleTally(faults=20)}


# What is tried


def test_a_trial_leaves_budgets_out_and_validity_only_if_asked_to() -> None:
    campaign = rule(
        "CAMPAIGN", 5, budget_points=9, valid_from=START, valid_until=START + timedelta(days=1)
    )
    as_it_is = subject(programme(BASE, campaign), ignore_rule_validity=False)
    assert as_it_is == programme(BASE, replace(campaign, budget_points=0))
    always = subject(programme(BASE, campaign), ignore_rule_validity=True)
    assert always == programme(BASE, rule("CAMPAIGN", 5))


def test_only_purchases_of_the_range_are_tried() -> None:
    tally = tried(
        [GIFT],
        recorded(1, in_range=False, before_range=True, earned={"GIFT": 5}),
        recorded(2, earned={"GIFT": 5}),
        recorded(3, in_range=False, earned={"GIFT": 5}),
    )
    assert (tally.checkouts, tally.points_recorded, tally.points_tried) == (1, 5, 5)


@pytest.mark.parametrize(
    ("hours", "state"),
    [(-1, (False, True)), (0, (True, False)), (1, (True, False)), (2, (False, False))],
)
def test_a_range_begins_with_its_first_instant_and_ends_before_its_last(
    hours: int, state: tuple[bool, bool]
) -> None:
    posted_at = START + timedelta(hours=hours)
    assert range_state(posted_at, START, START + timedelta(hours=2)) == state


def test_the_counters_are_those_of_the_capped_rules_on_the_propertys_days() -> None:
    daily = rule("DAILY", 5, caps=Caps(per_member_day=9, per_member=90))
    night = datetime(2026, 3, 10, 16, tzinfo=UTC)
    checkouts = [recorded(1), recorded(2, occurred_at=night), recorded(3, occurred_at=night)]
    assert counters_to_load(programme(BASE, CAPPED, daily).rules, checkouts) == {
        Counter(MEMBER, "CAPPED", "LIFE"),
        Counter(MEMBER, "DAILY", "LIFE"),
        Counter(MEMBER, "DAILY", "2026-03-10"),
        Counter(MEMBER, "DAILY", "2026-03-11"),
    }
    assert [each.day.day for each in checkouts] == [10, 11, 11]


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
