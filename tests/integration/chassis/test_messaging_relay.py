"""The relay against a real PostgreSQL and a real Kafka: order, leases, crashes, outages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine, text

from chassis.identifiers import new_id
from chassis.messaging.backlog import Backlog
from chassis.messaging.lease import Lease, LeaseLostError
from chassis.storage import outbox
from chassis.storage.tables import OUTBOX_PAYLOAD_BYTES_MAX
from cli.local.kafka import KafkaBroker
from cli.local.ports import free_port
from tests.integration.chassis import messaging_bench as bench
from tests.waiting import wait_until


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = bench.new_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def topic(kafka_bootstrap: str, topic_prefix: str) -> str:
    return bench.new_topic(kafka_bootstrap, topic_prefix)


def interleaved(keys: list[UUID], versions: range) -> list[outbox.OutboxEvent]:
    return [bench.outbox_event(key, version) for version in versions for key in keys]


def test_every_event_arrives_once_in_order_and_leaves_the_outbox(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    keys = [new_id() for _ in range(20)]
    bench.emit(engine, interleaved(keys, range(1, 51)))
    with bench.running(bench.new_relay(engine, kafka_bootstrap, topic, batch_events=300)):
        bench.wait_until_published(engine)
        bench.emit(engine, interleaved(keys, range(51, 61)))
        bench.wait_until_published(engine)
    events = bench.events_of(kafka_bootstrap, topic)
    assert bench.versions_by_key(events) == {key: list(range(1, 61)) for key in keys}
    assert {(e.type, e.source, e.time, e.payload) for e in events} == {
        (bench.EVENT_TYPE, bench.SOURCE, bench.START, b"\x08\x01")
    }


def test_an_event_as_large_as_the_outbox_takes_can_be_sent_and_a_larger_one_is_never_kept(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    key = new_id()
    small = [bench.outbox_event(key, version, b"x" * 200_000) for version in (1, 3)]
    largest = bench.outbox_event(key, 2, b"x" * OUTBOX_PAYLOAD_BYTES_MAX)
    bench.emit(engine, [small[0], largest, small[1]])
    with pytest.raises(psycopg.errors.CheckViolation):
        bench.emit(engine, [bench.outbox_event(key, 4, b"x" * (OUTBOX_PAYLOAD_BYTES_MAX + 1))])
    with bench.running(bench.new_relay(engine, kafka_bootstrap, topic)):
        bench.wait_until_published(engine)
    assert [e.version for e in bench.events_of(kafka_bootstrap, topic)] == [1, 2, 3]


def test_a_transaction_that_commits_late_is_not_overtaken_by_its_keys_next_event(
    engine: Engine, database_url: str
) -> None:
    late_key, other_key = new_id(), new_id()
    with psycopg.connect(database_url, autocommit=True) as connection:
        backlog = Backlog(connection)
        with engine.begin() as late:
            outbox.append(late, [bench.outbox_event(late_key, 1)])
            bench.emit(engine, [bench.outbox_event(other_key, 1)])
            (sent,) = backlog.next_rows(after=0, in_flight=0, limit=10)
        bench.emit(engine, [bench.outbox_event(late_key, 2)])
        assert backlog.next_rows(after=sent[0], in_flight=1, limit=10) == []
        backlog.delete([sent[0]])
        rows = backlog.next_rows(after=0, in_flight=0, limit=10)
    assert [(row[2], row[5]) for row in rows] == [
        (str(late_key).encode(), b"1"),
        (str(late_key).encode(), b"2"),
    ]


def test_a_lease_has_one_holder_and_is_lost_when_it_runs_out_and_is_taken(
    engine: Engine, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        first, second = (Lease(connection, "relay", name, 60) for name in ("first", "second"))
        assert first.acquire()
        assert not second.acquire()
        assert first.acquire()
        connection.execute("UPDATE leases SET expires_at = now() - interval '1 second'")
        assert second.acquire()
        with pytest.raises(LeaseLostError):
            Lease(connection, "relay", "first", 60).keep()
        second.release()
        assert first.acquire()


def test_of_two_relays_one_works_and_the_other_takes_over(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    key = new_id()
    second = bench.new_relay(engine, kafka_bootstrap, topic)

    def holder() -> str | None:
        with engine.connect() as connection:
            holder = connection.execute(text("SELECT holder FROM leases")).scalar_one_or_none()
            return None if holder is None else str(holder)

    patient = bench.new_relay(engine, kafka_bootstrap, topic, lease_seconds=30.0)
    with bench.running(patient):
        first_holder = wait_until(holder, 10, "the first relay holds the lease")
        with bench.running(second):
            bench.emit(engine, [bench.outbox_event(key, version) for version in range(1, 101)])
            bench.wait_until_published(engine)
            assert holder() == first_holder
    with bench.running(second):
        bench.emit(engine, [bench.outbox_event(key, version) for version in range(101, 201)])
        bench.wait_until_published(engine)
        assert holder() not in (None, first_holder)
    events = bench.events_of(kafka_bootstrap, topic)
    assert [event.version for event in events] == list(range(1, 201))


def test_a_relay_whose_lease_is_taken_stops_sending(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    with bench.running(bench.new_relay(engine, kafka_bootstrap, topic, lease_seconds=1.0)):
        bench.emit(engine, [bench.outbox_event(new_id(), 1)])
        bench.wait_until_published(engine)
        with engine.begin() as connection:
            taken = "UPDATE leases SET holder = 'other', expires_at = now() + interval '1 hour'"
            connection.execute(text(taken))
        wait_until(lambda: _idle_relays(engine) == 1, 10, "the relay waits for the lease again")
        bench.emit(engine, [bench.outbox_event(new_id(), 1)])
        bench_left = bench.unpublished(engine)
        with engine.begin() as connection:
            connection.execute(text("UPDATE leases SET expires_at = now()"))
        bench.wait_until_published(engine)
    assert bench_left == 1


def _idle_relays(engine: Engine) -> int:
    """Relay connections whose last statement asked for the lease."""
    query = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE '%INSERT INTO leases%'
          AND pid <> pg_backend_pid() AND state = 'idle'
          AND state_change > now() - interval '300 milliseconds'
          AND EXISTS (SELECT FROM leases WHERE holder = 'other')
    """
    with engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


