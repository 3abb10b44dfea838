"""Dry runs: what another programme would have given, rule by rule, from where caps stood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.points.domain.dry_runs import (
    Example,
    RuleTally,
    Tally,
    counters_to_load,
    largest_first,
    range_state,
    subject,
)
from services.points.domain.earning import EarnedBy
from services.points.domain.inquiry import RuleFault
from services.points.domain.limits import Counter
from services.points.domain.rules import Caps
from tests.unit.points.rulebooks import rule
from tests.unit.points.trials import (
    BASE,
    CAPPED,
    GIFT,
    MEMBER,
    recorded,
    tried,
)
from tests.unit.points.worlds import START, programme

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


def test_a_trial_leaves_the_validity_of_rules_out_only_if_asked_to() -> None:
    campaign = rule(
        "CAMPAIGN", 5, budget_points=9, valid_from=START, valid_until=START + timedelta(days=1)
    )
    as_it_is = subject(programme(BASE, campaign), ignore_rule_validity=False)
    assert as_it_is == programme(BASE, campaign)
    always = subject(programme(BASE, campaign), ignore_rule_validity=True)
    assert always == programme(BASE, rule("CAMPAIGN", 5, budget_points=9))


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
