"""Races: how many rounds are run, replicas with the expiry job behind them, and who won."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
from huitouke.points.v1 import points_service_pb2 as pb

from chassis.clock import Clock
from chassis.kernel import Refusal
from services.points.jobs.expiring import EXPIRING
from services.points.jobs.walking import Job
from tests.integration.points.conftest import Serve
from tests.integration.points.running import Points

ROUNDS: Final = int(os.environ.get("RACE_ROUNDS", "20"))
"""`make prove` runs ten times as many."""

VERIFY_TIMEOUT_SECONDS: Final = 600
"""Hundreds of rounds leave hundreds of thousands of postings behind, on a machine that is busy."""

_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@asynccontextmanager
async def two_replicas(serve: Serve, clock: Clock) -> AsyncIterator[Sequence[Points]]:
    """Two services on one ledger, each with its expiry job going round and round; then the books.

    Whatever was raced for, nobody may have waited for each other in a circle.
    """
    async with serve(clock=clock) as one, serve(clock=clock) as other:
        replicas, stopping = (one, other), asyncio.Event()
        jobs = [asyncio.create_task(_expire(each, clock, stopping)) for each in replicas]
        yield replicas
        stopping.set()
        assert sum(await asyncio.gather(*jobs)) >= 0
        books = await one.caller("operator").call(
            "VerifyBooks", pb.VerifyBooksRequest(), VERIFY_TIMEOUT_SECONDS
        )
        assert books.balanced, books


async def _expire(points: Points, clock: Clock, stopping: asyncio.Event) -> int:
    """Run the job again and again; returns for how many members there was something to do."""
    application, expired = points.application, 0
    job = Job(EXPIRING, application.reads, application.executor, clock)
    while not stopping.is_set():
        expired += await job.run_once()
        await asyncio.sleep(0)
    return expired


async def outcomes(calls: Sequence[Awaitable[Any]]) -> Counter[str]:
    """How often each reason was given, "OK" for answers; anything else fails the test."""
    done = await asyncio.gather(*calls, return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException) and not isinstance(each, Refusal):
            raise each
    return Counter(each.reason if isinstance(each, Refusal) else "OK" for each in done)


def deadlocks(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(_DEADLOCKS).fetchone()
    return int(row[0]) if row else 0
