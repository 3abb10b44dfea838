"""Points that expire on a fixed day: the last day is whole, and nobody earns for nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from services.points.domain.assets import Asset, Category, Channel, Funder
from services.points.domain.commands import SettleDue
from services.points.domain.movement_commands import AdjustBalance
from services.points.domain.purchases import Stay
from services.points.domain.rules import EarningRule, Pending, StackingClass
from tests.unit.points.worlds import OUTLET_BASE, ROOM_BASE, World, programme

NEW_YEAR = datetime(2026, 12, 31, 16, tzinfo=UTC)
"""Midnight in Shanghai."""
INSTANT = timedelta(microseconds=1)
GIFT = EarningRule("GIFT", StackingClass.ADD, 50, Funder.MERCHANT, pending=Pending(days=40))


def hotel(*rules: EarningRule) -> World:
    rules = rules or (OUTLET_BASE, ROOM_BASE)
    return World(programme(*rules, months=0, points_expire_on=date(2026, 12, 31)))


def ends(world: World) -> list[datetime | None]:
    return [lot.expires_at for lot in world.member.lots.values() if lot.asset is Asset.POINTS]


def test_points_are_good_on_the_whole_last_day_and_gone_with_its_end() -> None:
    world = hotel()
    assert world.buy(50_000).balances.next_expiry == NEW_YEAR
    world.now = NEW_YEAR - INSTANT
    assert world.do(SettleDue(world.member_id)).points == 0
    assert world.buy(10_000, points=200).points_redeemed == 200
    world.now = NEW_YEAR
    assert world.do(SettleDue(world.member_id)).points == 300


def test_what_is_earned_late_in_the_year_lives_to_the_end_of_the_next_month() -> None:
    world = hotel()
    for now, expires_at in (
        (datetime(2026, 11, 30, 15, tzinfo=UTC), NEW_YEAR),
        (datetime(2026, 11, 30, 16, tzinfo=UTC), datetime(2027, 1, 31, 16, tzinfo=UTC)),
        (datetime(2027, 1, 5, tzinfo=UTC), datetime(2027, 2, 28, 16, tzinfo=UTC)),
    ):
        world.now = now
        world.buy(10_000)
        assert ends(world)[-1] == expires_at


def test_a_stay_that_is_booked_years_late_lives_as_long_as_any_late_booking() -> None:
    world = hotel()
    world.now = datetime(2028, 1, 10, tzinfo=UTC)
    stay, long_ago = Stay(Channel.DIRECT, "", 1), datetime(2026, 3, 10, tzinfo=UTC)
    world.buy(10_000, category=Category.ROOM, occurred_at=long_ago, stay=stay)
    assert ends(world) == [datetime(2028, 2, 29, 16, tzinfo=UTC)]


def test_pending_points_live_to_the_end_of_the_month_after_their_maturing() -> None:
    world = hotel(OUTLET_BASE, GIFT)
    world.now = datetime(2026, 11, 20, tzinfo=UTC)
    world.buy(10_000)
    (pending,) = world.member.pending.values()
    assert pending.matures_at == datetime(2026, 12, 30, tzinfo=UTC)
    assert pending.expires_at == datetime(2027, 1, 31, 16, tzinfo=UTC)
    assert ends(world) == [NEW_YEAR]


def test_points_that_staff_give_expire_on_the_same_day() -> None:
    world = hotel()
    adjust = AdjustBalance(uuid4(), world.member_id, Asset.POINTS, 70, "GOODWILL", "", "CLERK")
    world.do(adjust)
    assert ends(world) == [NEW_YEAR]
