"""Which rules give how many points."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.points.domain.assets import Category, Channel, Funder
from services.points.domain.earning import earned_points
from services.points.domain.programme import (
    Condition,
    EarningRule,
    RuleBook,
    StackingClass,
)
from services.points.domain.purchases import Facts, Line, Purchase, Stay
from tests.unit.points.worlds import GOLD, OUTLET_BASE, PLACE, ROOM_BASE, START, purchase

MEMBER = uuid4()


def rule(
    code: str,
    stacking_class: StackingClass,
    effect: int,
    funder: Funder = Funder.ISSUER,
    **asked: object,
) -> EarningRule:
    return EarningRule(code, stacking_class, effect, funder, Condition(**asked))  # type: ignore[arg-type]


def base(code: str, milli: int, **asked: object) -> EarningRule:
    return rule(code, StackingClass.BASE, milli, **asked)  # type: ignore[arg-type]


def times(code: str, milli: int, **asked: object) -> EarningRule:
    return rule(code, StackingClass.BEST_OF, milli, **asked)  # type: ignore[arg-type]


def plus(code: str, points: int, **asked: object) -> EarningRule:
    return rule(code, StackingClass.ADD, points, **asked)  # type: ignore[arg-type]


def earn(rules: list[EarningRule], bought: Purchase, not_earning: int = 0) -> dict[str, int]:
    return {by.rule: by.points for by in earned_points(RuleBook(rules), bought, not_earning)}


def mixed(*lines: tuple[Category, int], stay: Stay | None = None, tier: str = "GOLD") -> Purchase:
    bought = [Line(category, amount) for category, amount in lines]
    return Purchase(MEMBER, PLACE, "CNY", START, Facts(tier), tuple(bought), stay=stay)


def test_a_base_rule_rounds_down_once_on_the_sum_of_its_lines() -> None:
    assert earn([OUTLET_BASE], purchase(MEMBER, 99, 99, 99)) == {"BASE_OUTLETS": 2}
    assert earn([base("B", 1)], purchase(MEMBER, 99_999)) == {}
    assert earn([base("B", 1)], purchase(MEMBER, 100_000)) == {"B": 1}


def test_the_first_base_rule_that_matches_a_line_takes_it_alone() -> None:
    rules = [base("SPA", 3000, categories=frozenset({Category.SPA})), base("ALL", 1000)]
    bought = mixed((Category.DINING, 10_000), (Category.SPA, 10_000))
    assert earn(rules, bought) == {"SPA": 300, "ALL": 100}
    assert earn(rules[::-1], bought) == {"ALL": 200}


@pytest.mark.parametrize(
    ("stay", "points"),
    [
        (None, {}),
        (Stay(Channel.OTA, "", 1), {}),
        (Stay(Channel.UNSPECIFIED, "", 1), {}),
        (Stay(Channel.DIRECT, "", 1), {"BASE_ROOM": 100}),
        (Stay(Channel.CORPORATE, "", 1), {"BASE_ROOM": 100}),
    ],
)
def test_a_room_earns_by_the_channel_it_was_sold_through(
    stay: Stay | None, points: dict[str, int]
) -> None:
    assert earn([ROOM_BASE, OUTLET_BASE], mixed((Category.ROOM, 10_000), stay=stay)) == points


@pytest.mark.parametrize("asked", ["channels", "rate_codes"])
def test_who_paid_for_somebody_elses_stay_earns_only_where_the_rule_allows_it(asked: str) -> None:
    wanted = {asked: frozenset({"BAR"} if asked == "rate_codes" else {Channel.DIRECT})}
    present, absent = Stay(Channel.DIRECT, "BAR", 1), Stay(Channel.DIRECT, "BAR", 1, absent=True)
    strict, lenient = base("B", 1000, **wanted), base("B", 1000, **wanted, absent_too=True)
    for rule, stay, points in (
        (strict, present, {"B": 100}),
        (strict, absent, {}),
        (lenient, absent, {"B": 100}),
        (base("ANY", 1000), absent, {"ANY": 100}),
    ):
        assert earn([rule], mixed((Category.ROOM, 10_000), stay=stay)) == points
    dining = mixed((Category.DINING, 10_000), stay=absent)
    assert earn([strict], dining) == {"B": 100}


def test_a_channel_is_asked_of_rooms_only() -> None:
    asked = base("B", 1000, channels=frozenset({Channel.DIRECT}))
    stay = Stay(Channel.OTA, "", 1)
    bought = mixed((Category.ROOM, 10_000), (Category.DINING, 5_000), stay=stay)
    assert earn([asked], bought) == {"B": 50}


def test_of_multipliers_the_one_that_gives_most_applies_and_the_earlier_of_equals() -> None:
    spa = times("SPA_X5", 5000, categories=frozenset({Category.SPA}))
    rules = [OUTLET_BASE, spa, GOLD, times("ALSO", 1500)]
    much_dining = mixed((Category.DINING, 100_000), (Category.SPA, 1_000))
    assert earn(rules, much_dining) == {"BASE_OUTLETS": 1010, "TIER_GOLD": 505}
    much_spa = mixed((Category.DINING, 1_000), (Category.SPA, 100_000))
    assert earn(rules, much_spa) == {"BASE_OUTLETS": 1010, "SPA_X5": 4000}


def test_a_multiplier_is_rounded_down_and_shows_what_it_was_computed_on() -> None:
    found = earned_points(RuleBook([OUTLET_BASE, GOLD]), purchase(MEMBER, 399, tier="GOLD"), 0)
    assert [(by.rule, by.points, by.eligible_minor) for by in found] == [
        ("BASE_OUTLETS", 3, 399),
        ("TIER_GOLD", 1, 399),
    ]
    assert found[1].funder is Funder.MERCHANT


def test_every_matching_bonus_adds_but_not_on_what_points_and_gift_have_paid() -> None:
    rules = [OUTLET_BASE, plus("HELLO", 50), plus("BIG", 500, minimum_spend_minor=100_000)]
    assert earn(rules, purchase(MEMBER, 99_999)) == {"BASE_OUTLETS": 999, "HELLO": 50}
    assert earn(rules, purchase(MEMBER, 100_000), 50_000)["BIG"] == 500
    assert earn(rules, purchase(MEMBER, 100_000), 100_000) == {}


def test_what_does_not_earn_is_taken_from_the_lines_in_proportion() -> None:
    rules = [base("SPA", 1000, categories=frozenset({Category.SPA}))]
    bought = mixed((Category.DINING, 30_000), (Category.SPA, 10_000))
    assert earn(rules, bought, 20_000) == {"SPA": 50}


def test_weekday_and_month_of_birth_are_those_of_the_propertys_calendar() -> None:
    sunday_night_utc = datetime(2026, 5, 31, 20, tzinfo=UTC)
    monday = plus("MONDAY", 1, weekdays=frozenset({1}))
    birthday = plus("BIRTHDAY", 2, birth_month_only=True)
    bought = purchase(MEMBER, 1_000, occurred_at=sunday_night_utc, birth_month=6)
    assert earn([monday, birthday], bought) == {"MONDAY": 1, "BIRTHDAY": 2}
    unknown = purchase(MEMBER, 1_000, occurred_at=START)
    assert earn([birthday], unknown) == {}


def test_tags_ask_for_any_of_them() -> None:
    tagged = plus("FAMILY", 7, tags=frozenset({"family", "student"}))
    assert earn([tagged], purchase(MEMBER, 1_000, tags=frozenset({"student"}))) == {"FAMILY": 7}
    assert earn([tagged], purchase(MEMBER, 1_000, tags=frozenset({"corporate"}))) == {}
