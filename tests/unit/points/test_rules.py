"""What rules may ask, how they round, and what bounds them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.assets import Category, Channel
from services.points.domain.earning import earned_points, rounded
from services.points.domain.facts import VARIABLES, facts_of
from services.points.domain.inquiry import Inquiry
from services.points.domain.limits import Budget, Limits
from services.points.domain.purchases import Facts, Line, Purchase, Season, Stay
from services.points.domain.rules import (
    Caps,
    EarningRule,
    Rounding,
    RuleBook,
    StackingClass,
)
from tests.unit.points.rulebooks import rule
from tests.unit.points.worlds import PLACE, START, purchase

MEMBER = uuid4()


def earn(rules: list[EarningRule], bought: Purchase, **more: Any) -> dict[str, int]:
    inquiry = Inquiry(bought, **more)
    return {by.rule: by.points for by in earned_points(RuleBook(rules), bought, 0, inquiry)}


def bought(**more: Any) -> Purchase:
    bought = purchase(MEMBER, 10_000, occurred_at=more.pop("occurred_at", START))
    for name, value in more.items():
        setattr(bought, name, value)
    return bought


def stay(rate_code: str, channel: Channel = Channel.DIRECT) -> Stay:
    return Stay(channel, rate_code, 2)


@pytest.mark.parametrize(
    ("asked", "fits", "does_not"),
    [
        ({"seasons": frozenset({Season.OFF})}, {"season": Season.OFF}, {"season": Season.PEAK}),
        ({"seasons": frozenset({Season.OFF})}, {"season": Season.OFF}, {}),
        ({"hours": frozenset({12})}, {}, {"occurred_at": START + timedelta(hours=1)}),
        ({"hours": frozenset({12})}, {}, {"occurred_at": START - timedelta(microseconds=1)}),
        ({"properties": frozenset({"SHA01"})}, {}, None),
        ({"merchants": frozenset({PLACE.merchant_id})}, {}, None),
        ({"outlets": frozenset({PLACE.outlet_id})}, {}, None),
    ],
)
def test_a_rule_asks_of_season_hour_and_place(
    asked: dict[str, Any], fits: dict[str, Any], does_not: dict[str, Any] | None
) -> None:
    assert earn([rule("R", 5, **asked)], bought(**fits)) == {"R": 5}
    if does_not is not None:
        assert earn([rule("R", 5, **asked)], bought(**does_not)) == {}


@pytest.mark.parametrize("asked", ["properties", "merchants", "outlets"])
def test_another_place_does_not_fit(asked: str) -> None:
    condition: Any = {asked: frozenset({"PEK01" if asked == "properties" else uuid4()})}
    assert earn([rule("R", 5, **condition)], bought()) == {}


def test_a_rate_code_is_asked_of_rooms_only() -> None:
    asked = rule("R", 1000, "BASE", rate_codes=frozenset({"BAR"}))
    lines = (Line(Category.ROOM, 10_000), Line(Category.DINING, 5_000))
    for staying, points in ((stay("BAR"), 150), (stay("CORP"), 50), (None, 50)):
        assert earn([asked], bought(lines=lines, stay=staying)) == {"R": points}


@pytest.mark.parametrize(
    ("staying", "on"),
    [
        (stay("BAR"), 15_000),
        (stay("CORP"), 5_000),
        (stay("BAR", Channel.OTA), 5_000),
        (None, 5_000),
    ],
)
def test_a_bonus_or_multiplier_of_stays_counts_other_lines_and_the_right_stays(
    staying: Stay | None, on: int
) -> None:
    lines = (Line(Category.ROOM, 10_000), Line(Category.DINING, 5_000))
    best: dict[str, Any] = {
        "channels": frozenset({Channel.DIRECT}),
        "rate_codes": frozenset({"BAR"}),
    }
    rules = [rule("B", 1000, "BASE"), rule("X", 3000, "BEST_OF", **best)]
    found = earn(rules, bought(lines=lines, stay=staying))
    assert found == {"B": 150, "X": 2 * on // 100}
    gift = rule("A", 5, categories=frozenset({Category.ROOM}), **best)
    expected = {"A": 5} if on == 15_000 else {}
    assert earn([gift], bought(lines=lines, stay=staying)) == expected


@pytest.mark.parametrize("stacking", ["BASE", "ADD"])
def test_tiers_tags_and_a_minimum_spend_are_asked_of_the_checkout(stacking: str) -> None:
    effect = 1000 if stacking == "BASE" else 100
    family = Facts("GOLD", frozenset({"family"}))
    asked: list[tuple[dict[str, Any], bool]] = [
        ({"tiers": frozenset({"GOLD", "PLATINUM"})}, True),
        ({"tiers": frozenset({"PLATINUM"})}, False),
        ({"tags": frozenset({"family", "student"})}, True),
        ({"tags": frozenset({"student"})}, False),
        ({"minimum_spend_minor": 10_000}, True),
        ({"minimum_spend_minor": 10_001}, False),
    ]
    for condition, fits in asked:
        found = earn([rule("R", effect, stacking, **condition)], bought(facts=family))
        assert found == ({"R": 100} if fits else {})


def test_a_multiplier_that_does_not_apply_makes_way_for_the_next_and_equal_ones_for_the_first() -> (
    None
):
    base = rule("B", 1000, "BASE")
    students = rule("S", 3000, "BEST_OF", tags=frozenset({"student"}))
    rules = [base, students, rule("X", 2000, "BEST_OF"), rule("Y", 2000, "BEST_OF")]
    assert earn(rules, bought()) == {"B": 100, "X": 100}
    assert earn(rules, bought(facts=Facts("CLASSIC", frozenset({"student"})))) == {
        "B": 100,
        "S": 200,
    }


def test_a_first_purchase_is_told_by_who_knows() -> None:
    welcome = rule("WELCOME", 500, first_purchase_only=True)
    assert earn([welcome], bought(), first_purchase=True) == {"WELCOME": 500}
    assert earn([welcome], bought()) == {}


def test_a_rule_applies_from_its_beginning_until_just_before_its_end() -> None:
    timed = rule("R", 5, valid_from=START, valid_until=START + timedelta(days=1))
    moment = timedelta(microseconds=1)
    for instant, points in (
        (START - moment, {}),
        (START, {"R": 5}),
        (START + timedelta(days=1) - moment, {"R": 5}),
        (START + timedelta(days=1), {}),
    ):
        assert earn([timed], bought(occurred_at=instant)) == points


def test_a_rule_may_have_a_beginning_or_an_end_alone() -> None:
    moment = timedelta(microseconds=1)
    begins, ends = rule("B", 5, valid_from=START), rule("E", 7, valid_until=START)
    assert earn([begins, ends], bought(occurred_at=START - moment)) == {"E": 7}
    assert earn([begins, ends], bought(occurred_at=START)) == {"B": 5}


def test_a_budget_of_one_point_gives_one_point() -> None:
    smallest = rule("R", 5, budget_points=1)
    assert earn([smallest], bought(), limits=Limits(budgets={"R": Budget(1, 0)})) == {"R": 1}
    assert earn([smallest], bought(), limits=Limits(budgets={"R": Budget(1, 1)})) == {}


@pytest.mark.parametrize(
    ("rounding", "points"),
    [(Rounding.DOWN, (1, 1, 1)), (Rounding.HALF_UP, (1, 2, 2)), (Rounding.UP, (2, 2, 2))],
)
def test_parts_of_points_are_rounded_as_the_rule_says(
    rounding: Rounding, points: tuple[int, int, int]
) -> None:
    base = rule("B", 1000, "BASE", rounding=rounding)
    for amount, expected in zip((149, 150, 199), points, strict=True):
        assert earn([base], purchase(MEMBER, amount)) == {"B": expected}
    plain = rule("B", 1000, "BASE")
    times = rule("X", 1500, "BEST_OF", rounding=rounding)
    found = earn([plain, times], purchase(MEMBER, 100))
    assert found.get("X", 0) == {Rounding.DOWN: 0, Rounding.HALF_UP: 1, Rounding.UP: 1}[rounding]


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_rounding_is_exact(number: int, divisor: int) -> None:
    down, up = rounded(number, divisor, Rounding.DOWN), rounded(number, divisor, Rounding.UP)
    half = rounded(number, divisor, Rounding.HALF_UP)
    assert down * divisor <= number <= up * divisor
    assert half == (up if 2 * (number - down * divisor) >= divisor else down)


def test_a_cap_per_checkout_takes_what_is_above_it_and_multipliers_count_below_it() -> None:
    base = rule("B", 1000, "BASE", Caps(per_checkout=60))
    assert earn([base, rule("X", 2000, "BEST_OF")], bought()) == {"B": 60, "X": 60}
    assert earn([rule("A", 500, caps=Caps(per_checkout=7))], bought()) == {"A": 7}


def test_a_capped_multiplier_gives_way_to_a_smaller_one_that_gives_more() -> None:
    base = rule("B", 1000, "BASE")
    rules = [base, rule("X3", 3000, "BEST_OF", Caps(per_checkout=10)), rule("X2", 2000, "BEST_OF")]
    assert earn(rules, bought()) == {"B": 100, "X2": 100}


def test_caps_of_day_and_campaign_leave_what_is_left_and_are_given_back() -> None:
    limits, day = Limits(), START.date()
    capped = rule("R", 50, caps=Caps(per_member_day=80, per_member=120))
    for expected in (50, 30, 0):
        found = earn([capped], bought(), limits=limits)
        assert found == ({"R": expected} if expected else {})
        limits.take(capped, MEMBER, day, expected)
    tomorrow = bought(occurred_at=START + timedelta(days=1))
    assert earn([capped], tomorrow, limits=limits) == {"R": 40}
    limits.take(capped, MEMBER, day, -50)
    assert earn([capped], bought(), limits=limits) == {"R": 50}
    other = purchase(uuid4(), 10_000)
    assert earn([capped], other, limits=limits) == {"R": 50}


def test_a_budget_gives_its_last_points_and_none_without_its_row() -> None:
    budgeted = rule("R", 50, budget_points=70)
    limits = Limits(budgets={"R": Budget(70, 40)})
    assert earn([budgeted], bought(), limits=limits) == {"R": 30}
    limits.take(budgeted, MEMBER, START.date(), 30)
    assert limits.budgets["R"].given_points == 70
    assert earn([budgeted], bought(), limits=limits) == {}
    assert earn([budgeted], bought(), limits=Limits()) == {}


def test_a_condition_in_cel_is_asked_of_all_that_is_documented() -> None:
    everything = bought(
        season=Season.OFF, stay=stay("BAR"), facts=Facts("GOLD", frozenset({"family"}), 3)
    )
    asked = (
        "bill_minor == 10000 && amounts.DINING == 10000 && amounts.SPA == 0 && tier == 'GOLD' && "
        "'family' in tags && birth_month == 3 && first_purchase && month == 3 && day == 10 && "
        "weekday == 2 && hour == 12 && season == 'OFF' && channel == 'DIRECT' && nights == 2 && "
        "!member_absent && "
        f"rate_code == 'BAR' && property == 'SHA01' && merchant == '{PLACE.merchant_id}' && "
        f"outlet == '{PLACE.outlet_id}' && redeem_points == 0 && pay_stored_value_minor == 0"
    )
    assert earn([rule("R", 5, expression=asked)], everything, first_purchase=True) == {"R": 5}
    assert facts_of(everything, START, first_purchase=True).keys() == VARIABLES.keys()
    assert [name for name in VARIABLES if name not in asked] == []


def test_what_is_not_known_is_empty_or_nothing_to_a_condition() -> None:
    plain = Purchase(MEMBER, PLACE, "CNY", START, Facts("CLASSIC"), (Line(Category.SPA, 70),))
    assert facts_of(plain, START, first_purchase=False) == {
        "bill_minor": 70,
        "amounts": {each.value: 70 * (each is Category.SPA) for each in Category},
        "tier": "CLASSIC",
        "tags": [],
        "birth_month": 0,
        "first_purchase": False,
        "month": 3,
        "day": 10,
        "weekday": 2,
        "hour": 4,
        "season": "",
        "channel": "",
        "rate_code": "",
        "nights": 0,
        "member_absent": False,
        "property": "SHA01",
        "merchant": str(PLACE.merchant_id),
        "outlet": str(PLACE.outlet_id),
        "redeem_points": 0,
        "pay_stored_value_minor": 0,
    }


def test_a_condition_knows_whether_the_member_paid_for_somebody_elses_stay() -> None:
    asked = rule("R", 5, expression="member_absent")
    for absent, points in ((True, {"R": 5}), (False, {})):
        assert earn([asked], bought(stay=replace(stay("BAR"), absent=absent))) == points


def test_a_condition_that_fails_leaves_its_rule_out_and_is_reported_once() -> None:
    broken = rule("BROKEN", 1000, "BASE", expression="bill_minor / nights > 1")
    rules = [broken, rule("B", 1000, "BASE"), rule("A", 5, expression="amounts['X'] > 1")]
    twice = purchase(MEMBER, 5_000, 5_000)
    inquiry = Inquiry(twice)
    found = earned_points(RuleBook(rules), twice, 0, inquiry)
    assert [(by.rule, by.points) for by in found] == [("B", 100)]
    assert [fault.rule for fault in inquiry.faults] == ["BROKEN", "A"]
    assert "divide by zero" in inquiry.faults[0].message


lines = st.lists(
    st.tuples(st.sampled_from(Category), st.integers(0, 100_000)), min_size=1, max_size=6
)
rulebooks = st.lists(
    st.builds(
        lambda stacking, effect, categories, per_checkout, rounding: rule(
            "R",
            effect + (1000 if stacking == "BEST_OF" else 0),
            stacking,
            Caps(per_checkout=per_checkout, per_member_day=per_checkout * 2),
            categories=categories,
            rounding=rounding,
        ),
        st.sampled_from(["BASE", "BEST_OF", "ADD"]),
        st.integers(1, 5_000),
        st.frozensets(st.sampled_from(Category), max_size=3),
        st.sampled_from([0, 0, 10, 500]),
        st.sampled_from(Rounding),
    ),
    max_size=8,
).map(lambda rules: [replace(each, code=f"R{at}") for at, each in enumerate(rules)])


@given(rulebooks, lines, st.randoms())
def test_the_order_of_lines_and_of_added_rules_changes_nothing(
    rules: list[EarningRule], drawn: list[tuple[Category, int]], random: Any
) -> None:
    as_drawn = bought_lines(drawn)
    before = earn(rules, as_drawn)
    random.shuffle(drawn)
    assert earn(rules, bought_lines(drawn)) == before
    others = [each for each in rules if each.stacking_class is not StackingClass.ADD]
    added = [each for each in rules if each.stacking_class is StackingClass.ADD]
    random.shuffle(added)
    assert earn([*added, *others], as_drawn) == before


@given(rulebooks, st.lists(lines, min_size=1, max_size=6))
def test_no_cap_is_ever_exceeded(
    rules: list[EarningRule], dinners: list[list[tuple[Category, int]]]
) -> None:
    limits, by_code = Limits(), {each.code: each for each in rules}
    given_in_all: dict[str, int] = {}
    for drawn in dinners:
        for code, points in earn(rules, bought_lines(drawn), limits=limits).items():
            caps = by_code[code].caps
            assert points <= (caps.per_checkout or points)
            limits.take(by_code[code], MEMBER, START.date(), points)
            given_in_all[code] = given_in_all.get(code, 0) + points
            assert given_in_all[code] <= (caps.per_member_day or given_in_all[code])


def bought_lines(drawn: list[tuple[Category, int]]) -> Purchase:
    bought_now = tuple(Line(category, amount) for category, amount in drawn)
    return Purchase(MEMBER, PLACE, "CNY", START, Facts("CLASSIC"), bought_now)


def test_a_purchase_at_night_belongs_to_the_propertys_day() -> None:
    late = datetime(2026, 3, 10, 16, 30, tzinfo=UTC)
    inquiry = Inquiry(bought(occurred_at=late))
    assert inquiry.local.date().isoformat() == "2026-03-11"
