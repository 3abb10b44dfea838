"""Versions of the programme while batches of other writers are under way."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import psycopg

from chassis.clock import ManualClock
from services.points.domain.answers import PostAnswer
from services.points.domain.commands import SettleDue
from services.points.domain.ledger import decide
from tests.integration.points.storages import buy, nothing, on_postgresql
from tests.unit.points.worlds import START, programme


def test_a_batch_is_decided_by_the_versions_it_was_loaded_for(ledger_url: str) -> None:
    """A version that another writer learns meanwhile would ask for lots that were not loaded."""
    clock = ManualClock(START)
    storage = on_postgresql(clock, ledger_url)
    storage.publish(programme(months=24))
    member = uuid4()
    for _ in range(8):  # lots that end in eight months
        storage.do(buy(member, 10_000, clock.now()))
        clock.advance(timedelta(days=31))
    spending = buy(member, 10_000, clock.now(), points=100)
    with storage.transactions.begin() as transaction:
        books = storage.loaded(transaction, spending)
        known = books.programmes.latest_version
        storage.publish(programme(months=0, points_expire_after_idle_months=30))
        storage.look(buy(uuid4(), 10_000, clock.now()))  # another writer's batch learns of it
        answer = decide(books, spending, clock.now()).answer
        storage.repository.save(transaction.connection, books)
        transaction.commit(nothing, [], [], [], clock.now())
    books = storage.look(SettleDue(member))
    next_expiry = books.members[member].points.next_expiry
    with psycopg.connect(ledger_url) as connection:
        first_end = connection.execute(
            "SELECT min(expires_at) FROM lots WHERE asset = 'POINTS' AND remaining > 0"
        ).fetchone()
    assert next_expiry is not None
    assert (next_expiry.expires_at,) == first_end
    assert isinstance(answer, PostAnswer)
    assert answer.posted.programme_version == known
    assert books.programmes.latest_version == known + 1
