"""Two replicas, real PostgreSQL, the expiry job behind everything: each prize is won once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from chassis.clock import ManualClock
from chassis.storage.executor import Submission
from chassis.storage.requests import command_fingerprint
from services.points.converters.requests import to_command
from services.points.domain.commands import Command
from tests.integration.points.conftest import Serve
from tests.integration.points.racing import ROUNDS, deadlocks, outcomes, two_replicas
from tests.integration.points.requests import post, purchase, reverse
from tests.integration.points.running import Points

SPRING = datetime(2026, 3, 10, 4, tzinfo=UTC)
LATER = timedelta(days=790)
"""After it, all that was earned before has expired."""
SPENDERS, POSTINGS, IDLE = 64, 500, 20

pytestmark = pytest.mark.timeout(60 + ROUNDS * 30)


async def run(points: Points, commands: Sequence[Command]) -> list[object]:
    """Outcomes of commands that a replica gets at once, as its servicer would hand them on."""
    submissions = [
        Submission(each, "gateway", str(uuid4()), command_fingerprint("race", [], b"k" * 32))
        for each in commands
    ]
    return list(await points.application.executor.execute_many(submissions))


def dinner(member: UUID, clock: ManualClock, amount: int, points: int = 0) -> Command:
    return to_command(post(purchase(member, amount, points=points, occurred_at=clock.now())))


async def leave_something_to_expire(points: Points, clock: ManualClock) -> None:
    """Guests who never come back: from here on the jobs of both replicas compete for them."""
    await run(points, [dinner(uuid4(), clock, 10_000) for _ in range(IDLE)])
    clock.advance(LATER)


def test_of_64_spends_of_a_whole_balance_exactly_one_succeeds(
    serve: Serve, ledger_url: str
) -> None:
    clock = ManualClock(SPRING)

    async def one_round(replicas: Sequence[Points]) -> None:
        callers = [each.caller() for each in replicas]
        await leave_something_to_expire(replicas[0], clock)
        member = uuid4()
        await run(replicas[0], [dinner(member, clock, 50_000)])
        bought = purchase(member, 500, points=500, occurred_at=clock.now())
        spends = [callers[at % 2].call("Post", post(bought)) for at in range(SPENDERS)]
        assert await outcomes(spends) == {"OK": 1, "INSUFFICIENT_POINTS": SPENDERS - 1}
        for caller in callers:
            await caller.channel.close()

    async def race() -> None:
        async with two_replicas(serve, clock) as replicas:
            for _ in range(ROUNDS):
                await one_round(replicas)

    asyncio.run(race())
    assert deadlocks(ledger_url) == 0


def test_of_500_postings_reversed_twice_at_once_each_is_reversed_once(
    serve: Serve, ledger_url: str
) -> None:
    clock = ManualClock(SPRING)

    async def one_round(replicas: Sequence[Points]) -> None:
        await leave_something_to_expire(replicas[0], clock)
        members = [uuid4() for _ in range(POSTINGS // 10)]
        posted = [post(purchase(members[at % len(members)], 10_000, occurred_at=clock.now()))
                  for at in range(POSTINGS)]  # fmt: skip
        await run(replicas[0], [to_command(each) for each in posted])
        reversals = [
            [
                to_command(reverse(UUID(each.purchase.member_id), each.checkout_id))
                for each in posted
            ]
            for _ in replicas
        ]
        reversals[1].reverse()
        done = await asyncio.gather(*map(run, replicas, reversals))
        given = [getattr(each, "reason", "OK") for outcomes in done for each in outcomes]
        assert {reason: given.count(reason) for reason in set(given)} == {
            "OK": POSTINGS,
            "ALREADY_REVERSED": POSTINGS,
        }

    async def race() -> None:
        async with two_replicas(serve, clock) as replicas:
            for _ in range(ROUNDS):
                await one_round(replicas)

    asyncio.run(race())
    assert deadlocks(ledger_url) == 0
