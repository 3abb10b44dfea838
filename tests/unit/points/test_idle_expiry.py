"""Points that expire after months without activity: what is activity, and what it extends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from services.points.domain.assets import Asset, Category, Channel, Funder
from services.points.domain.commands import (
    ImportBalance,
    PostCheckout,
    ReleaseHold,
    ReverseCheckout,
    SettleDue,
    WarnExpiring,
)
from services.points.domain.events import PointsExpiring, PointsExtended, ValueExpired
from services.points.domain.lots import NEVER
from services.points.domain.movement_commands import AdjustBalance
from services.points.domain.programme import Programmes
from services.points.domain.purchases import Stay
from services.points.domain.rules import EarningRule, Pending, StackingClass
from tests.unit.points.holding import QUARTER, authorize, capture, post, top_up
from tests.unit.points.worlds import (
    OUTLET_BASE,
    PLACE,
    ROOM_BASE,
    SHANGHAI,
    START,
    World,
    programme,
    purchase,
)

MARCH_27 = datetime(2027, 3, 31, 16, tzinfo=UTC)
APRIL_27 = datetime(2027, 4, 30, 16, tzinfo=UTC)
MAY_27 = datetime(2027, 5, 31, 16, tzinfo=UTC)
"""Midnights in Shanghai at the ends of months."""
INSTANT = timedelta(microseconds=1)
GIFT = EarningRule("GIFT", StackingClass.ADD, 50, Funder.MERCHANT, pending=Pending(days=40))


def hotel(*rules: EarningRule, months: int = 12) -> World:
    rules = rules or (OUTLET_BASE, ROOM_BASE)
    return World(programme(*rules, months=0, points_expire_after_idle_months=months))


def ends(world: World) -> list[datetime | None]:
    return [
        lot.expires_at
        for lot in world.member.lots.values()
        if lot.asset is Asset.POINTS and lot.remaining
    ]


def extensions(world: World) -> list[PointsExtended]:
    return [event for event in world.events if isinstance(event, PointsExtended)]


def check(world: World) -> None:
    """The open lots stand in spend order, and the member remembers the first of them."""
    orders = [lot.order for lot in world.member.points.open_lots or ()]
    assert orders == sorted(orders)
    assert all(
        lot.order == (lot.expires_at or NEVER, lot.earned_at, lot.number)
        for lot in world.member.points.open_lots or ()
    )
    first = world.member.points.next_expiry
    assert orders == [] or (first is not None and first[:2] == orders[0][:2])
    assert world.member.version == len(world.events)


@pytest.mark.parametrize(
    ("acted_at", "expires_at"),
    [
        (datetime(2026, 3, 31, 15, 59, 59, 999_999, tzinfo=UTC), MARCH_27),
        (datetime(2026, 3, 31, 16, tzinfo=UTC), APRIL_27),
        (datetime(2026, 4, 30, 15, 59, 59, 999_999, tzinfo=UTC), APRIL_27),
        (datetime(2026, 4, 30, 16, tzinfo=UTC), MAY_27),
        (datetime(2027, 2, 28, 15, tzinfo=UTC), datetime(2028, 2, 29, 16, tzinfo=UTC)),
    ],
)
def test_all_points_live_to_the_end_of_the_month_so_many_months_after_the_activity(
    acted_at: datetime, expires_at: datetime
) -> None:
    world = hotel()
    world.buy(50_000)
    world.now = acted_at
    posted = world.buy(10_000)
    assert ends(world) == [expires_at, expires_at]
    assert (posted.balances.next_expiry, posted.balances.next_expiring_points) == (expires_at, 500)
    check(world)


def test_an_extension_is_told_before_the_purchase_with_a_version_of_its_own() -> None:
    world, checkout_id = hotel(), uuid4()
    world.buy(50_000)
    world.now = datetime(2026, 4, 10, tzinfo=UTC)
    posted = world.buy(10_000, checkout_id=checkout_id)
    (event,) = extensions(world)
    assert world.events.index(event) == len(world.events) - 2
    told = event.extension
    assert told[1:] == (2, checkout_id, 1, world.now, APRIL_27, 500)
    assert (event.balances.member_version, event.balances.next_expiry) == (2, APRIL_27)
    assert (event.balances.points, posted.balances.member_version) == (500, 3)
    assert [entry.version for entry in world.entries] == [1, 3]


def test_within_a_month_nothing_is_extended_again() -> None:
    world = hotel()
    for day in (1, 2, 15, 30):
        world.now = datetime(2026, 4, day, 4, tzinfo=UTC)
        world.buy(10_000)
    assert extensions(world) == []
    world.now = datetime(2026, 5, 1, 4, tzinfo=UTC)
    world.buy(10_000)
    assert [event.extension.points for event in extensions(world)] == [400]


def test_the_month_is_that_of_the_property_where_the_guest_is() -> None:
    world = hotel()
    world.buy(50_000)
    world.now = datetime(2026, 3, 31, 16, 30, tzinfo=UTC)  # March in Paris, April in Shanghai
    paris = replace(PLACE, zone=ZoneInfo("Europe/Paris"))
    bought = purchase(world.member_id, 10_000, occurred_at=world.now)
    world.do(PostCheckout(uuid4(), replace(bought, place=paris)))
    midnight_in_paris = datetime(2027, 3, 31, 22, tzinfo=UTC)
    assert ends(world) == [midnight_in_paris, midnight_in_paris]


def test_what_is_due_at_the_activity_expires_first() -> None:
    world = hotel()
    world.buy(50_000)
    world.now = MARCH_27
    world.buy(10_000)
    assert extensions(world) == []
    assert [event.points for event in world.events if isinstance(event, ValueExpired)] == [500]
    assert ends(world) == [datetime(2028, 4, 30, 16, tzinfo=UTC)]


def test_one_microsecond_before_everything_lives_on() -> None:
    world = hotel()
    world.buy(50_000)
    world.now = MARCH_27 - INSTANT
    world.buy(10_000)
    assert ends(world) == [datetime(2028, 3, 31, 16, tzinfo=UTC)] * 2


@pytest.mark.parametrize("spending", [{"points": 100}, {"stored": 1_000}])
def test_paying_with_points_or_stored_value_is_activity(spending: dict[str, Any]) -> None:
    world = hotel()
    world.buy(50_000)
    top_up(world, 50_000)
    world.now = datetime(2026, 4, 10, tzinfo=UTC)
    bill = {"points": 100, "stored": 1_000}
    amount = sum(bill[name] for name in spending)
    world.buy(amount, category=Category.ROOM, **spending)
    assert set(ends(world)) == {APRIL_27}
    assert len(extensions(world)) == 1


def test_what_neither_earns_nor_spends_is_no_activity() -> None:
    world = hotel()
    checkout_id = uuid4()
    world.buy(50_000, checkout_id=checkout_id)
    world.now = datetime(2026, 4, 10, tzinfo=UTC)
    world.buy(10_000, category=Category.ROOM)  # without a stay it earns nothing
    top_up(world, 50_000)
    world.do(AdjustBalance(uuid4(), world.member_id, Asset.POINTS, -10, "CORRECTION", "", "CLERK"))
    world.do(SettleDue(world.member_id))
    hold = world.do(authorize(world, points=100))
    world.do(ReleaseHold(world.member_id, hold.hold_id))
    world.do(ReverseCheckout(world.member_id, checkout_id, uuid4(), PLACE, 10_000))
    assert ends(world) == [MARCH_27]
    assert extensions(world) == []


def test_a_capture_is_activity_and_what_holds_have_pinned_lives_on_too() -> None:
    world = hotel()
    world.buy(50_000)
    world.now = datetime(2026, 3, 31, 15, 55, tzinfo=UTC)
    first, second = (world.do(authorize(world, points=each)) for each in (200, 300))
    assert world.member.points.next_expiry is None
    world.now += QUARTER - timedelta(minutes=1)  # in April by then
    world.do(capture(world, first.hold_id, points=150))
    (event,) = extensions(world)
    assert event.extension.checkout_id == first.hold_id
    assert (event.extension.points, event.balances.points_held) == (500, 500)
    assert ends(world) == [APRIL_27]
    world.do(ReleaseHold(world.member_id, second.hold_id))
    assert world.member.balances().next_expiring_points == 350
    check(world)


def test_a_single_point_lives_on_though_a_hold_has_it_and_nothing_is_free() -> None:
    world = hotel()
    world.buy(100)
    world.do(authorize(world, points=1, checkout_id=uuid4()))
    world.now = datetime(2026, 4, 10, tzinfo=UTC)
    world.buy(10_000)
    assert ends(world) == [APRIL_27, APRIL_27]
    check(world)


def test_what_is_over_but_held_is_the_holds_alone_and_lives_no_longer() -> None:
    world = hotel()
    world.buy(50_000)
    world.now = MARCH_27 - QUARTER + INSTANT
    hold = world.do(authorize(world, points=200))
    world.now = MARCH_27
    world.buy(10_000)
    assert extensions(world) == []
    world.do(ReleaseHold(world.member_id, hold.hold_id))
    expired = [event.points for event in world.events if isinstance(event, ValueExpired)]
    assert expired == [300, 200]


def test_lots_of_any_origin_are_extended_none_is_shortened_and_their_order_is_that_of_now() -> None:
    world = hotel()
    rows = [
        (80, datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)),
        (70, datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)),
        (60, datetime(2026, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)),
        (50, datetime(2026, 1, 1, tzinfo=UTC), None),
    ]
    import_id = uuid4()
    for line, row in enumerate(rows, 1):
        row_of = (import_id, line, f"LOT-{line}", world.member_id, Asset.POINTS)
        world.do(ImportBalance(*row_of, *row))
    world.buy(10_000, points=100)
    assert extensions(world)[0].extension.points == 150
    assert ends(world) == [MARCH_27, rows[2][2], None, MARCH_27]
    spent = [(each.lot_number, each.amount) for each in world.entries[-1].postings]
    assert spent[:2] == [(2, -70), (1, -30)]  # ends at once by now, so the older one came first
    check(world)


def test_only_a_purchase_that_a_version_with_the_policy_decides_extends() -> None:
    world = hotel()
    april = datetime(2026, 4, 1, tzinfo=UTC)
    plain = programme(OUTLET_BASE, months=2)
    idle = replace(world.programme, version=2, valid_from=april)
    world.books.programmes = Programmes([plain, idle])
    world.buy(50_000)
    world.now = april + timedelta(days=1)
    world.buy(10_000, occurred_at=april - INSTANT)
    assert ends(world) == [
        datetime(2026, 5, 31, 16, tzinfo=UTC),
        datetime(2026, 6, 30, 16, tzinfo=UTC),  # bought on 1 April in Shanghai
    ]
    world.buy(10_000)
    assert ends(world) == [APRIL_27] * 3
    assert extensions(world)[0].extension.programme_version == 2


def test_a_late_booking_is_activity_of_its_own_time() -> None:
    world = hotel()
    world.buy(50_000)
    world.now = datetime(2026, 7, 10, tzinfo=UTC)
    stay, april = Stay(Channel.DIRECT, "", 1), datetime(2026, 4, 10, tzinfo=UTC)
    for occurred_at, expires_at in ((april - timedelta(days=400), MARCH_27), (april, APRIL_27)):
        world.buy(10_000, category=Category.ROOM, occurred_at=occurred_at, stay=stay)
        assert ends(world)[0] == expires_at
    late = datetime(2026, 8, 31, 16, tzinfo=UTC)  # the minimum life; then by the later booking
    assert extensions(world)[-1].extension.points == 500 + 100
    assert late not in ends(world)


def test_a_reversal_restores_into_lots_as_they_end_now_and_undoes_no_extension() -> None:
    world, checkout_id = hotel(), uuid4()
    world.buy(50_000)
    world.now = datetime(2026, 4, 10, tzinfo=UTC)
    world.buy(40_000, points=200, checkout_id=checkout_id)
    world.now = datetime(2026, 5, 10, tzinfo=UTC)
    world.buy(10_000)
    world.do(ReverseCheckout(world.member_id, checkout_id, uuid4(), PLACE))
    assert world.member.lots[1].remaining == 500
    assert ends(world) == [MAY_27, MAY_27]
    check(world)


def test_pending_points_begin_to_count_when_they_mature() -> None:
    world = hotel(OUTLET_BASE, GIFT, months=2)
    world.buy(10_000)
    (pending,) = world.member.pending.values()
    assert pending.matures_at == START + timedelta(days=40)  # in April
    assert pending.expires_at == datetime(2026, 6, 30, 16, tzinfo=UTC)
    world.now = pending.matures_at
    world.buy(10_000)
    assert ends(world) == [datetime(2026, 6, 30, 16, tzinfo=UTC)] * 3


def test_points_that_staff_give_live_as_if_there_had_been_activity() -> None:
    world = hotel()
    world.do(AdjustBalance(uuid4(), world.member_id, Asset.POINTS, 70, "GOODWILL", "", "CLERK"))
    assert ends(world) == [MARCH_27]


def test_a_hold_is_spent_in_the_order_that_its_lots_have_now() -> None:
    world = hotel()
    import_id = uuid4()
    for line, (earned, expiry) in enumerate(((2, 6), (1, 7)), 1):
        row_of = (import_id, line, f"LOT-{line}", world.member_id, Asset.POINTS, 100)
        dates = datetime(2026, earned, 1, tzinfo=UTC), datetime(2026, expiry, 1, tzinfo=UTC)
        world.do(ImportBalance(*row_of, *dates))
    hold = world.do(authorize(world, points=200))
    world.do(post(world, 10_000))
    world.do(capture(world, hold.hold_id, points=100))
    spent = [(each.lot_number, each.amount) for each in world.entries[-1].postings]
    assert spent == [(2, -100)]
    check(world)


def test_members_are_warned_again_of_the_new_last_day() -> None:
    world, told = hotel(months=2), []
    world.buy(50_000)
    for now in (
        datetime(2026, 5, 25, 4, tzinfo=UTC),
        datetime(2026, 5, 26, 4, tzinfo=UTC),
        datetime(2026, 7, 25, 4, tzinfo=UTC),
    ):
        world.now = now
        before = len(world.events)
        world.do(WarnExpiring(world.member_id, SHANGHAI))
        new = [each for each in world.events[before:] if isinstance(each, PointsExpiring)]
        told += [(now.month, each.amount, each.days) for each in new]
        if now.day == 26:
            world.buy(10_000)
    assert told == [(5, 500, 7), (7, 600, 7)]
