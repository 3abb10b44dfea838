"""Rows, claims and decisions on real PostgreSQL, without any service."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from huitouke.gateway.v1 import checkout_pb2
from huitouke.points.v1 import points_service_pb2, purchase_pb2

from chassis.clock import SystemClock
from chassis.kernel import Category, Refusal
from chassis.storage.engine import create_engine
from chassis.storage.executor import Executor
from chassis.storage.migrations import migrate
from gateway.converters.events import encode_event
from gateway.converters.opening import write_held
from gateway.converters.receipts import write_receipt
from gateway.converters.refunding import write_refund
from gateway.domain.checkouts import (
    Opening,
    Plan,
    Record,
    Recorded,
    RefundFigures,
    RefundOpening,
    State,
    Till,
)
from gateway.domain.deciding import decide
from gateway.domain.participants import Posted, Reversed
from gateway.main import MIGRATIONS
from gateway.storage import records
from gateway.storage.checkouts import CheckoutRepository
from gateway.storage.journal import CheckoutExecutor, ExecutorJournal, UnrememberedCodec
from gateway.storage.queue import UnfinishedQueue
from gateway.storage.reads import counts
from tests.databases import Lender

GRACE = timedelta(seconds=5)
TILL = Till(uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), "SHA01")
MEMBER = uuid.uuid4()
POSTED = Posted(
    1_000,
    points_service_pb2.PostResponse(posted=purchase_pb2.Posted(to_pay_minor=1_000)),
)


@pytest.fixture
def gateway_url(lender: Lender) -> Iterator[str]:
    """The URL of a gateway database as its migrations leave it."""
    with lender.lend(MIGRATIONS) as url:
        yield url


def test_migrating_what_is_migrated_changes_nothing(gateway_url: str) -> None:
    engine = create_engine(gateway_url, application_name="test-migrate")
    assert migrate(engine, MIGRATIONS) == []
    engine.dispose()


@contextmanager
def replica(url: str) -> Iterator[ExecutorJournal]:
    """One replica's journal."""
    engine = create_engine(url, application_name="test-gateway", index_plans=True)
    executor: CheckoutExecutor = Executor(
        engine=engine,
        repository=CheckoutRepository(GRACE),
        decide=decide,
        answer_codec=UnrememberedCodec(),
        encode_event=encode_event,
        clock=SystemClock(),
        name="gateway",
    )
    executor.start()
    try:
        yield ExecutorJournal(executor, write_held, write_receipt, write_refund)
    finally:
        executor.stop()
        engine.dispose()


def opening(request_id: str = "r", *, coupons: bool = False) -> Opening:
    now = datetime.now(UTC)
    verbs = (b"reserve", b"redeem", b"cancel") if coupons else (b"", b"", b"")
    draft = checkout_pb2.Receipt(gross_minor=1_000, currency="CNY")
    return Opening(
        checkout_id=uuid.uuid4(),
        request_id=request_id,
        till=TILL,
        fingerprint=b"\x01" * 20,
        member_id=MEMBER,
        opened_at=now,
        deadline_at=now + timedelta(seconds=10),
        plan=Plan(b"post", b"cancel_post", *verbs),
        draft=draft.SerializeToString(),
        gross_minor=1_000,
        tendered_minor=1_000,
    )


def outbox(url: str) -> list[tuple[str, int]]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT type, version FROM outbox ORDER BY seq").fetchall()
    return [(str(kind).rpartition(".")[2], int(version)) for kind, version in rows]


def test_a_record_is_read_as_it_was_written(gateway_url: str) -> None:
    asked = opening(coupons=True)
    with replica(gateway_url) as journal:
        recorded = asyncio.run(journal.record(asked))
        assert recorded == Recorded(Record(asked), fresh=True)
        again = asyncio.run(journal.record(opening()))
    assert (again.fresh, again.record.opening) == (False, asked)
    assert not again.record.finished


def test_two_replicas_record_one_request_once(gateway_url: str) -> None:
    with replica(gateway_url) as one, replica(gateway_url) as other:

        async def race() -> list[Recorded]:
            calls = [journal.record(opening()) for journal in (one, other) for _ in range(20)]
            return await asyncio.gather(*calls)

        recorded = asyncio.run(race())
    assert sum(each.fresh for each in recorded) == 1
    assert len({each.record.checkout_id for each in recorded}) == 1


