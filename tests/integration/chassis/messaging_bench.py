"""A workbench for relay and consumers: a service's outbox, a subscriber's database, a topic."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Protocol
from uuid import UUID

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from sqlalchemy import Connection, Engine, text

from chassis.identifiers import new_id
from chassis.messaging.cloudevents import Received, decode, encode
from chassis.messaging.consumer import Consumer, ConsumerSettings
from chassis.messaging.creation import ensure_topics
from chassis.messaging.handlers import BatchHandler, Handler
from chassis.messaging.producer import Producer
from chassis.messaging.relay import Relay, RelaySettings
from chassis.messaging.topics import dead_letter_topic_of
from chassis.storage import outbox
from chassis.storage.engine import create_engine
from chassis.storage.outbox import OutboxEvent
from chassis.storage.tables import CREATE_STATEMENTS
from tests.waiting import wait_until

SOURCE = "huitouke.bench"
EVENT_TYPE = "huitouke.bench.v1.Happened"
START = datetime(2026, 11, 22, 9, 0, 0, 250000, tzinfo=UTC)
PATIENCE_SECONDS = 30
QUICK = ConsumerSettings(poll_seconds=0.05, retry_seconds=0.05, retry_seconds_max=0.2)


class Blocking(Protocol):
    """A relay or a consumer."""

    def run(self, stop: threading.Event) -> None: ...


@contextmanager
def running(*blocking: Blocking) -> Iterator[None]:
    """Run each in a thread of its own; at the end stop them and raise what one of them raised."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def guarded(run: Callable[[threading.Event], None]) -> None:
        try:
            run(stop)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=guarded, args=(each.run,), daemon=True) for each in blocking]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        assert not errors, errors
        assert not any(thread.is_alive() for thread in threads), "did not stop"


def new_engine(url: str) -> Engine:
    """An engine on an empty database that gets the chassis' tables and a table of effects."""
    engine = create_engine(url, application_name="bench", pool_size=8)
    with engine.begin() as connection:
        for statement in CREATE_STATEMENTS:
            connection.execute(text(statement))
        connection.execute(text("CREATE TABLE effects (n serial, key uuid, version bigint)"))
    return engine


def new_topic(bootstrap: str, prefix: str) -> str:
    topic = f"{prefix}bench.v1"
    ensure_topics(bootstrap, [topic, dead_letter_topic_of(topic)])
    return topic


def new_relay(engine: Engine, bootstrap: str, topic: str, **settings: float) -> Relay:
    quick = {"lease_seconds": 2.0, "poll_seconds": 0.02} | settings
    return Relay(
        engine=engine,
        open_producer=partial(Producer, bootstrap, delivery_timeout_seconds=4.0),
        topic=topic,
        source=SOURCE,
        settings=RelaySettings(**quick),  # type: ignore[arg-type] # batch_events is given as an int
    )


def outbox_event(key: UUID, version: int, payload: bytes = b"\x08\x01") -> OutboxEvent:
    return OutboxEvent(key, "member", EVENT_TYPE, payload, version, START)


def emit(engine: Engine, events: Sequence[OutboxEvent]) -> None:
    with engine.begin() as connection:
        outbox.append(connection, events)


def unpublished(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM outbox")).scalar_one())


def wait_until_published(engine: Engine, seconds: float = PATIENCE_SECONDS) -> None:
    wait_until(lambda: unpublished(engine) == 0, seconds, "the outbox is empty")


def received(key: UUID, version: int, event_type: str = EVENT_TYPE) -> Received:
    return Received(event_type, SOURCE, key, version, new_id(), START, b"\x08\x01")


def publish(bootstrap: str, topic: str, events: Sequence[Received]) -> None:
    """Put events into the log in this order, whatever their versions."""
    producer = Producer(bootstrap)
    for event in events:
        producer.send(topic, str(event.key).encode(), event.payload, encode(event))
    producer.close()


def records_of(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    """Everything in the topic now, in order per partition."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, metrics_enabled=False)
    try:
        partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        records: list[ConsumerRecord] = []
        while any(consumer.position(p) < end for p, end in ends.items()):
            for polled in consumer.poll(timeout_ms=200).values():
                records += polled
        return records
    finally:
        consumer.close()


def events_of(bootstrap: str, topic: str) -> list[Received]:
    return [decode(record.headers, record.value) for record in records_of(bootstrap, topic)]


def versions_by_key(events: Sequence[Received]) -> dict[UUID, list[int]]:
    found: dict[UUID, list[int]] = {}
    for event in events:
        found.setdefault(event.key, []).append(event.version)
    return found


def without_repeats(versions: Sequence[int]) -> list[int]:
    """What a subscriber applies of one key's log: each version once, jumps when they come again."""
    applied = [versions[0]]
    for version in versions:
        if version == applied[-1] + 1:
            applied.append(version)
    return applied


def apply_effect(connection: Connection, event: Received) -> None:
    connection.execute(
        text("INSERT INTO effects (key, version) VALUES (:key, :version)"),
        {"key": event.key, "version": event.version},
    )


def effects(engine: Engine) -> list[tuple[UUID, int]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT key, version FROM effects ORDER BY n"))
        return [(row.key, row.version) for row in rows]


def effects_by_key(engine: Engine) -> dict[UUID, list[int]]:
    found: dict[UUID, list[int]] = {}
    for key, version in effects(engine):
        found.setdefault(key, []).append(version)
    return found


@dataclass
class CountingObserver:
    """Counts what a consumer tells; a real implementation of the Protocol."""

    counts: dict[str, int] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    def _count(self, name: str, events: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + events

    def applied(self, *, events: int, **_: object) -> None:
        self._count("applied", events)

    def skipped(self, *, events: int, **_: object) -> None:
        self._count("skipped", events)

    def duplicates(self, *, events: int, **_: object) -> None:
        self._count("duplicates", events)

    def jumps(self, *, events: int, **_: object) -> None:
        self._count("jumps", events)

    def dead_lettered(self, *, reason: str, **_: object) -> None:
        self._count("dead_lettered")
        self.reasons.append(reason)

    def paused(self, *, reason: str, **_: object) -> None:
        self._count("paused")
        self.reasons.append(reason)

    def resumed(self, **_: object) -> None:
        self._count("resumed")

    def lag(self, *, events: int, **_: object) -> None:
        self.counts["lag"] = events


class Subscriber:
    """A consumer of one topic and what it told."""

    def __init__(
        self,
        engine: Engine,
        bootstrap: str,
        topic: str,
        handler: Handler | BatchHandler = apply_effect,
        settings: ConsumerSettings = QUICK,
    ) -> None:
        self.observer = CountingObserver()
        self.run = Consumer(
            engine=engine,
            bootstrap=bootstrap,
            group=f"{topic}.group",
            topics=[topic],
            handlers={EVENT_TYPE: handler},
            settings=settings,
            observer=self.observer,
        ).run

    def wait_for(self, **counts: int) -> None:
        wait_until(
            lambda: all(self.observer.counts.get(n, 0) >= c for n, c in counts.items()),
            PATIENCE_SECONDS,
            f"{counts}, so far {self.observer.counts}",
        )
