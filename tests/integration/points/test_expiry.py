"""Expiry through the real server and by the job, with a clock that tests move."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4, uuid5

import psycopg
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1.events_pb2 import CheckoutPosted, CheckoutReversed, ValueExpired
from huitouke.type.v1 import booking_channel_pb2

from chassis.clock import ManualClock
from services.points.jobs.expiring import EXPIRING
from services.points.jobs.walking import Job
from services.points.main import MIGRATIONS
from tests.databases import Lender
from tests.integration.points.conftest import Serve
from tests.integration.points.requests import post, purchase, reverse, top_up
from tests.integration.points.running import Caller, running

SPRING = datetime(2026, 3, 10, 4, tzinfo=UTC)
END_OF_MARCH_2028 = datetime(2028, 3, 31, 16, tzinfo=UTC)
"""Midnight in Shanghai at the end of the month that lies 24 months later."""


async def found(caller: Caller, member: UUID) -> tuple[int, int, int]:
    """Points, BONUS and version."""
    request = pb.GetBalancesRequest(member_id=str(member))
    balances = (await caller.call("GetBalances", request)).balances
    return balances.points, balances.bonus_minor, balances.member_version


def events_of(url: str, member: UUID) -> list[tuple[int, str, bytes]]:
    """(version, type, payload) of a member's events still in the outbox, in order."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT version, type, payload FROM outbox WHERE aggregateid = %s ORDER BY seq",
            (member,),
        ).fetchall()


def test_value_expires_at_the_months_end_to_the_instant_for_reads_and_by_the_next_command(
    serve: Serve, ledger_url: str
) -> None:
    clock = ManualClock(SPRING)

    async def wait() -> None:
        async with serve(clock=clock) as points:
            caller, member = points.caller(), uuid4()
            await caller.call("TopUp", top_up(member, 100_000))
            bought = purchase(member, 30_000, occurred_at=clock.now())
            answer = await caller.call("Post", post(bought))
            expiry = answer.posted.balances.next_expiry.ToDatetime(tzinfo=UTC)
            assert expiry == END_OF_MARCH_2028
            assert answer.posted.balances.next_expiring_points == 300
            clock.advance(END_OF_MARCH_2028 - clock.now() - timedelta(microseconds=1))
            assert await found(caller, member) == (300, 10_000, 2)
            clock.advance(timedelta(microseconds=1))
            assert await found(caller, member) == (0, 0, 2)
            late = purchase(member, 10_000, occurred_at=clock.now())
            await caller.call("Post", post(late))
            assert await found(caller, member) == (100, 0, 4)
            kinds = [kind.rpartition(".")[2] for _, kind, _ in events_of(ledger_url, member)]
            posted = "CheckoutPosted"
            assert kinds == ["StoredValueToppedUp", posted, "ValueExpired", posted]
            expired = ValueExpired.FromString(events_of(ledger_url, member)[2][2])
            assert (expired.points, expired.bonus_minor) == (300, 10_000)
            assert expired.balances.member_version == 3

    asyncio.run(wait())


def test_what_a_reversal_returns_to_an_expired_lot_expires_at_once_as_its_own_event(
    serve: Serve, ledger_url: str
) -> None:
    clock = ManualClock(SPRING)

    async def refund() -> None:
        async with serve(clock=clock) as points:
            caller, member, dinner = points.caller(), uuid4(), uuid4()
            first = purchase(member, 50_000, occurred_at=clock.now())
            await caller.call("Post", post(first))
            clock.advance(timedelta(days=300))
            bought = purchase(member, 20_000, points=400, occurred_at=clock.now())
            await caller.call("Post", post(bought, dinner))
            clock.advance(timedelta(days=500))
            answer = await caller.call("Reverse", reverse(member, dinner))
            assert answer.points_restored == 400
            assert (answer.points_taken_back, answer.debt_recorded) == (196, 0)
            assert answer.balances.points == 0
            events = events_of(ledger_url, member)
            assert [version for version, _, _ in events] == [1, 2, 3, 4, 5]
            before = CheckoutReversed.FromString(events[3][2])
            assert before.balances.points == 400
            after = ValueExpired.FromString(events[4][2])
            assert (after.points, after.balances.points) == (400, 0)
            assert after.balances == answer.balances

    asyncio.run(refund())


