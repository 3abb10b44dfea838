"""The relay: publishes one service's outbox to Kafka in order, and deletes what has arrived.

A row's presence is its being unpublished, so the relay keeps no state of its own and may be killed
at any moment; what was sent and not deleted is sent again, and subscribers drop it by its version.

**Why the lease needs no fencing token.** Two relays at once are a waste, never a fault. Whoever
deletes a row has had it acknowledged as part of its partition's prefix, so every version below the
first row that any relay reads is already in the log, before whatever it sends next. However two
such streams mix, a subscriber meets each version with its predecessor already behind it, and what
comes again is a duplicate. Only a subscriber that starts where retention has cut the log inside a
late duplicate could take too low a baseline; a relay that loses its lease therefore stops sending
at once, and at most two reads' worth can be late.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import psycopg
import structlog
from kafka.errors import KafkaError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from chassis.clock import Clock, SystemClock
from chassis.failpoints import failpoint
from chassis.messaging.backlog import Backlog
from chassis.messaging.lease import Lease, LeaseLostError, unique_holder
from chassis.messaging.observers import RelayObserver, SilentRelayObserver
from chassis.messaging.producer import Producer
from chassis.messaging.records import BatchWriter, OutboxRow
from chassis.messaging.window import NotPublishedError, Window

_log = structlog.get_logger(__name__)
_OUTAGES = (psycopg.Error, SQLAlchemyError, KafkaError, NotPublishedError, LeaseLostError)
_ANSWER_MARGIN_SECONDS = 5.0
_CONNECTION_SETTINGS = (
    # A delete lost in a crash only means sending again: no fsync for it.
    "SET synchronous_commit = off",
    "SET statement_timeout = '5s'",
    # The outbox is short and much rewritten: its pages say nothing about its rows.
    "SET enable_seqscan = off",
)


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """Bounds of the loop.

    - `batch_events`: rows a read takes at most; two reads are in flight at most. Beyond 2,000
      nothing gets faster (measured: 34,000 events/s at 500, 75,000 at 1,000, 118,000 at 2,000).
    - `poll_seconds`: pause after a read that did not fill a batch, so the lag when there is little
      to do and the price when there is nothing (one indexed read each). A shorter one makes smaller
      batches, for which the relay, Kafka and every subscriber pay: at 100 checkouts/s 0.05 costs
      all of them together a seventh of a core more.
    - `lease_seconds`: how long a killed relay's service waits for the next one.
    - `retry_seconds`: pause after an outage, doubling from this to `retry_seconds_max`.
    - `drain_seconds`: how long a stopped relay waits for acknowledgements.
    """

    batch_events: int = 2000
    poll_seconds: float = 0.2
    lease_seconds: float = 10.0
    retry_seconds: float = 0.2
    retry_seconds_max: float = 2.0
    drain_seconds: float = 5.0


class Relay:
    """Publishes the outbox of one service while it holds the service's lease.

    `open_producer` is called anew after each failure. Several may run; one at a time works.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        open_producer: Callable[[], Producer],
        topic: str,
        source: str,
        settings: RelaySettings | None = None,
        observer: RelayObserver | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._engine = engine
        self._open_producer = open_producer
        self._topic = topic
        self._source = source
        self._settings = settings or RelaySettings()
        self._observer = observer or SilentRelayObserver()
        self._clock = clock or SystemClock()
        self._holder = unique_holder()

    def run(self, stop: threading.Event) -> None:
        """Block until `stop` is set, through any outage of PostgreSQL or Kafka."""
        pause = self._settings.retry_seconds
        while not stop.is_set():
            started = time.monotonic()
            try:
                self._publish_while_leased(stop)
            except _OUTAGES as error:
                self._observer.failed(reason=type(error).__name__)
                _log.warning("relay.interrupted", topic=self._topic, reason=_reason(error))
            if time.monotonic() - started > self._settings.retry_seconds_max:
                pause = self._settings.retry_seconds
            stop.wait(pause)
            pause = min(pause * 2, self._settings.retry_seconds_max)

    def _publish_while_leased(self, stop: threading.Event) -> None:
        with self._connected() as connection:
            lease = Lease(
                connection, f"relay:{self._topic}", self._holder, self._settings.lease_seconds
            )
            if not self._await_lease(lease, stop):
                return
            self._observer.lease_changed(held=True)
            try:
                self._publish(connection, lease, stop)
            finally:
                self._observer.lease_changed(held=False)
                with suppress(psycopg.Error):  # it runs out by itself
                    lease.release()

    def _await_lease(self, lease: Lease, stop: threading.Event) -> bool:
        """Whether the lease is held; False when stopped first."""
        while not stop.is_set():
            if lease.acquire():
                return True
            stop.wait(self._settings.lease_seconds / 5)
        return False

    def _publish(
        self,
        connection: psycopg.Connection[tuple[object, ...]],
        lease: Lease,
        stop: threading.Event,
    ) -> None:
        producer = self._open_producer()
        try:
            writer = BatchWriter(self._source, producer.partitions(self._topic))
            session = _Session(
                Backlog(connection), writer, producer, self._topic, self._observer, self._clock
            )
            session.publish_until(stop, lease, self._settings)
        except BaseException:
            producer.discard()
            raise
        producer.close()

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """A connection of the relay's own, outside the pool, each statement its own transaction."""
        pooled = self._engine.raw_connection()
        pooled.detach()
        connection = cast("psycopg.Connection[tuple[object, ...]]", pooled.dbapi_connection)
        try:
            connection.autocommit = True
            for statement in _CONNECTION_SETTINGS:
                connection.execute(statement.encode())
            yield connection
        finally:
            connection.close()


