"""Expiry warnings by the job, against real PostgreSQL, with a clock that tests move."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
from huitouke.points.v1 import entry_pb2
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1.events_pb2 import PointsExpiring

from chassis.clock import ManualClock
from services.points.jobs.walking import Job
from services.points.jobs.warning import warning_walk
from tests.integration.points.conftest import Serve
from tests.integration.points.requests import post, purchase, top_up
from tests.integration.points.running import Points

SPRING = datetime(2026, 3, 10, 4, tzinfo=UTC)
LAST_MORNING = datetime(2028, 3, 31, 2, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
TYPE = "huitouke.points.v1.PointsExpiring"


def warnings_told(url: str) -> list[PointsExpiring]:
    """Every warning in the outbox, in order."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT payload FROM outbox WHERE type = %s ORDER BY seq", (TYPE,)
        ).fetchall()
    return [PointsExpiring.FromString(payload) for (payload,) in rows]


def job_of(points: Points, clock: ManualClock, **sizes: int) -> Job:
    application = points.application
    return Job(warning_walk(SHANGHAI), application.reads, application.executor, clock, **sizes)


def move_to(clock: ManualClock, instant: datetime) -> None:
    clock.advance(instant - clock.now())


def test_members_are_warned_30_and_7_days_before_by_any_number_of_runs(
    serve: Serve, ledger_url: str
) -> None:
    clock = ManualClock(SPRING)

    async def scenario() -> None:
        async with serve(clock=clock) as points:
            caller, guest, saver = points.caller(), uuid4(), uuid4()
            await caller.call("Post", post(purchase(guest, 50_000, occurred_at=clock.now())))
            await caller.call("TopUp", top_up(saver, 100_000))
            job = job_of(points, clock)
            found = []
            for days in (31, 30, 29, 8, 7, 6, 0):
                move_to(clock, LAST_MORNING - timedelta(days=days))
                found.append((days, await job.run_once(), await job.run_once()))
            assert {days: counts for days, *counts in found if any(counts)} == {
                30: [2, 0],
                7: [2, 0],
            }
            told = [
                (UUID(each.member_id), each.days, each.asset) for each in warnings_told(ledger_url)
            ]
            points_, bonus = entry_pb2.ASSET_POINTS, entry_pb2.ASSET_BONUS
            assert sorted(told) == sorted(
                [(guest, 30, points_), (guest, 7, points_), (saver, 30, bonus), (saver, 7, bonus)]
            )
            versions = [each.balances.member_version for each in warnings_told(ledger_url)]
            assert sorted(versions) == [2, 2, 3, 3]

    asyncio.run(scenario())


def test_nobody_is_warned_at_night_and_everybody_in_the_morning(
    serve: Serve, ledger_url: str
) -> None:
    clock = ManualClock(SPRING)

    async def scenario() -> None:
        async with serve(clock=clock) as points:
            member = uuid4()
            bought = purchase(member, 50_000, occurred_at=clock.now())
            await points.caller().call("Post", post(bought))
            job = job_of(points, clock)
            midnight = LAST_MORNING - timedelta(days=30, hours=10)
            for hours, warned in ((0, 0), (8.99, 0), (9, 1), (20, 0), (21, 0)):
                move_to(clock, midnight + timedelta(hours=hours))
                assert await job.run_once() == warned, hours

    asyncio.run(scenario())


def test_two_replicas_at_once_warn_each_member_once(serve: Serve, ledger_url: str) -> None:
    clock = ManualClock(SPRING)

    async def scenario() -> None:
        async with serve(clock=clock) as one, serve(clock=clock) as other:
            members = [uuid4() for _ in range(60)]
            for member in members:
                bought = purchase(member, 10_000, occurred_at=clock.now())
                await one.caller().call("Post", post(bought))
            move_to(clock, LAST_MORNING - timedelta(days=7))
            jobs = [job_of(each, clock, batch_members=7, page_members=20) for each in (one, other)]
            await asyncio.gather(*(job.run_once() for job in jobs for _ in range(2)))
            told = [UUID(each.member_id) for each in warnings_told(ledger_url)]
            assert sorted(told) == sorted(members)
            assert {each.days for each in warnings_told(ledger_url)} == {7}

    asyncio.run(scenario())


def test_a_warning_explains_its_version_for_ever_though_it_moves_nothing(
    serve: Serve, ledger_url: str
) -> None:
    clock = ManualClock(SPRING)

    async def scenario() -> None:
        async with serve(clock=clock) as points:
            caller, member, job = points.caller(), uuid4(), job_of(points, clock)
            for month in range(3):
                move_to(clock, SPRING + timedelta(days=32 * month))
                bought = purchase(member, 10_000, occurred_at=clock.now())
                await caller.call("Post", post(bought))
            for day in range(-32, 70):
                move_to(clock, LAST_MORNING + timedelta(days=day))
                await job.run_once()
            assert len(warnings_told(ledger_url)) == 6
            books = await points.caller("operator").call("VerifyBooks", pb.VerifyBooksRequest())
            assert books.balanced, books

    asyncio.run(scenario())
