"""A backlog drained to Kafka by the relay, against kafka-python's own `KafkaProducer.send`.

    python -m benchmarks.relay_drain [--rounds 3] [--events 100000] [--members 5000] [--profile]

The subject is `chassis.messaging.relay.Relay` on a full outbox: read, encode, send, await the
acknowledgement of the brokers (acks=all, idempotent), delete; from the first read to the last
delete. The reference sends the same number of equal events from memory, one `send` each, and waits
for them; it reads and deletes nothing. The target is absolute: 10,000 events/s.

DATABASE_URL and KAFKA_BOOTSTRAP name servers to measure; without them they are started in a
temporary folder.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID

import psycopg
from kafka import KafkaProducer

from chassis.clock import SystemClock
from chassis.identifiers import new_id
from chassis.messaging.cloudevents import Received, encode
from chassis.messaging.creation import ensure_topics
from chassis.messaging.observers import SilentRelayObserver
from chassis.messaging.producer import Producer
from chassis.messaging.relay import Relay
from chassis.storage.engine import create_engine
from chassis.storage.tables import CREATE_STATEMENTS
from cli.local.kafka import KafkaBroker
from cli.local.ports import free_port
from cli.local.postgres import PostgresServer, ensure_database

TARGET = 10_000
SOURCE, TYPE = "huitouke.bench", "huitouke.points.v1.PointsEarned"
PAYLOAD = bytes(range(160))
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_FILL = """
    INSERT INTO outbox
        (id, aggregatetype, aggregateid, type, payload, version, occurred_at, traceparent)
    SELECT gen_random_uuid(), 'member', members.id, %(type)s, %(payload)s, round,
           clock_timestamp(), %(trace)s
    FROM generate_series(1, %(rounds)s) AS round,
         unnest(%(members)s::uuid[]) AS members (id)
    ORDER BY round
"""


@dataclass(slots=True)
class Drained(SilentRelayObserver):
    """Stops the relay when `wanted` events are published; knows when it began and ended."""

    wanted: int
    stop: threading.Event = field(default_factory=threading.Event)
    began: float = 0.0
    ended: float = 0.0
    published: int = 0

    def batch_read(self, *, events: int, oldest_age_seconds: float) -> None:
        del events, oldest_age_seconds
        self.began = self.began or time.perf_counter()

    def batch_published(self, *, events: int) -> None:
        self.published += events
        if self.published >= self.wanted:
            self.ended = time.perf_counter()
            self.stop.set()


@contextmanager
def servers() -> Iterator[tuple[str, str]]:
    """A database URL and a bootstrap address."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="huitouke-bench-")))
        url, bootstrap = os.environ.get("DATABASE_URL"), os.environ.get("KAFKA_BOOTSTRAP")
        if url is None:
            postgres = PostgresServer(folder / "data", free_port(), folder / "postgres.log")
            postgres.start()
            stack.callback(postgres.stop)
            url = postgres.url()
        if bootstrap is None:
            kafka = KafkaBroker(folder / "kafka", free_port(), free_port(), folder / "kafka.log")
            kafka.start()
            stack.callback(kafka.stop)
            bootstrap = kafka.bootstrap
        yield url, bootstrap


def new_topic(bootstrap: str) -> str:
    name = f"bench.{new_id().hex}"
    ensure_topics(bootstrap, [name])
    return name


def fill(url: str, events: int, members: list[UUID]) -> int:
    """Put a backlog into the outbox; returns its size."""
    rounds = max(1, events // len(members))
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in CREATE_STATEMENTS:
            connection.execute(statement.encode())
        connection.execute("TRUNCATE outbox")
        connection.execute(
            _FILL,
            {
                "type": TYPE,
                "payload": PAYLOAD,
                "trace": TRACE,
                "rounds": rounds,
                "members": members,
            },
        )
    return rounds * len(members)


def drain(url: str, bootstrap: str, events: int, profile: cProfile.Profile | None) -> float:
    """Events a second of the relay."""
    engine = create_engine(url, application_name="bench-relay")
    observer = Drained(events)
    relay = Relay(
        engine=engine,
        open_producer=partial(Producer, bootstrap),
        topic=new_topic(bootstrap),
        source=SOURCE,
        observer=observer,
    )
    if profile is None:
        relay.run(observer.stop)
    else:
        profile.runcall(relay.run, observer.stop)
    engine.dispose()
    return events / (observer.ended - observer.began)


def send_one_by_one(bootstrap: str, events: int, members: list[UUID]) -> float:
    """Events a second of `KafkaProducer.send` with the same headers, key and value."""
    topic, now = new_topic(bootstrap), SystemClock().now()
    event = Received(TYPE, SOURCE, members[0], 1, new_id(), now, PAYLOAD, TRACE)
    headers = encode(event)
    keys = [str(member).encode() for member in members]
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        batch_size=256 * 1024,
        linger_ms=5,
        metrics_enabled=False,
    )
    producer.partitions_for(topic)
    began = time.perf_counter()
    futures = [
        producer.send(topic, PAYLOAD, keys[number % len(keys)], headers) for number in range(events)
    ]
    producer.flush()
    took = time.perf_counter() - began
    assert all(future.succeeded() for future in futures)
    producer.close()
    return events / took


def main() -> None:
    parser = argparse.ArgumentParser(description="Events a second from outbox to Kafka.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--members", type=int, default=5_000)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    members = [new_id() for _ in range(arguments.members)]
    with servers() as (server, bootstrap):
        ensure_database(server, name := f"bench_relay_{os.getpid()}")
        url = f"{server.rsplit('/', 1)[0]}/{name}"
        relays, sends = [], []
        for number in range(1, arguments.rounds + 1):
            sends.append(send_one_by_one(bootstrap, arguments.events // 4, members))
            relays.append(drain(url, bootstrap, fill(url, arguments.events, members), None))
            print(f"round {number}: relay {relays[-1]:.0f}, send {sends[-1]:.0f}", flush=True)
        relay, send = statistics.median(relays), statistics.median(sends)
        print(f"KafkaProducer.send, one by one: {send:.0f} events/s (median)")
        print(
            f"relay, outbox to acknowledged and deleted: {relay:.0f} events/s = "
            f"{relay / send:.1f} x send, {relay / TARGET:.1f} x the target of {TARGET}"
        )
        if arguments.profile:
            profile = cProfile.Profile()
            drain(url, bootstrap, fill(url, arguments.events, members), profile)
            pstats.Stats(profile).sort_stats("tottime").print_stats(12)


if __name__ == "__main__":
    main()
