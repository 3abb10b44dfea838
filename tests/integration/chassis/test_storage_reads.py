"""Reads off the loop: bounded, repeated after a lost connection, one snapshot where asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from chassis.kernel import Category, Refusal
from chassis.storage.engine import create_engine
from chassis.storage.reads import Reads
from cli.local.ports import free_port


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="reads", autocommit=True)
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE TABLE things (id bigint)"))
    yield engine
    engine.dispose()


@pytest.fixture
def reads(engine: Engine) -> Iterator[Reads]:
    reads = Reads(engine, threads=2, queue_limit=2)
    yield reads
    reads.close()


def _count(connection: Connection) -> int:
    return int(connection.execute(sa.text("SELECT count(*) FROM things")).scalar() or 0)


def _add(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(sa.text("INSERT INTO things VALUES (1)"))


def test_a_read_returns_what_its_function_returns(reads: Reads, engine: Engine) -> None:
    _add(engine)
    assert asyncio.run(reads.run(_count)) == 1


def test_a_snapshot_does_not_see_what_is_written_meanwhile(reads: Reads, engine: Engine) -> None:
    def twice(connection: Connection) -> tuple[int, int]:
        before = _count(connection)
        _add(engine)
        return before, _count(connection)

    assert asyncio.run(reads.run_snapshot(twice)) == (0, 0)
    assert asyncio.run(reads.run(twice)) == (1, 2)


def test_a_snapshot_cannot_write(reads: Reads) -> None:
    def write(connection: Connection) -> None:
        connection.execute(sa.text("INSERT INTO things VALUES (1)"))

    with pytest.raises(sa.exc.InternalError, match="read-only"):
        asyncio.run(reads.run_snapshot(write))


def test_a_read_that_loses_its_connection_is_repeated(reads: Reads, engine: Engine) -> None:
    pids: list[int] = []

    def count(connection: Connection) -> int:
        pid = int(connection.execute(sa.text("SELECT pg_backend_pid()")).scalar() or 0)
        pids.append(pid)
        if len(pids) == 1:
            with engine.connect() as other:
                other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        return _count(connection)

    assert asyncio.run(reads.run(count)) == 0
    assert len(set(pids)) == 2


def test_reads_beyond_the_limit_are_turned_away_and_their_places_come_free(reads: Reads) -> None:
    gate = threading.Event()

    def wait(_: Connection) -> bool:
        return gate.wait(10)

    async def main() -> None:
        running = [asyncio.ensure_future(reads.run(wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as caught:
            await reads.run(_count)
        assert (caught.value.category, caught.value.reason) == (Category.EXHAUSTED, "OVERLOADED")
        gate.set()
        assert await asyncio.gather(*running) == [True, True]
        assert await reads.run(_count) == 0

    asyncio.run(main())


def test_an_unreachable_database_is_a_refusal(engine: Engine) -> None:
    nowhere = create_engine(
        f"postgresql://nobody@127.0.0.1:{free_port()}/nothing", application_name="reads"
    )
    reads = Reads(nowhere)
    with pytest.raises(Refusal, match="UNAVAILABLE"):
        asyncio.run(reads.run(_count))
    reads.close()


def test_an_error_of_the_query_itself_is_raised(reads: Reads) -> None:
    with pytest.raises(sa.exc.ProgrammingError):
        asyncio.run(reads.run(lambda connection: connection.execute(sa.text("SELECT nothing"))))