KILLED_RELAY = """
import sys, threading
from tests.integration.chassis import messaging_bench as bench
from chassis.storage.engine import create_engine
engine = create_engine(sys.argv[1], application_name="killed")
bench.new_relay(engine, sys.argv[2], sys.argv[3], lease_seconds=1.0).run(threading.Event())
"""


def test_killed_between_sending_and_deleting_the_next_relay_sends_again(
    engine: Engine, database_url: str, kafka_bootstrap: str, topic: str
) -> None:
    key = new_id()
    bench.emit(engine, [bench.outbox_event(key, version) for version in range(1, 11)])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RELAY, database_url, kafka_bootstrap, topic],
        env={**os.environ, "HUITOUKE_FAILPOINTS": "relay.after_send=kill"},
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL
    assert bench.unpublished(engine) == 10
    with bench.running(bench.new_relay(engine, kafka_bootstrap, topic)):
        bench.wait_until_published(engine)
    events = bench.events_of(kafka_bootstrap, topic)
    assert [event.version for event in events] == [*range(1, 11), *range(1, 11)]
    assert len({event.id for event in events}) == 10


def test_a_relay_whose_database_connection_is_cut_goes_on(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    key = new_id()
    with bench.running(bench.new_relay(engine, kafka_bootstrap, topic)):
        for version in range(1, 4):
            bench.emit(engine, [bench.outbox_event(key, version)])
            bench.wait_until_published(engine)
            with engine.begin() as connection:
                cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                mine = "datname = current_database() AND pid <> pg_backend_pid()"
                connection.execute(text(cut + mine + " AND query LIKE '%outbox%'"))
    versions = [event.version for event in bench.events_of(kafka_bootstrap, topic)]
    assert bench.without_repeats(versions) == [1, 2, 3]


@pytest.mark.xdist_group("own-broker")
def test_through_a_broker_crash_every_event_takes_effect_once_and_in_order(
    engine: Engine, tmp_path: Path, topic_prefix: str
) -> None:
    broker = KafkaBroker(tmp_path / "kafka", free_port(), free_port(), tmp_path / "kafka.log")
    broker.start()
    keys = [new_id() for _ in range(10)]
    try:
        topic = bench.new_topic(broker.bootstrap, topic_prefix)
        relay = bench.new_relay(engine, broker.bootstrap, topic, batch_events=200)
        subscriber = bench.Subscriber(engine, broker.bootstrap, topic)
        with bench.running(relay, subscriber):
            bench.emit(engine, interleaved(keys, range(1, 101)))
            subscriber.wait_for(applied=1)
            broker.crash()
            bench.emit(engine, interleaved(keys, range(101, 121)))
            broker.start()
            bench.emit(engine, interleaved(keys, range(121, 141)))
            bench.wait_until_published(engine, 60)
            subscriber.wait_for(applied=1400)
        log = bench.versions_by_key(bench.events_of(broker.bootstrap, topic))
    finally:
        broker.stop()
    complete = {key: list(range(1, 141)) for key in keys}
    assert {key: bench.without_repeats(versions) for key, versions in log.items()} == complete
    assert bench.effects_by_key(engine) == complete
