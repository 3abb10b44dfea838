"""Extending points: the same of tables in memory as of PostgreSQL, and told over gRPC."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1 import programme_pb2
from huitouke.points.v1.events_pb2 import PointsExtended

from chassis.clock import ManualClock
from chassis.kernel import Refusal
from services.points.domain.assets import Asset
from services.points.domain.commands import AuthorizeHold, CaptureHold, ImportBalance
from tests.integration.points.conftest import Serve
from tests.integration.points.requests import post, purchase, request_id
from tests.integration.points.storages import (
    MEMORY,
    POSTGRESQL,
    Storage,
    buy,
    in_memory,
    on_postgresql,
)
from tests.unit.points.worlds import PLACE, START, programme

MONTH = timedelta(days=31)
SPRING = datetime(2026, 3, 10, 4, tzinfo=UTC)
TYPE = "huitouke.points.v1.PointsExtended"


@pytest.fixture(params=[MEMORY, POSTGRESQL])
def storage(request: pytest.FixtureRequest) -> Storage:
    """A ledger whose points live to the end of the month twelve months after activity."""
    clock = ManualClock(START)
    if request.param == MEMORY:
        made = in_memory(clock)
    else:
        made = on_postgresql(clock, request.getfixturevalue("ledger_url"))
    made.publish(programme(months=0, points_expire_after_idle_months=12))
    return made


def bought(storage: Storage, member: UUID, amount: int = 10_000) -> Any:
    return buy(member, amount, storage.clock.now())


def ends(storage: Storage, member: UUID) -> list[datetime | None]:
    """When each open lot ends, in spend order."""
    everything = buy(member, 1, storage.clock.now(), points=2**40)
    lots = storage.look(everything).members[member].points.open_lots or []
    assert [lot.order for lot in lots] == sorted(lot.order for lot in lots)
    return [lot.expires_at for lot in lots]


def brought_in(member: UUID, line: int, expires_at: datetime) -> ImportBalance:
    row = uuid4(), line, f"LOT-{line}", member, Asset.POINTS, 100
    return ImportBalance(*row, START - timedelta(days=line), expires_at)


def test_the_first_activity_of_a_month_loads_every_lot_and_the_next_one_none(
    storage: Storage,
) -> None:
    member = uuid4()
    for _ in range(9):
        storage.do(bought(storage, member))
    assert storage.look(bought(storage, member)).members[member].points.open_lots is None
    storage.clock.advance(MONTH)
    loaded = storage.look(bought(storage, member)).members[member].points.open_lots
    assert len(loaded or ()) == 9
    storage.do(bought(storage, member))
    assert storage.look(bought(storage, member)).members[member].points.open_lots is None
    assert set(ends(storage, member)) == {datetime(2027, 4, 30, 16, tzinfo=UTC)}


def test_a_ledger_none_of_whose_versions_counts_activity_loads_nothing(storage: Storage) -> None:
    plain, member = in_memory(storage.clock), uuid4()
    plain.publish(programme(months=2))
    plain.do(bought(plain, member))
    storage.clock.advance(MONTH)
    assert plain.look(bought(plain, member)).members[member].points.open_lots is None


def test_later_ends_are_saved_and_the_members_next_expiry_with_them(storage: Storage) -> None:
    member = uuid4()
    storage.do(brought_in(member, 1, START + MONTH), brought_in(member, 2, START + 2 * MONTH))
    never_sooner = START + 900 * timedelta(days=1)
    storage.do(brought_in(member, 3, never_sooner))
    storage.do(bought(storage, member))
    end = datetime(2027, 3, 31, 16, tzinfo=UTC)
    assert ends(storage, member) == [end, end, end, never_sooner]
    first = storage.look(bought(storage, member)).members[member].points.next_expiry
    assert first == (end, START - timedelta(days=2), 100)


def test_what_a_hold_has_pinned_wholly_is_loaded_and_extended_too(storage: Storage) -> None:
    member, hold = uuid4(), uuid4()
    storage.do(bought(storage, member))
    storage.clock.advance(timedelta(days=21, hours=11, minutes=55))  # 15:55 on 31 March, UTC
    storage.do(AuthorizeHold(member, hold, PLACE, "CNY", 100, 0, timedelta(minutes=15)))
    storage.clock.advance(timedelta(minutes=10))
    storage.do(bought(storage, member))
    capture = CaptureHold(member, hold, PLACE, "CNY", 40, 0)
    end = datetime(2027, 4, 30, 16, tzinfo=UTC)
    held = storage.look(capture).members[member].lots[1]
    assert (held.held, held.free, held.expires_at) == (100, 0, end)
    storage.do(capture)
    assert ends(storage, member) == [end, end]


def test_a_lot_that_the_same_batch_brings_in_is_extended(storage: Storage) -> None:
    member = uuid4()
    for _ in range(7):
        storage.do(bought(storage, member))
    storage.do(brought_in(member, 1, START + MONTH), bought(storage, member))
    assert ends(storage, member) == [datetime(2027, 3, 31, 16, tzinfo=UTC)] * 9
    first = storage.look(bought(storage, member)).members[member].points.next_expiry
    assert first == (datetime(2027, 3, 31, 16, tzinfo=UTC), START - timedelta(days=1), 100)


def published(found: programme_pb2.Programme, **policy: Any) -> pb.PublishProgrammeRequest:
    version = programme_pb2.Programme()
    version.CopyFrom(found)
    version.valid_from.FromDatetime(SPRING)
    version.points_expire_after_months = 0
    for name, value in policy.items():
        setattr(version, name, value)
    return pb.PublishProgrammeRequest(request_id=request_id(), programme=version)


def extensions_told(url: str) -> list[PointsExtended]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT payload FROM outbox WHERE type = %s ORDER BY seq", (TYPE,)
        ).fetchall()
    return [PointsExtended.FromString(payload) for (payload,) in rows]


def test_activity_is_told_quoted_and_explained_for_ever(serve: Serve, ledger_url: str) -> None:
    clock = ManualClock(SPRING)

    async def scenario() -> None:
        async with serve(clock=clock) as points:
            caller, operator, member = points.caller(), points.caller("operator"), uuid4()
            found = (await caller.call("GetProgramme", pb.GetProgrammeRequest())).programme
            policy = published(found, points_expire_after_idle_months=2)
            await operator.call("PublishProgramme", policy)
            await caller.call("Post", post(purchase(member, 50_000, occurred_at=clock.now())))
            clock.advance(MONTH)
            dinner, checkout_id = purchase(member, 10_000, occurred_at=clock.now()), uuid4()
            quoted = (await caller.call("Quote", pb.QuoteRequest(purchase=dinner))).posted
            posted = (await caller.call("Post", post(dinner, checkout_id))).posted
            assert quoted == posted
            end = datetime(2026, 6, 30, 16, tzinfo=UTC)
            asked = pb.GetBalancesRequest(member_id=str(member))
            balances = (await caller.call("GetBalances", asked)).balances
            for each in (posted.balances, balances):
                assert each.next_expiry.ToDatetime(tzinfo=UTC) == end
            (told,) = extensions_told(ledger_url)
            assert (told.member_id, told.checkout_id) == (str(member), str(checkout_id))
            assert told.expires_at.ToDatetime(tzinfo=UTC) == end
            assert told.extended_at.ToDatetime(tzinfo=UTC) == clock.now()
            assert (told.points, told.programme_version) == (500, 2)
            assert (told.balances.member_version, balances.member_version) == (2, 3)
            assert (await operator.call("VerifyBooks", pb.VerifyBooksRequest())).balanced
            with psycopg.connect(ledger_url) as connection:
                connection.execute("DELETE FROM points_extensions")
            books = await operator.call("VerifyBooks", pb.VerifyBooksRequest())
            assert not books.balanced

    asyncio.run(scenario())


def test_a_fixed_day_is_published_and_decides_and_two_policies_are_refused_by_field(
    serve: Serve,
) -> None:
    clock = ManualClock(SPRING)

    async def scenario() -> None:
        async with serve(clock=clock) as points:
            caller, operator, member = points.caller(), points.caller("operator"), uuid4()
            found = (await caller.call("GetProgramme", pb.GetProgrammeRequest())).programme
            two = {"points_expire_on": "2026-12-31", "points_expire_after_idle_months": 6}
            for policy, field in (
                (two, "points_expire_after_idle_months"),
                ({"points_expire_on": "2026-12-31", "points_expire_after_months": 1},
                 "points_expire_on"),
                ({"points_expire_on": "2026-13-01"}, "points_expire_on"),
                ({"points_expire_on": "soon"}, "points_expire_on"),
                ({"points_expire_after_idle_months": 241}, "points_expire_after_idle_months"),
            ):  # fmt: skip
                with pytest.raises(Refusal) as refused:
                    await operator.call("PublishProgramme", published(found, **policy))
                assert refused.value.reason == "INVALID_FIELD"
                assert refused.value.fields[0].field == f"programme.{field}"
            request = published(found, points_expire_on="2026-12-31")
            version = (await operator.call("PublishProgramme", request)).version
            kept = (await caller.call("GetProgramme", pb.GetProgrammeRequest())).programme
            assert (kept.version, kept.points_expire_on) == (version, "2026-12-31")
            bought = purchase(member, 50_000, occurred_at=clock.now())
            posted = (await caller.call("Post", post(bought))).posted
            end = datetime(2026, 12, 31, 16, tzinfo=UTC)
            assert posted.balances.next_expiry.ToDatetime(tzinfo=UTC) == end

    asyncio.run(scenario())
