"""Pending points, caps and budgets through the real server, and by the job."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from huitouke.points.v1 import entry_pb2, events_pb2, programme_pb2
from huitouke.points.v1 import points_service_pb2 as pb

from chassis.clock import ManualClock
from services.points.jobs.expiring import EXPIRING
from services.points.jobs.walking import Job
from tests.integration.points.conftest import Serve
from tests.integration.points.drafting import MERCHANT, bonus, publish
from tests.integration.points.requests import ROOM, cancel, post, purchase, reverse
from tests.integration.points.running import Caller, Points

SPRING = datetime(2026, 3, 10, 4, tzinfo=UTC)
SINCE = datetime(2020, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


async def found(caller: Caller, member: UUID) -> tuple[int, int]:
    """Points and pending points."""
    request = pb.GetBalancesRequest(member_id=str(member))
    balances = (await caller.call("GetBalances", request)).balances
    return balances.points, balances.points_pending


async def balanced(points: Points) -> pb.VerifyBooksResponse:
    books = await points.caller("operator").call("VerifyBooks", pb.VerifyBooksRequest())
    assert books.balanced, books
    assert isinstance(books, pb.VerifyBooksResponse)
    return books


def gift(days: int = 7) -> programme_pb2.EarningRule:
    return bonus("GIFT", 50, funder=MERCHANT, pending=programme_pb2.Pending(days=days))


def test_pending_points_mature_to_the_instant_with_an_entry_and_an_event_of_their_own(
    serve: Serve, ledger_url: str
) -> None:
    clock = ManualClock(SPRING)

    async def wait() -> None:
        async with serve(clock=clock) as points:
            caller, member, dinner = points.caller(), uuid4(), uuid4()
            await publish(points.caller("operator"), gift(), since=SINCE)
            bought = purchase(member, 10_000, occurred_at=clock.now())
            quoted = (await caller.call("Quote", pb.QuoteRequest(purchase=bought))).posted
            posted = (await caller.call("Post", post(bought, dinner))).posted
            assert posted == quoted
            assert (posted.points_earned, posted.points_pending) == (150, 50)
            until = posted.earned_by[-1].pending_until.ToDatetime(tzinfo=UTC)
            assert until == SPRING + 7 * DAY
            told = (await caller.call("CancelPost", cancel(member, dinner))).posted.posted
            assert told == posted
            assert (await balanced(points)).assets[0].pending == 50
            clock.advance(7 * DAY - timedelta(microseconds=1))
            assert await found(caller, member) == (100, 50)
            clock.advance(timedelta(microseconds=1))
            assert await found(caller, member) == (150, 0)
            spent = purchase(member, 150, points=150, occurred_at=clock.now())
            assert (await caller.call("Post", post(spent))).posted.balances.points == 0
            with psycopg.connect(ledger_url) as connection:
                rows = connection.execute(
                    "SELECT version, type, payload FROM outbox WHERE aggregateid = %s ORDER BY seq",
                    (member,),
                ).fetchall()
            assert [row[0] for row in rows] == [1, 2, 3]
            matured = events_pb2.PointsMatured.FromString(rows[1][2])
            assert (matured.points, matured.checkout_id) == (50, str(dinner))
            assert (matured.balances.points, matured.balances.points_pending) == (150, 0)
            entries = await caller.call("ListEntries", pb.ListEntriesRequest(member_id=str(member)))
            kinds = [entry_pb2.EntryKind.Name(each.kind)[11:] for each in entries.entries]
            assert kinds == ["CHECKOUT", "MATURING", "CHECKOUT"]
            again = (await caller.call("CancelPost", cancel(member, dinner))).posted.posted
            assert again == posted
            await balanced(points)

    asyncio.run(wait())


def test_two_jobs_at_once_mature_each_idle_members_points_once(serve: Serve) -> None:
    clock = ManualClock(SPRING)

    async def mature() -> None:
        async with serve(clock=clock) as points, serve(clock=clock) as other:
            caller, members = points.caller(), [uuid4() for _ in range(40)]
            await publish(points.caller("operator"), gift(), since=SINCE)
            for member in members:
                await caller.call("Post", post(purchase(member, 10_000, occurred_at=clock.now())))
            jobs = [
                Job(EXPIRING, each.application.reads, each.application.executor, clock)
                for each in (points, other)
            ]
            assert await jobs[0].run_once() == 0
            clock.advance(8 * DAY)
            await asyncio.gather(*(job.run_once() for job in jobs))
            assert await jobs[0].run_once() == 0
            for member in members:
                assert await found(caller, member) == (150, 0)
            assert (await balanced(points)).assets[0].pending == 0

    asyncio.run(mature())


def test_a_stays_points_wait_for_its_end_and_a_reversal_before_cancels_them(serve: Serve) -> None:
    clock = ManualClock(SPRING)

    async def stay() -> None:
        async with serve(clock=clock) as points:
            caller = points.caller()
            room = programme_pb2.EarningRule(
                code="BASE_ROOM",
                stacking_class=programme_pb2.STACKING_CLASS_BASE,
                points_per_unit_milli=1000,
                funder=1,  # type: ignore[arg-type]
                condition=programme_pb2.Condition(categories=[ROOM]),
                pending=programme_pb2.Pending(until_stay_ends=True),
            )
            await publish(points.caller("operator"), room, since=SINCE)
            before, after = uuid4(), uuid4()
            for member in (before, after):
                booked = purchase(member, 80_000, occurred_at=clock.now())
                booked.lines[0].category = ROOM
                booked.stay.nights, booked.stay.channel = 3, 1  # type: ignore[assignment]
                booked.stay.ends_at.FromDatetime(clock.now() + 3 * DAY)
                await caller.call("Post", post(booked, member))
                assert await found(caller, member) == (0, 800)
            answer = await caller.call("Reverse", reverse(before, before))
            assert (answer.pending_cancelled, answer.debt_recorded) == (800, 0)
            assert answer.points_taken_back == 0
            clock.advance(3 * DAY)
            assert await found(caller, before) == (0, 0)
            assert await found(caller, after) == (800, 0)
            answer = await caller.call("Reverse", reverse(after, after))
            assert (answer.pending_cancelled, answer.points_taken_back) == (0, 800)
            assert await found(caller, after) == (0, 0)
            await balanced(points)

    asyncio.run(stay())


def test_tampered_pending_points_are_found(serve: Serve, ledger_url: str) -> None:
    clock = ManualClock(SPRING)

    async def verify() -> None:
        async with serve(clock=clock) as points:
            members = [uuid4() for _ in range(3)]
            await publish(points.caller("operator"), gift(), since=SINCE)
            for member in members:
                bought = purchase(member, 10_000, occurred_at=clock.now())
                await points.caller().call("Post", post(bought))
            clock.advance(8 * DAY)
            spent = purchase(members[2], 100, points=100, occurred_at=clock.now())
            await points.caller().call("Post", post(spent))
            for member, change in (
                (members[0], "UPDATE pending_points SET points = points + 1"),
                (members[1], "UPDATE members SET points_pending = points_pending + 1"),
                (members[2], "UPDATE pending_points SET points = points - 1"),
            ):
                with psycopg.connect(ledger_url) as connection:
                    connection.execute(f"{change} WHERE member_id = %s".encode(), (member,))
                request = pb.VerifyBooksRequest()
                books = await points.caller("operator").call("VerifyBooks", request)
                assert str(member) in books.differing_member_ids

    asyncio.run(verify())


def test_caps_hold_in_two_replicas_at_once_and_a_reversal_gives_back(serve: Serve) -> None:
    async def race() -> None:
        async with serve() as one, serve() as other:
            callers, member = [one.caller(), other.caller()], uuid4()
            caps = programme_pb2.Caps(per_member_day=170)
            await publish(one.caller("operator"), bonus("HELLO", 50, caps=caps))
            now = datetime.now(UTC)
            dinners = [uuid4() for _ in range(24)]
            done = await asyncio.gather(
                *(
                    callers[at % 2].call("Post", post(purchase(member, 90, occurred_at=now), each))
                    for at, each in enumerate(dinners)
                )
            )
            given = sorted(each.posted.points_earned for each in done)
            assert given == [0] * 20 + [20, 50, 50, 50]
            fifty = next(each for each in done if each.posted.points_earned == 50)
            await callers[1].call("Reverse", reverse(member, fifty.checkout_id))
            again = await callers[0].call("Post", post(purchase(member, 90, occurred_at=now)))
            assert again.posted.points_earned == 50
            await balanced(one)

    asyncio.run(race())


def test_a_total_budget_is_given_to_the_last_point_and_never_overshot(
    serve: Serve, ledger_url: str
) -> None:
    async def race() -> None:
        async with serve() as one, serve() as other:
            callers, operator = [one.caller(), other.caller()], one.caller("operator")
            await publish(operator, bonus("FIRST_COME", 30, budget_points=1_000))
            dinners = [
                callers[at % 2].call("Post", post(purchase(uuid4(), 90), _id(at)))
                for at in range(120)
            ]
            done = await asyncio.gather(*dinners)
            assert sum(each.posted.points_earned for each in done) == 1_000
            winner = next(each for each in done if each.posted.points_earned == 30)
            member = next(
                row[0]
                for row in psycopg.connect(ledger_url).execute(
                    "SELECT member_id FROM checkouts WHERE checkout_id = %s", (winner.checkout_id,)
                )
            )
            await callers[0].call("Reverse", reverse(member, winner.checkout_id))
            later = await callers[1].call("Post", post(purchase(uuid4(), 90)))
            assert later.posted.points_earned == 30
            await publish(operator, bonus("FIRST_COME", 30, budget_points=500))
            late = await callers[1].call("Post", post(purchase(uuid4(), 90)))
            assert late.posted.points_earned == 0
            await publish(operator, bonus("FIRST_COME", 30, budget_points=1_010))
            late = await callers[1].call("Post", post(purchase(uuid4(), 90)))
            assert late.posted.points_earned == 10

    asyncio.run(race())
    with psycopg.connect(ledger_url) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("UPDATE rule_budgets SET given_points = budget_points + 1")


def _id(at: int) -> UUID:
    return UUID(int=2**100 + at)
