"""The programme's versions: which one is valid, how one is published, how it is written down."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel import Refusal
from services.points.converters.programmes import from_programme, to_programme
from services.points.domain.assets import Category, Channel, Funder
from services.points.domain.commands import PublishProgramme
from services.points.domain.programme import (
    Clawback,
    Condition,
    EarningRule,
    Programme,
    Programmes,
    Redemption,
    SpendOrder,
    StackingClass,
    StoredValueTerms,
    TopUpTier,
)
from services.points.domain.publishing import Shelf, publish
from services.points.storage.programmes import from_document, to_document
from tests.unit.points.worlds import GOLD, START, programme

MILLENNIUM = datetime(2001, 1, 1, tzinfo=UTC)
positive = st.integers(1, 10**6)
words = st.text("ABCXYZ_", min_size=1, max_size=8)
conditions = st.builds(
    Condition,
    categories=st.frozensets(st.sampled_from(Category)),
    tiers=st.frozensets(words, max_size=3),
    tags=st.frozensets(words, max_size=3),
    weekdays=st.frozensets(st.integers(1, 7)),
    channels=st.frozensets(st.sampled_from(list(Channel)[1:])),
    minimum_spend_minor=st.integers(0, 10**9),
    birth_month_only=st.booleans(),
)
rules = st.builds(
    EarningRule,
    words,
    st.sampled_from(StackingClass),
    positive,
    st.sampled_from(Funder),
    conditions,
)
programmes = st.builds(
    Programme,
    positive,
    st.integers(0, 10**10).map(lambda step: MILLENNIUM + timedelta(microseconds=step)),
    st.lists(rules, max_size=4).map(tuple),
    st.builds(
        Redemption,
        positive,
        positive,
        st.dictionaries(st.sampled_from(Category), st.integers(0, 10_000)).map(
            lambda shares: tuple(shares.items())
        ),
    ),
    st.builds(
        StoredValueTerms,
        st.lists(st.builds(TopUpTier, positive, positive), max_size=3).map(tuple),
        positive,
        positive,
        st.sampled_from(SpendOrder),
        st.integers(0, 240),
    ),
    st.integers(0, 240),
    st.sampled_from(Clawback),
    st.none() | st.dates(),
)


@given(programmes)
def test_a_programme_survives_being_stored_and_being_sent(written: Programme) -> None:
    document = json.loads(json.dumps(to_document(written)))
    assert from_document(written.version, written.valid_from, document) == written
    assert to_programme(from_programme(written)) == written


def test_the_highest_version_that_is_valid_at_an_instant_decides() -> None:
    first, later = programme(), START + timedelta(days=30)
    known = Programmes([first, replace(first, version=2, valid_from=later)])
    for changed in (first, replace(first, version=2, valid_from=START)):
        known.add(changed)
    assert known.latest_version == 2
    assert known.get(2).valid_from == later
    assert known.valid_at(later - timedelta(microseconds=1)).version == 1
    assert known.valid_at(later).version == 2
    with pytest.raises(Refusal) as refused:
        known.get(3)
    assert (refused.value.reason, refused.value.message) == (
        "PROGRAMME_NOT_FOUND",
        "no programme has version 3",
    )


def test_a_version_that_is_retired_gives_way_from_its_end_on() -> None:
    first, end = programme(), START + timedelta(days=30)
    known = Programmes([first, replace(first, version=2, valid_from=START)])
    assert (known.latest_retirement, known.end_of(2)) == (0, None)
    known.retire(1, 2, end)
    assert (known.latest_retirement, known.end_of(2), known.end_of(1)) == (1, end, None)
    assert known.valid_at(end - timedelta(microseconds=1)).version == 2
    assert known.valid_at(end).version == 1
    assert known.get(2).version == 2
    known.retire(2, 1, end)
    with pytest.raises(Refusal) as refused:
        known.valid_at(end)
    assert refused.value.message == "no programme was valid then"


def test_of_several_ends_of_a_version_that_of_the_last_retirement_counts() -> None:
    known = Programmes([programme()])
    known.retire(2, 1, START)
    known.retire(1, 1, START + timedelta(days=1))
    known.retire(2, 1, START + timedelta(days=2))
    assert (known.latest_retirement, known.end_of(1)) == (2, START)
    known.retire(3, 1, START + timedelta(days=3))
    assert (known.latest_retirement, known.end_of(1)) == (3, START + timedelta(days=3))


def test_publishing_counts_on_and_never_goes_back_in_time() -> None:
    shelf = Shelf(4, START, [])
    decision = publish(shelf, PublishProgramme(replace(programme(), valid_from=START)), START)
    assert decision.answer is not None
    assert decision.answer.version == 5
    assert [each.version for each in shelf.published] == [5]
    with pytest.raises(Refusal, match="valid_from"):
        publish(shelf, PublishProgramme(programme()), START)


def test_who_has_not_seen_the_latest_version_is_told() -> None:
    shelf = Shelf(4, None, [])
    with pytest.raises(Refusal) as refused:
        publish(shelf, PublishProgramme(programme(), expected_version=3), START)
    assert refused.value.reason == "VERSION_CONFLICT"
    assert refused.value.metadata == {"latest_version": "4"}
    assert not shelf.published


def test_a_code_or_a_tier_twice_is_refused() -> None:
    shelf = Shelf(0, None, [])
    tiers = (TopUpTier(100, 10), TopUpTier(100, 20))
    terms = replace(programme().stored_value, top_up_tiers=tiers)
    for wrong, field in (
        (programme(GOLD, GOLD), "earning_rules.code"),
        (programme(terms=terms), "top_up_tiers.from_minor"),
    ):
        with pytest.raises(Refusal, match=field):
            publish(shelf, PublishProgramme(wrong), START)


def test_whoever_reads_a_retirement_s_number_finds_its_end() -> None:
    ends_then: list[datetime | None] = []

    class Watched(Programmes):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "latest_retirement" and value:
                ends_then.append(self.end_of(1))

    Watched([programme()]).retire(1, 1, START)
    assert ends_then == [START]


def test_whoever_finds_a_version_that_counts_activity_finds_that_one_does() -> None:
    seen: list[tuple[int, bool]] = []

    class Watched(Programmes):
        """Tells what another thread may read before each of its changes and after it."""

        def __setattr__(self, name: str, value: object) -> None:
            if seen:
                seen.append((self.latest_version, self.counts_activity))
            super().__setattr__(name, value)
            if seen:
                seen.append((self.latest_version, self.counts_activity))

    known = Watched([programme()])
    seen.append((known.latest_version, known.counts_activity))
    known.add(replace(programme(months=0, points_expire_after_idle_months=1), version=2))
    known.add(replace(programme(), version=3))
    assert {counts for version, counts in seen if version == 1} == {False, True}
    assert {counts for version, counts in seen if version > 1} == {True}
    assert seen[-1] == (3, True)


def test_what_is_known_at_one_instant_stays_so_whatever_is_added_meanwhile() -> None:
    known = Programmes([programme()])
    then = known.known_now()
    known.add(replace(programme(months=0, points_expire_after_idle_months=1), version=2))
    known.retire(1, 1, START)
    assert (then.latest_version, then.latest_retirement, then.end_of(1)) == (1, 0, None)
    assert (then.counts_activity, known.counts_activity) == (False, True)
    assert then.valid_at(START).version == 1
    now = known.known_now()
    assert (now.latest_version, now.latest_retirement, now.end_of(1)) == (2, 1, START)
    assert now.counts_activity


@pytest.mark.parametrize(
    ("policies", "field", "says"),
    [
        ({"months": 1, "points_expire_on": date(2026, 12, 31)}, "points_expire_on", "one policy"),
        ({"points_expire_on": date(2026, 3, 9)}, "points_expire_on", "2026-03-10"),
        ({"points_expire_on": date(2047, 1, 1)}, "points_expire_on", "20 years"),
    ],
)
def test_two_policies_of_expiry_or_a_day_that_nobody_means_are_refused_by_field(
    policies: dict[str, Any], field: str, says: str
) -> None:
    wrong = replace(programme(**{"months": 0, **policies}), valid_from=START)
    with pytest.raises(Refusal) as refused:
        publish(Shelf(0, None, []), PublishProgramme(wrong), START)
    assert refused.value.reason == "INVALID_FIELD"
    assert refused.value.fields[0].field == f"programme.{field}"
    assert says in refused.value.fields[0].rule


@pytest.mark.parametrize(
    ("months", "day", "idle", "field", "first"),
    [
        (1, None, 1, "points_expire_after_idle_months", "points_expire_after_months"),
        (0, date(2026, 12, 31), 1, "points_expire_after_idle_months", "points_expire_on"),
        (1, date(2026, 12, 31), 1, "points_expire_after_idle_months", "points_expire_after_months"),
        (1, date(2026, 12, 31), 0, "points_expire_on", "points_expire_after_months"),
    ],
)
def test_of_several_policies_the_last_is_to_be_left_out_because_of_the_first(
    months: int, day: date | None, idle: int, field: str, first: str
) -> None:
    wrong = programme(months=months, points_expire_on=day, points_expire_after_idle_months=idle)
    with pytest.raises(Refusal) as refused:
        publish(Shelf(0, None, []), PublishProgramme(replace(wrong, valid_from=START)), START)
    (violation,) = refused.value.fields
    rule = f"must be left out where {first} is given: points expire by one policy"
    assert (violation.field, violation.rule) == (f"programme.{field}", rule)


def test_the_day_of_valid_from_is_one_of_utc_wherever_the_service_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late, early = START.replace(hour=20), START.replace(hour=2)
    for zone, valid_from in (("Asia/Shanghai", late), ("America/New_York", early)):
        with monkeypatch.context() as machine:
            machine.setenv("TZ", zone)
            time.tzset()
            first_day = programme(months=0, points_expire_on=START.date())
            good = replace(first_day, valid_from=valid_from)
            assert publish(Shelf(0, None, []), PublishProgramme(good), START).answer is not None
            before = replace(good, points_expire_on=START.date() - timedelta(days=1))
            with pytest.raises(Refusal, match=str(START.date())):
                publish(Shelf(0, None, []), PublishProgramme(before), START)
    time.tzset()


@pytest.mark.parametrize("day", [date(2026, 3, 10), date(2046, 12, 31)])
def test_the_first_and_the_last_day_that_points_may_expire_on(day: date) -> None:
    good = replace(programme(months=0, points_expire_on=day), valid_from=START)
    assert publish(Shelf(0, None, []), PublishProgramme(good), START).answer is not None


def test_a_day_that_no_calendar_has_is_refused_by_field() -> None:
    message = from_programme(programme(months=0))
    message.points_expire_on = "2027-02-29"
    with pytest.raises(Refusal) as refused:
        to_programme(message)
    assert refused.value.fields[0].field == "programme.points_expire_on"
