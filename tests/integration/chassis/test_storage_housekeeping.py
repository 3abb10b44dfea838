"""Housekeeping against PostgreSQL: bounded, beside another replica, and through an outage."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from chassis.clock import ManualClock
from chassis.storage.housekeeping import Chore, Housekeeping
from chassis.storage.requests import purge, remembered_requests
from tests.integration.chassis.storage_accounts import number, prepared_engine
from tests.remembering import remember, remembered

NOON = datetime(2030, 5, 1, 12, tzinfo=UTC)
MONTH = timedelta(days=30)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = prepared_engine(database_url)
    yield engine
    engine.dispose()


def keeping(engine: Engine, *chores: Chore, batch_rows: int = 2) -> Housekeeping:
    return Housekeeping(engine, ManualClock(NOON), chores, 3600.0, batch_rows, batches_max=2)


def one_round(housekeeping: Housekeeping) -> None:
    """Let it go through its chores once."""

    async def until_the_last() -> None:
        stop = asyncio.get_running_loop().create_future()

        def end(_connection: Connection, before: datetime, limit: int) -> int:
            assert (before, limit) == (NOON - MONTH, housekeeping.batch_rows)
            loop.call_soon_threadsafe(stop.set_result, None)
            return 0

        loop = asyncio.get_running_loop()
        chores = [*housekeeping.chores, Chore("end", MONTH, end)]
        await replace(housekeeping, chores=chores).run_until(stop)

    asyncio.run(until_the_last())


def test_a_round_is_bounded_and_the_next_goes_on(engine: Engine, database_url: str) -> None:
    for index in range(5):
        remember(database_url, f"old{index}", NOON - MONTH - timedelta(seconds=1))
    remember(database_url, "young", NOON - MONTH)
    housekeeping = keeping(engine, remembered_requests(MONTH))
    one_round(housekeeping)
    assert len(remembered(database_url)) == 2
    one_round(housekeeping)
    assert remembered(database_url) == ["young"]


def test_what_another_replica_deletes_is_left_to_it(engine: Engine, database_url: str) -> None:
    for index in range(4):
        remember(database_url, f"old{index}", NOON - MONTH - timedelta(seconds=1))
    with engine.begin() as other:
        assert purge(other, NOON - MONTH, 3) == 3
        assert keeping(engine).batch(remembered_requests(MONTH)) == 1
    assert number(engine, "SELECT count(*) FROM requests") == 0


def test_a_chore_that_fails_keeps_no_other_from_its_turn(engine: Engine, database_url: str) -> None:
    def outage(_connection: Connection, before: datetime, limit: int) -> int:
        raise OperationalError("DELETE", {"before": before, "limit": limit}, Exception("away"))

    remember(database_url, "old", NOON - MONTH - timedelta(seconds=1))
    one_round(keeping(engine, Chore("broken", MONTH, outage), remembered_requests(MONTH)))
    assert remembered(database_url) == []