class _Session:
    """The loop between taking and losing the lease, with one producer."""

    def __init__(
        self,
        backlog: Backlog,
        writer: BatchWriter,
        producer: Producer,
        topic: str,
        observer: RelayObserver,
        clock: Clock,
    ) -> None:
        self._backlog = backlog
        self._writer = writer
        self._producer = producer
        self._topic = topic
        self._observer = observer
        self._clock = clock
        self._window = Window(producer.delivery_timeout_seconds + _ANSWER_MARGIN_SECONDS)

    def publish_until(self, stop: threading.Event, lease: Lease, settings: RelaySettings) -> None:
        """Returns when stopped and drained; raises one of _OUTAGES otherwise."""
        while not stop.is_set():
            lease.keep()
            self._settle()
            if self._window.rows > settings.batch_events:
                self._window.wait(settings.poll_seconds)
            elif self._send_next(settings.batch_events) < settings.batch_events:
                stop.wait(settings.poll_seconds)
        until = time.monotonic() + settings.drain_seconds
        while self._window.rows and time.monotonic() < until:
            self._window.wait(settings.poll_seconds)
            self._settle()

    def _send_next(self, limit: int) -> int:
        """Hand the next rows to the producer; the number of rows."""
        rows = self._backlog.next_rows(
            after=self._window.last_seq, in_flight=self._window.rows, limit=limit
        )
        if rows:
            self._observer.batch_read(events=len(rows), oldest_age_seconds=self._age(rows[0]))
            self._window.add(self._producer.publish(self._topic, self._writer.write(rows)))
        return len(rows)

    def _settle(self) -> None:
        """Delete what has arrived; raises NotPublishedError for what has not."""
        seqs = self._window.acknowledged()
        if seqs:
            failpoint("relay.after_send")
            self._backlog.delete(seqs)
            self._observer.batch_published(events=len(seqs))
        self._window.check()

    def _age(self, row: OutboxRow) -> float:
        occurred = datetime.fromisoformat(row[6].decode()).replace(tzinfo=UTC)
        return (self._clock.now() - occurred).total_seconds()


def _reason(error: BaseException) -> str:
    """The error's class and, where it stands for another, that one's: never a row's content."""
    cause = f": {error}" if isinstance(error, NotPublishedError) else ""
    return type(error).__name__ + cause
