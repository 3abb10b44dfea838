"""Rows of open checkouts on real PostgreSQL: one of commit, cancel and deadline, for ever."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from huitouke.gateway.v1 import checkout_pb2
from huitouke.points.v1 import hold_pb2, points_service_pb2, purchase_pb2

from chassis.storage.engine import create_engine
from gateway.domain import errors
from gateway.domain.checkouts import (
    CommitKey,
    CommitPlan,
    Held,
    Opening,
    Phase,
    Record,
    State,
)
from gateway.domain.participants import Posted
from gateway.storage.journal import ExecutorJournal
from gateway.storage.queue import UnfinishedQueue
from tests.integration.gateway.test_storage import (
    GRACE,
    MEMBER,
    POSTED,
    gateway_url,
    opening,
    outbox,
    replica,
)

__all__ = ["gateway_url"]

AUTHORIZED = hold_pb2.AuthorizeHoldResponse(points=100, cash_minor=900, bonus_minor=90)
DRAFT = checkout_pb2.Receipt(gross_minor=500, currency="CNY").SerializeToString()
PLAN = CommitPlan(CommitKey("c", b"\x02" * 20), b"post", b"", DRAFT, 500, None)
Move = Callable[[ExecutorJournal, Record], Awaitable[Record]]


def opened_first(open_for: timedelta = timedelta(minutes=30), request_id: str = "") -> Opening:
    """The first record of an open checkout."""
    first = opening(request_id or str(uuid.uuid4()))
    return replace(
        first,
        plan=replace(first.plan, post=b"", authorize=b"authorize"),
        tendered_minor=None,
        commit_by=first.opened_at + open_for,
        facts=b"facts",
    )


async def waiting(journal: ExecutorJournal, open_for: timedelta = timedelta(minutes=30)) -> Record:
    """A checkout that waits for its commit."""
    record = (await journal.record(opened_first(open_for))).record
    return await journal.note_held(record, AUTHORIZED)


async def commit(journal: ExecutorJournal, record: Record) -> Record:
    return await journal.take_commit(record, PLAN)


async def cancel(journal: ExecutorJournal, record: Record) -> Record:
    return await journal.cancel(record, errors.checkout_cancelled(), finished=False)


def test_a_record_is_read_as_its_phases_left_it(gateway_url: str) -> None:
    first = opened_first(request_id="r")
    with replica(gateway_url) as journal:

        async def through() -> None:
            record = (await journal.record(first)).record
            assert record == Record(first, phase=Phase.OPENING)
            noted = await journal.note_held(record, AUTHORIZED)
            held = Held(noted.held.answer if noted.held else b"", 100, 990)
            assert noted == replace(record, phase=Phase.WAITING, held=held)
            assert (await journal.record(first)).record == noted
            taken = await journal.take_commit(noted, PLAN)
            whole = PLAN.complete(first)
            assert taken == replace(noted, phase=Phase.COMMITTING, opening=whole, commit=PLAN.key)
            assert (await journal.record(first)).record == taken

        asyncio.run(through())
    assert outbox(gateway_url) == [("CheckoutOpened", 1)]


def test_what_waits_comes_due_at_its_deadline_and_what_is_decided_soon(gateway_url: str) -> None:
    open_for, lease = timedelta(minutes=30), timedelta(seconds=30)
    queue = UnfinishedQueue(create_engine(gateway_url, application_name="test-queue"))
    with replica(gateway_url) as journal:
        one = asyncio.run(waiting(journal, open_for))
        two = asyncio.run(waiting(journal, open_for))
        now = datetime.now(UTC)
        assert queue.counts() == (0, 2)
        assert queue.claim(now + open_for - GRACE, lease, 10) == []
        asyncio.run(commit(journal, one))
        assert queue.counts() == (1, 1)
        assert [c.record_id for c in queue.claim(now + 2 * GRACE, lease, 10)] == [one.checkout_id]
        due = queue.claim(now + open_for + GRACE, lease, 10)
        assert {claim.record_id for claim in due} == {one.checkout_id, two.checkout_id}


@pytest.mark.parametrize("seed", range(4))
def test_of_commits_cancellations_and_deadlines_at_two_replicas_one_wins(
    gateway_url: str, seed: int
) -> None:
    chosen = random.Random(seed)
    with replica(gateway_url) as one, replica(gateway_url) as other:

        async def race(index: int) -> tuple[Record, list[Record]]:
            # Every third is past its deadline when they meet.
            late = index % 3 == 0
            open_for = timedelta(microseconds=1) if late else timedelta(minutes=30)
            record = await waiting(one, open_for)
            moves: list[Move] = [commit, cancel, commit, cancel]
            chosen.shuffle(moves)
            journals = [one, other, other, one]
            met = await asyncio.gather(
                *(move(journal, record) for move, journal in zip(moves, journals, strict=True))
            )
            return (await one.record(record.opening)).record, list(met)

        async def everyone() -> list[tuple[Record, list[Record]]]:
            return await asyncio.gather(*(race(index) for index in range(24)))

        ended = asyncio.run(everyone())
    for index, (record, met) in enumerate(ended):
        assert {(each.state, each.phase, each.commit) for each in met} == {
            (record.state, record.phase, record.commit)
        }
        if index % 3 == 0:
            assert record.refusal is not None
            assert record.refusal.reason == "CHECKOUT_EXPIRED"
        else:
            taken = (State.OPEN, Phase.COMMITTING)
            assert (record.state, record.phase) in {taken, (State.CANCELLED, Phase.WAITING)}
    told = outbox(gateway_url)
    cancelled = sum(record.state is State.CANCELLED for record, _ in ended)
    kinds = [kind for kind, _ in told]
    assert (kinds.count("CheckoutOpened"), kinds.count("CheckoutCancelled")) == (24, cancelled)
    assert [version for _, version in told] == list(range(1, len(told) + 1))


def test_an_opening_given_up_loses_to_one_that_was_noted(gateway_url: str) -> None:
    with replica(gateway_url) as one, replica(gateway_url) as other:

        async def meet() -> Record:
            record = (await one.record(opened_first())).record
            await one.note_held(record, AUTHORIZED)
            return await other.cancel(record, errors.checkout_cancelled(), finished=False)

        record = asyncio.run(meet())
    assert (record.state, record.phase) == (State.OPEN, Phase.WAITING)


def test_a_taken_commit_is_decided_with_what_the_ledger_did(gateway_url: str) -> None:
    posted = Posted(
        500, points_service_pb2.PostResponse(posted=purchase_pb2.Posted(to_pay_minor=500))
    )
    with replica(gateway_url) as journal:

        async def through() -> Record:
            taken = await commit(journal, await waiting(journal))
            cancelled = await cancel(journal, replace(taken, phase=Phase.WAITING))
            assert cancelled == taken, "a cancellation learns that the commit was first"
            return await journal.commit(taken, posted, finished=True)

        record = asyncio.run(through())
    assert (record.state, record.phase, record.finished) == (
        State.COMMITTED, Phase.COMMITTING, True,
    )  # fmt: skip
    assert record.opening.member_id == MEMBER


@pytest.mark.parametrize(
    "change",
    [
        "phase = 2, commit_request_id = NULL, commit_fingerprint = NULL",
        "phase = 1, held = NULL",
        "post_request = 'other'",
        "commit_request_id = NULL",
        "held = NULL",
        "commit_by = NULL",
        "points_redeemed = 101",
        "stored_value_minor = 991",
    ],
)
def test_the_database_itself_keeps_a_commit(gateway_url: str, change: str) -> None:
    with replica(gateway_url) as journal:

        async def take() -> Record:
            return await commit(journal, await waiting(journal))

        asyncio.run(take())
    with (
        psycopg.connect(gateway_url) as connection,
        pytest.raises(psycopg.errors.IntegrityError),
    ):
        connection.execute(f"UPDATE checkouts SET {change}")


def test_the_database_refuses_to_commit_what_only_waits(gateway_url: str) -> None:
    with replica(gateway_url) as journal:
        asyncio.run(waiting(journal))
    decided = "state = 2, decided_at = now(), receipt = ''"
    with (
        psycopg.connect(gateway_url) as connection,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        connection.execute(f"UPDATE checkouts SET {decided}")


def test_one_call_checkouts_are_written_as_before(gateway_url: str) -> None:
    with replica(gateway_url) as journal:

        async def both() -> Record:
            await asyncio.gather(journal.record(opening("one")), journal.record(opened_first()))
            record = (await journal.record(opening("one"))).record
            return await journal.commit(record, POSTED, finished=True)

        record = asyncio.run(both())
    assert (record.phase, record.held, record.commit) == (Phase.ONE_CALL, None, None)
