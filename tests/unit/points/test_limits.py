"""Caps and budgets: what is left of them, what is counted, and what is given back."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from services.points.domain.limits import WHOLE_LIFE, Budget, Counter, Limits, counters_of
from services.points.domain.rules import Caps, RuleBook
from tests.unit.points.rulebooks import rule
from tests.unit.points.worlds import START

ME, OTHER = UUID(int=1), UUID(int=2)
TODAY = START.date()
DAY, LIFE = Counter(ME, "R", "2026-03-10"), Counter(ME, "R", WHOLE_LIFE)


@pytest.mark.parametrize(
    ("caps", "budget_points", "given", "left"),
    [
        (Caps(per_checkout=7), 0, {}, 7),
        (Caps(per_member_day=9), 0, {DAY: 4}, 5),
        (Caps(per_member=90), 0, {LIFE: 89, DAY: 89}, 1),
        (Caps(7, 9, 90), 0, {DAY: 4, LIFE: 87}, 3),
        (Caps(2, 9, 90), 0, {DAY: 4, LIFE: 87}, 2),
        (Caps(per_member_day=9), 0, {DAY: 11}, 0),
        (Caps(per_member_day=9), 0, {DAY._replace(member_id=OTHER): 9}, 9),
        (Caps(per_member_day=9), 0, {DAY._replace(period="2026-03-09"): 9}, 9),
        (Caps(), 100, {}, 40),
        (Caps(), 70, {}, 10),
        (Caps(), 1_000, {}, 40),
        (Caps(per_checkout=5), 100, {}, 5),
    ],
)
def test_a_rule_gives_what_the_nearest_of_its_bounds_leaves(
    caps: Caps, budget_points: int, given: dict[Counter, int], left: int
) -> None:
    limits = Limits(dict(given), {"R": Budget(100, 60)})
    limited = rule("R", 5, caps=caps, budget_points=budget_points)
    assert limits.room(limited, ME, TODAY) == left
    assert limits.given == given


def test_a_budget_without_its_row_has_nothing_and_counts_nothing() -> None:
    budgeted, limits = rule("R", 5, budget_points=100), Limits()
    assert limits.room(budgeted, ME, TODAY) == 0
    limits.take(budgeted, ME, TODAY, 5)
    assert limits == Limits()


def test_what_is_given_is_counted_wherever_the_rule_is_bounded() -> None:
    limits = Limits({DAY: 1}, {"R": Budget(100, 60)})
    bounded = rule("R", 5, caps=Caps(per_member_day=9, per_member=90), budget_points=100)
    limits.take(bounded, ME, TODAY, 5)
    assert limits == Limits({DAY: 6, LIFE: 5}, {"R": Budget(100, 65)}, {DAY, LIFE}, {"R"})
    limits.take(bounded, ME, TODAY, -5)
    assert limits.given == {DAY: 1, LIFE: 0}
    assert limits.budgets == {"R": Budget(100, 60)}
    limits.take(bounded, ME, TODAY, -61)
    assert limits.given == {DAY: 0, LIFE: 0}
    assert limits.budgets == {"R": Budget(100, 0)}


def test_a_rule_that_has_no_budget_any_more_leaves_its_old_one_alone() -> None:
    limits = Limits({}, {"R": Budget(100, 60)})
    limits.take(rule("R", 5, caps=Caps(per_member=90)), ME, TODAY, 5)
    assert limits == Limits({LIFE: 5}, {"R": Budget(100, 60)}, {LIFE}, set())


def test_a_checkout_asks_for_the_counters_of_its_member_and_day() -> None:
    rules = RuleBook(
        [
            rule("PLAIN", 5),
            rule("ONCE", 5, caps=Caps(per_checkout=5)),
            rule("DAILY", 5, caps=Caps(per_member_day=5)),
            rule("BOTH", 5, caps=Caps(per_member_day=5, per_member=50)),
        ]
    )
    assert counters_of(rules, OTHER, TODAY + timedelta(days=1)) == [
        Counter(OTHER, "DAILY", "2026-03-11"),
        Counter(OTHER, "BOTH", "2026-03-11"),
        Counter(OTHER, "BOTH", "LIFE"),
    ]
