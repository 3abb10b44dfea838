"""Two points services on one database: the same promises as one."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from threading import Thread
from uuid import uuid4

import psycopg
import pytest
from huitouke.points.v1 import points_service_pb2 as pb
from sqlalchemy import Connection

from chassis.clock import SystemClock
from chassis.kernel import Refusal
from chassis.storage.engine import create_engine
from chassis.storage.executor import Submission
from chassis.storage.requests import fingerprint
from chassis.storage.sets import driver
from services.points.converters.requests import to_command
from services.points.domain.ledger import decide
from services.points.main import ledger_executor
from services.points.storage.repository import PointsRepository
from tests.integration.points.conftest import Serve
from tests.integration.points.requests import cancel, post, purchase, reverse, top_up
from tests.integration.points.running import Caller
from tests.waiting import wait_until


async def outcomes(*calls: tuple[Caller, str, object]) -> Counter[str]:
    """How often each reason was given, "OK" for answers."""
    done = await asyncio.gather(
        *(caller.call(method, request) for caller, method, request in calls),
        return_exceptions=True,
    )
    unexpected = [
        each for each in done if isinstance(each, Exception) and not isinstance(each, Refusal)
    ]
    assert not unexpected
    return Counter(each.reason if isinstance(each, Refusal) else "OK" for each in done)


def test_two_replicas_race_for_balances_ids_and_reversals_and_each_is_won_once(
    serve: Serve,
) -> None:
    async def race() -> None:
        async with serve() as one, serve() as other:
            callers = [one.caller(), other.caller()]
            member = uuid4()
            await callers[0].call("Post", post(purchase(member, 50_000)))
            spends = [
                (callers[at % 2], "Post", post(purchase(member, 500, points=500)))
                for at in range(32)
            ]
            assert await outcomes(*spends) == {"OK": 1, "INSUFFICIENT_POINTS": 31}

            request = post(purchase(member, 10_000))
            same = [(callers[at % 2], "Post", request) for at in range(32)]
            assert await outcomes(*same) == {"OK": 32}

            for _ in range(5):
                wanted = uuid4()
                others = [
                    (callers[at % 2], "Post", post(purchase(uuid4(), 1_000), wanted))
                    for at in range(16)
                ]
                assert await outcomes(*others) == {"OK": 1, "CHECKOUT_EXISTS": 15}

            voucher = uuid4()
            top_ups = [
                (callers[at % 2], "TopUp", top_up(uuid4(), 1_000, voucher)) for at in range(16)
            ]
            assert await outcomes(*top_ups) == {"OK": 1, "TOP_UP_EXISTS": 15}

            dinners = [uuid4() for _ in range(20)]
            for dinner in dinners:
                await callers[0].call("Post", post(purchase(member, 10_000), dinner))
            reversals = [
                (caller, "Reverse", reverse(member, dinner))
                for dinner in dinners
                for caller in callers
            ]
            assert await outcomes(*reversals) == {"OK": 20, "ALREADY_REVERSED": 20}

            for _ in range(8):
                doubtful = uuid4()
                settled = await asyncio.gather(
                    callers[0].call("Post", post(purchase(member, 1_000), doubtful)),
                    callers[1].call("CancelPost", cancel(member, doubtful)),
                    return_exceptions=True,
                )
                fenced = settled[1].HasField("cancelled")  # type: ignore[union-attr]
                assert isinstance(settled[0], Refusal) == fenced

            books = await one.caller("operator").call("VerifyBooks", pb.VerifyBooksRequest())
            assert books.balanced

    asyncio.run(race())


def test_an_id_that_another_replica_takes_meanwhile_reruns_the_batch(ledger_url: str) -> None:
    engine = create_engine(ledger_url, application_name="test", pool_size=4, index_plans=True)
    checkout, now = uuid4(), datetime.now(UTC)
    first, second = (post(purchase(uuid4(), 10_000), checkout) for _ in range(2))
    executor = ledger_executor(engine, SystemClock())
    executor.start()
    with engine.connect() as faster:
        repository, command = PointsRepository(SystemClock()), to_command(first)
        books = repository.lock(faster, [command])
        repository.load(faster, books, [command])
        decide(books, command, now)
        repository.save(faster, books)
        winner = Thread(target=_commit_soon, args=(ledger_url, faster))
        winner.start()
        asked = Submission(
            to_command(second), "gateway", second.request_id, fingerprint(second, b"k" * 32)
        )
        with pytest.raises(Refusal) as refused:
            executor.execute_blocking(asked)
        assert refused.value.reason == "CHECKOUT_EXISTS"
        winner.join()
    executor.stop()
    engine.dispose()


def _commit_soon(url: str, connection: Connection) -> None:
    """Commit once somebody waits for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with psycopg.connect(url, autocommit=True) as watcher:
        wait_until(lambda: watcher.execute(waiting).fetchone() != (0,), 20, "somebody waits")
    driver(connection).commit()