def test_the_first_decision_stands_whoever_takes_it(gateway_url: str) -> None:
    refusal = Refusal(Category.PRECONDITION, "INSUFFICIENT_POINTS", "no", metadata={"a": "1"})
    with replica(gateway_url) as one, replica(gateway_url) as other:

        async def race() -> list[Record]:
            record = (await one.record(opening())).record
            decisions = [
                one.cancel(record, refusal, finished=True),
                other.commit(record, POSTED, finished=True),
                one.commit(record, POSTED, finished=True),
                other.cancel(record, refusal, finished=True),
            ]
            return await asyncio.gather(*decisions)

        decided = asyncio.run(race())
    assert len({each.state for each in decided}) == 1
    assert len(outbox(gateway_url)) == 1
    assert all(each.finished for each in decided)


def test_a_refusal_is_kept_with_its_reason_and_metadata(gateway_url: str) -> None:
    refusal = Refusal(Category.PRECONDITION, "INSUFFICIENT_POINTS", "no", metadata={"a": "1"})
    with replica(gateway_url) as journal:

        async def cancel() -> Record:
            record = (await journal.record(opening())).record
            await journal.cancel(record, refusal, finished=True)
            return (await journal.record(opening())).record

        kept = asyncio.run(cancel())
    assert kept.state is State.CANCELLED
    assert kept.refusal is not None
    assert (kept.refusal.reason, kept.refusal.metadata) == ("INSUFFICIENT_POINTS", {"a": "1"})


def test_versions_of_a_member_have_no_gap(gateway_url: str) -> None:
    with replica(gateway_url) as one, replica(gateway_url) as other:

        async def buy(journal: ExecutorJournal, request_id: str) -> None:
            record = (await journal.record(opening(request_id))).record
            await journal.commit(record, POSTED, finished=True)

        async def everybody() -> None:
            calls = [buy(j, f"{i}-{n}") for i, j in enumerate((one, other)) for n in range(20)]
            await asyncio.gather(*calls)

        asyncio.run(everybody())
    assert outbox(gateway_url) == [("CheckoutCommitted", n) for n in range(1, 41)]


def test_a_claim_is_a_lease_for_one(gateway_url: str) -> None:
    with replica(gateway_url) as journal:
        for number in range(10):
            asyncio.run(journal.record(opening(str(number))))
    queue = UnfinishedQueue(create_engine(gateway_url, application_name="test-queue"))
    now, lease = datetime.now(UTC), timedelta(seconds=30)
    assert queue.claim(now, lease, 100) == [], "the grace is not over"
    due = now + 2 * GRACE
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: queue.claim(due, lease, 4), range(4)))
    claims = [claim for part in taken for claim in part]
    assert len({claim.record_id for claim in claims}) == len(claims) == 10
    assert queue.claim(due, lease, 100) == [], "all are leased"
    queue.postpone(claims[0], due - timedelta(seconds=1))
    assert [claim.attempts for claim in queue.claim(due, lease, 100)] == [2]
    assert len(queue.claim(due + 2 * lease, lease, 100)) == 10, "a lease runs out"
    assert queue.counts()[0] == 10


def test_finishing_takes_a_record_out_of_the_queue(gateway_url: str) -> None:
    with replica(gateway_url) as journal:

        async def through() -> Record:
            record = (await journal.record(opening(coupons=True))).record
            decided = await journal.commit(record, POSTED, finished=False)
            await journal.finish(decided.checkout_id)
            await journal.finish(decided.checkout_id)
            return (await journal.record(opening())).record

        assert asyncio.run(through()).finished
    queue = UnfinishedQueue(create_engine(gateway_url, application_name="test-queue"))
    assert queue.counts()[0] == 0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE checkouts SET state = 3, receipt = NULL, refusal = ''",
        "UPDATE checkouts SET points_earned = 1",
        "DELETE FROM checkouts",
    ],
)
def test_the_database_itself_keeps_a_decision(gateway_url: str, change: str) -> None:
    with replica(gateway_url) as journal:
        record = asyncio.run(journal.record(opening())).record
        asyncio.run(journal.commit(record, POSTED, finished=True))
    with (
        psycopg.connect(gateway_url) as connection,
        pytest.raises(psycopg.errors.IntegrityError),
    ):
        connection.execute(change)