def test_the_job_expires_what_is_due_for_idle_members_and_a_second_run_finds_nothing(
    serve: Serve,
) -> None:
    clock = ManualClock(SPRING)

    async def idle() -> None:
        async with serve(clock=clock) as points:
            caller = points.caller()
            members = [uuid4() for _ in range(5)]
            for member in members[:3]:
                bought = purchase(member, 10_000, occurred_at=clock.now())
                await caller.call("Post", post(bought))
            clock.advance(timedelta(days=800))
            for member in members[3:]:
                bought = purchase(member, 10_000, occurred_at=clock.now())
                await caller.call("Post", post(bought))
            application = points.application
            job = Job(EXPIRING, application.reads, application.executor, clock)
            assert await job.run_once() == 3
            assert await job.run_once() == 0
            assert [(await found(caller, each))[0] for each in members] == [0, 0, 0, 100, 100]
            books = await points.caller("operator").call("VerifyBooks", pb.VerifyBooksRequest())
            assert books.balanced

    asyncio.run(idle())


def test_a_member_whose_books_are_damaged_keeps_nobody_else_from_the_job(
    serve: Serve, ledger_url: str
) -> None:
    clock = ManualClock(SPRING)

    async def idle() -> None:
        async with serve(clock=clock) as points:
            caller = points.caller()
            damaged, *others = sorted(uuid4() for _ in range(4))
            for member in (damaged, *others):
                bought = purchase(member, 10_000, occurred_at=clock.now())
                await caller.call("Post", post(bought))
            with psycopg.connect(ledger_url) as connection:
                connection.execute(
                    "UPDATE members SET points = 1, points_next_remaining = 1 WHERE member_id = %s",
                    (damaged,),
                )
            clock.advance(timedelta(days=800))
            application = points.application
            job = Job(EXPIRING, application.reads, application.executor, clock)
            assert await job.run_once() == 3
            assert [(await found(caller, each))[2] for each in others] == [2, 2, 2]

    asyncio.run(idle())


async def expired_by(
    url: str, certificates: Path, sizes: Sequence[tuple[int, int]]
) -> list[tuple[object, ...]]:
    """What is left of one population after a job for each of `sizes` (batch, page) at once."""
    clock = ManualClock(SPRING)
    async with AsyncExitStack() as services:
        replicas = [
            await services.enter_async_context(running(url, certificates, clock=clock))
            for _ in sizes
        ]
        caller = replicas[0].caller()
        for number in range(40):
            for bought in range(number % 4):
                clock_now = SPRING + timedelta(days=20 * bought)
                clock.advance(max(clock_now - clock.now(), timedelta()))
                member = UUID(int=number + 1)
                request = purchase(member, 10_000 + number, occurred_at=clock_now)
                await caller.call("Post", post(request, uuid5(member, str(bought))))
        clock.advance(END_OF_MARCH_2028 + timedelta(hours=1) - clock.now())
        jobs = [
            Job(
                EXPIRING,
                each.application.reads,
                each.application.executor,
                clock,
                batch_members=batch,
                page_members=page,
            )
            for each, (batch, page) in zip(replicas, sizes, strict=True)
        ]
        await asyncio.gather(*(job.run_once() for job in jobs))
    with psycopg.connect(url) as connection:
        read = "SELECT * FROM postings WHERE kind = 'EXPIRY' ORDER BY member_id, version, line"
        postings = connection.execute(read).fetchall()
        told = "SELECT aggregateid, version, payload FROM outbox WHERE type LIKE '%ValueExpired'"
        events = connection.execute(f"{told} ORDER BY 1, 2").fetchall()
    return [*postings, *events]


def test_expiry_is_the_same_at_any_batch_size_and_by_any_number_of_replicas(
    lender: Lender, certificates: Path
) -> None:
    results = []
    for sizes in ([(1, 3)], [(7, 11)], [(256, 10_000)], [(7, 5), (256, 10_000), (3, 20)]):
        with lender.lend(MIGRATIONS) as url:
            results.append(asyncio.run(expired_by(url, certificates, sizes)))
    assert len(results[0]) > 60
    assert all(result == results[0] for result in results[1:])


def test_an_old_stay_earns_points_that_live_to_the_end_of_the_next_month(
    serve: Serve, ledger_url: str
) -> None:
    clock = ManualClock(SPRING)

    async def replay() -> None:
        async with serve(clock=clock) as points:
            caller, member = points.caller(), uuid4()
            bought = purchase(member, 10_000, occurred_at=datetime(2016, 7, 1, tzinfo=UTC))
            bought.stay.channel = booking_channel_pb2.BOOKING_CHANNEL_DIRECT
            bought.stay.nights = 2
            answer = await caller.call("Post", post(bought))
            expiry = answer.posted.balances.next_expiry.ToDatetime(tzinfo=UTC)
            assert expiry == datetime(2026, 4, 30, 16, tzinfo=UTC)
            event = CheckoutPosted.FromString(events_of(ledger_url, member)[0][2])
            assert event.posted == answer.posted

    asyncio.run(replay())
