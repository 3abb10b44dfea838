"""Warnings before value expires: which days, which amounts, and never the same one again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.points.domain.accounts import Balances
from services.points.domain.answers import WarnAnswer
from services.points.domain.assets import Asset
from services.points.domain.commands import SettleDue, TopUpStoredValue, WarnExpiring
from services.points.domain.events import PointsExpiring, ValueExpired
from services.points.domain.ledger import decide
from services.points.domain.records import Warned
from services.points.domain.warnings import horizons
from tests.unit.points.worlds import PLACE, SHANGHAI, World

END_OF_MARCH_2028 = datetime(2028, 3, 31, 16, tzinfo=UTC)
"""What is earned in March 2026 expires then: midnight in Shanghai."""
MORNING = datetime(2028, 3, 31, 2, tzinfo=UTC)
"""10 o'clock in Shanghai on the last day."""


def warned(world: World) -> list[PointsExpiring]:
    """What a warning now tells."""
    before = len(world.events)
    world.do(WarnExpiring(world.member_id, SHANGHAI))
    return [event for event in world.events[before:] if isinstance(event, PointsExpiring)]


def test_a_warning_reaches_to_the_end_of_a_day_by_the_propertys_calendar() -> None:
    after_midnight_in_shanghai = datetime(2026, 3, 10, 16, 30, tzinfo=UTC)
    assert horizons(after_midnight_in_shanghai, SHANGHAI) == {
        7: datetime(2026, 3, 18, 16, tzinfo=UTC),
        30: datetime(2026, 4, 10, 16, tzinfo=UTC),
    }


@pytest.mark.parametrize(("minutes", "kinds"), [(-30, []), (30, [30])])
def test_members_are_warned_from_midnight_on_by_the_propertys_calendar(
    minutes: int, kinds: list[int]
) -> None:
    world = World()
    world.buy(50_000)
    first_of_march = datetime(2028, 2, 29, 16, tzinfo=UTC)
    world.now = first_of_march + timedelta(minutes=minutes)
    assert [event.days for event in warned(world)] == kinds


def test_a_warning_is_an_event_of_its_own_version_and_time() -> None:
    world = World()
    world.buy(50_000)
    world.now = MORNING - timedelta(days=7)
    decision = decide(world.books, WarnExpiring(world.member_id, SHANGHAI), world.now)
    told = Warned(world.member_id, Asset.POINTS, date(2028, 3, 31), 7)
    assert decision.answer == WarnAnswer(1)
    assert world.books.changes.warned == [told._replace(version=2)]
    assert world.books.warned == {told}
    assert not world.books.changes.entries
    assert (world.member.version, world.member.last_posted_at) == (2, world.now)
    balances = Balances(500, 0, 0, 0, 2, 500, END_OF_MARCH_2028)
    assert decision.events == (
        PointsExpiring(
            world.member_id, world.now, Asset.POINTS, 500, END_OF_MARCH_2028, 7, balances
        ),
    )


def test_a_warning_answers_how_many_were_given() -> None:
    world = World()
    world.buy(50_000)
    world.do(TopUpStoredValue(world.member_id, PLACE.outlet_id, PLACE, 100_000, "CNY"))
    world.now = MORNING - timedelta(days=3)
    for given in (2, 0):
        assert world.do(WarnExpiring(world.member_id, SHANGHAI)) == WarnAnswer(given)


def test_points_are_warned_of_30_and_7_days_before_their_last_day_once_each() -> None:
    world = World()
    world.buy(50_000)
    told = []
    for days_before in range(40, -2, -1):
        world.now = MORNING - timedelta(days=days_before)
        for _ in range(2):
            told += [(days_before, event.days, event.amount) for event in warned(world)]
    assert told == [(30, 30, 500), (7, 7, 500)]


@pytest.mark.parametrize(("days_before", "kinds"), [(31, []), (12, [30]), (5, [7]), (0, [7])])
def test_a_warning_that_is_late_is_given_once_and_only_the_nearest(
    days_before: int, kinds: list[int]
) -> None:
    world = World()
    world.buy(50_000)
    world.now = MORNING - timedelta(days=days_before)
    assert [event.days for event in warned(world)] == kinds
    assert warned(world) == []


def test_the_lots_of_one_day_are_one_warning_and_each_asset_has_its_own() -> None:
    world = World()
    world.buy(50_000)
    world.buy(20_000)
    world.do(TopUpStoredValue(world.member_id, PLACE.outlet_id, PLACE, 100_000, "CNY"))
    world.now = MORNING - timedelta(days=3)
    versions = world.member.version
    events = warned(world)
    assert [(each.asset, each.amount) for each in events] == [
        (Asset.POINTS, 700),
        (Asset.BONUS, 10_000),
    ]
    assert [each.balances.member_version for each in events] == [versions + 1, versions + 2]
    assert {each.expires_at for each in events} == {END_OF_MARCH_2028}
    assert not world.entries[3:]


def test_what_is_spent_is_not_warned_of_and_what_is_due_expires_first() -> None:
    world = World()
    world.buy(50_000)
    world.now += timedelta(days=40)
    world.buy(30_000)
    world.buy(20_000, points=200)
    world.now = END_OF_MARCH_2028
    kinds = [(type(event), getattr(event, "amount", None)) for event in _done(world)]
    assert kinds == [(ValueExpired, None), (PointsExpiring, 498)]


def _done(world: World) -> list[object]:
    before = len(world.events)
    world.do(WarnExpiring(world.member_id, SHANGHAI))
    return list(world.events[before:])


def test_points_that_are_given_another_day_are_warned_of_again_for_that_day() -> None:
    world = World()
    world.buy(50_000)
    world.now = MORNING - timedelta(days=6)
    assert [event.days for event in warned(world)] == [7]
    world.buy(10_000)
    assert warned(world) == []
    world.do(SettleDue(world.member_id))
    world.now = END_OF_MARCH_2028 + timedelta(days=705)
    assert [(event.days, event.amount) for event in warned(world)] == [(30, 100)]


def test_what_a_hold_has_pinned_is_warned_of_when_it_is_free_again() -> None:
    world = World()
    world.buy(50_000)
    (lot,) = world.member.lots.values()
    lot.held = 500
    world.now = MORNING - timedelta(days=20)
    assert warned(world) == []
    lot.held = 200
    assert [(event.days, event.amount) for event in warned(world)] == [(30, 300)]