def test_the_database_refuses_a_half_decision(gateway_url: str) -> None:
    with replica(gateway_url) as journal:
        asyncio.run(journal.record(opening()))
    with (
        psycopg.connect(gateway_url) as connection,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        connection.execute("UPDATE checkouts SET state = 2, decided_at = now()")


def refund_of(checkout_id: uuid.UUID, **more: Any) -> RefundOpening:
    name = str(uuid.uuid4())
    return RefundOpening(
        uuid.uuid4(), name, TILL, b"", checkout_id, MEMBER, datetime.now(UTC), b"reverse", **more
    )


def reversed_by(amount_minor: int, *, whole: bool) -> Reversed:
    answer = points_service_pb2.ReverseResponse(
        amount_minor=amount_minor, money_minor=amount_minor, whole=whole
    )
    return Reversed(whole, answer)


def test_refunds_of_a_checkout_are_numbered_and_the_whole_one_is_the_last(
    gateway_url: str,
) -> None:
    async def refund(journal: ExecutorJournal) -> None:
        bought = (await journal.record(opening())).record
        await journal.commit(bought, POSTED, finished=True)
        first = await journal.record_refund(refund_of(bought.checkout_id, draft=b""))
        for ordinal in (1, 2):
            with pytest.raises(Refusal) as caught:
                await journal.record_refund(refund_of(bought.checkout_id, ordinal=ordinal))
            assert caught.value.reason == "CHECKOUT_IN_PROGRESS"
        done = await journal.complete_refund(first.record, reversed_by(300, whole=False), None)
        assert done.figures == RefundFigures(300, 300, whole=False)
        second = await journal.record_refund(refund_of(bought.checkout_id, ordinal=2))
        await journal.complete_refund(second.record, reversed_by(700, whole=True), None)
        third = await journal.record_refund(refund_of(bought.checkout_id, ordinal=3))
        assert third.record.refusal is not None
        assert third.record.refusal.reason == "ALREADY_REFUNDED"

    with replica(gateway_url) as journal:
        asyncio.run(refund(journal))
    engine = create_engine(gateway_url, application_name="test-read")
    with engine.connect() as connection:
        counted = counts(connection)
    engine.dispose()
    assert (counted.refunded, counted.refunds, counted.refunded_minor) == (1, 2, 1_000)


@pytest.mark.parametrize(
    ("ordinal", "state", "whole", "held_by"),
    [
        (1, 1, False, "refunds_numbered"),
        (2, 2, True, "refunds_whole_once"),
        (0, 1, False, "refunds_ordinal"),
    ],
)
def test_the_database_itself_keeps_refunds_apart(
    gateway_url: str, ordinal: int, state: int, whole: bool, held_by: str
) -> None:
    insert = (
        "INSERT INTO refunds (refund_id, merchant_id, request_id, outlet_id, terminal_id, "
        "property_code, fingerprint, checkout_id, opened_at, reverse_request, roll_back_request, "
        "money_minor, ordinal, state, whole, answer) VALUES (gen_random_uuid(), "
        "gen_random_uuid(), 'r', gen_random_uuid(), gen_random_uuid(), 'SHA01', '', %s, now(), "
        "'', '', 0, %s, %s, %s, %s)"
    )
    checkout = uuid.uuid4()
    with psycopg.connect(gateway_url) as connection:
        connection.execute(insert, (checkout, 1, 2, True, b"done"))
        answer = b"done" if state == 2 else None
        with pytest.raises(psycopg.errors.IntegrityError) as caught:
            connection.execute(insert, (checkout, ordinal, state, whole, answer))
    assert caught.value.diag.constraint_name == held_by


def test_a_checkout_is_found_by_its_id(gateway_url: str) -> None:
    asked = opening()
    with replica(gateway_url) as journal:
        asyncio.run(journal.record(asked))
    engine = create_engine(gateway_url, application_name="test-read")
    with engine.connect() as connection:
        assert records.by_id(connection, [asked.checkout_id]) == {asked.checkout_id: Record(asked)}
