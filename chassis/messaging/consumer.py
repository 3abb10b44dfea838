"""The consumer: takes each fact of its topics once, in order, through any outage."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient
from sqlalchemy import Engine

from chassis.messaging.dead_letters import DeadLetters
from chassis.messaging.delivery import Delivered, Delivery
from chassis.messaging.handlers import Handlers
from chassis.messaging.observers import ConsumerObserver, SilentConsumerObserver
from chassis.messaging.producer import Producer

_log = structlog.get_logger(__name__)
_LEADER_EPOCH_UNKNOWN = -1
# Above what one turn takes when the database answers every partition by a time-out.
_MAX_POLL_INTERVAL_MS = 900_000

_JOIN_POLL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """Bounds of the loop.

    - `batch_events`: records a poll returns at most; all of them are one transaction, if it can be.
    - `poll_seconds`: how long a poll waits, so how soon a stop or a resumption is seen.
    - `commit_seconds`: how long committing offsets may block; a failed commit is made good by the
      next, and what comes twice meanwhile is a duplicate.
    - `retry_seconds`: pause of a partition after an outage, doubling to `retry_seconds_max`.
    - `session_seconds`: how long the group waits for a killed member.
    """

    batch_events: int = 1000
    poll_seconds: float = 0.2
    commit_seconds: float = 5.0
    retry_seconds: float = 0.2
    retry_seconds_max: float = 10.0
    session_seconds: float = 10.0
    open_seconds: float = 10.0


class Consumer:
    """One member of the consumer group `group`.

    Handlers run in the transaction of the inbox row. Several processes share the partitions.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        bootstrap: str,
        group: str,
        topics: Sequence[str],
        handlers: Handlers,
        settings: ConsumerSettings | None = None,
        observer: ConsumerObserver | None = None,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._topics = tuple(topics)
        self._settings = settings or ConsumerSettings()
        self._observer = observer or SilentConsumerObserver()
        self._security = dict(security or {})
        open_producer = partial(Producer, bootstrap, security=self._security)
        self._dead_letters = DeadLetters(open_producer, group)
        self._delivery = Delivery(engine, handlers, self._dead_letters, self._observer)

    def run(self, stop: threading.Event) -> None:
        """Block until `stop` is set, through any outage of PostgreSQL or Kafka."""
        try:
            while not stop.is_set():
                try:
                    self._consume(stop)
                except KafkaError as error:
                    _log.warning("consumer.interrupted", group=self._group, reason=_name(error))
                    stop.wait(self._settings.retry_seconds)
        finally:
            self._dead_letters.close()

    def _consume(self, stop: threading.Event) -> None:
        """One membership of the group, from joining to leaving."""
        kafka = open_consumer(
            self._bootstrap, self._settings.open_seconds, self._security, self._group_settings()
        )
        try:
            kafka.subscribe(topics=list(self._topics))
            membership = _Membership(kafka, self._delivery, self._settings, self._observer)
            while not stop.is_set():
                membership.turn()
        finally:
            kafka.close(timeout_ms=int(self._settings.commit_seconds * 1000))

    def _group_settings(self) -> dict[str, Any]:
        return {
            "group_id": self._group,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "partition_assignment_strategy": [CooperativeStickyAssignor],
            "max_poll_records": self._settings.batch_events,
            "session_timeout_ms": int(self._settings.session_seconds * 1000),
            "max_poll_interval_ms": _MAX_POLL_INTERVAL_MS,
            "heartbeat_interval_ms": int(self._settings.session_seconds * 1000 / 4),
        }


@dataclass(slots=True)
class _Pause:
    """A partition that waits after an outage."""

    until: float
    seconds: float


class _Membership:
    """The loop of one joined consumer. Rebalances happen inside `poll` only."""

    def __init__(
        self,
        kafka: KafkaConsumer,
        delivery: Delivery,
        settings: ConsumerSettings,
        observer: ConsumerObserver,
    ) -> None:
        self._kafka = kafka
        self._delivery = delivery
        self._settings = settings
        self._observer = observer
        self._pauses: dict[TopicPartition, _Pause] = {}
        self._uncommitted: dict[TopicPartition, OffsetAndMetadata] = {}

    def turn(self) -> None:
        """Poll once, deliver what came, commit. Raises KafkaError when the client is of no use."""
        self._resume_due()
        seconds = self._settings.poll_seconds
        if still_joining(self._kafka):
            seconds = max(seconds, _JOIN_POLL_SECONDS)
        polled = self._kafka.poll(timeout_ms=int(seconds * 1000))
        for partition, delivered in self._delivery.deliver_all(polled).items():
            self._note(partition, delivered)
        self._commit()

    def _note(self, partition: TopicPartition, delivered: Delivered) -> None:
        """Keep how far a partition came, and pause it if it was stopped."""
        self._uncommitted[partition] = OffsetAndMetadata(
            delivered.next_offset, "", _LEADER_EPOCH_UNKNOWN
        )
        if delivered.outage is None:
            self._pauses.pop(partition, None)
        else:
            self._pause(partition, delivered)
        self._report_lag(partition, delivered.next_offset)

    def _pause(self, partition: TopicPartition, delivered: Delivered) -> None:
        """Stop fetching the partition for a while and go back to what could not be done."""
        before = self._pauses.get(partition)
        longest = self._settings.retry_seconds_max
        seconds = min(before.seconds * 2, longest) if before else self._settings.retry_seconds
        self._pauses[partition] = _Pause(time.monotonic() + seconds, seconds)
        self._kafka.pause(partition)
        self._kafka.seek(partition, delivered.next_offset)
        self._observer.paused(
            topic=partition.topic,
            partition=partition.partition,
            reason=delivered.outage or "",
            retry_seconds=seconds,
        )

    def _resume_due(self) -> None:
        """Let partitions go on whose time has come; forget those that went to another member."""
        paused = self._kafka.paused()
        for partition in paused:
            pause = self._pauses.get(partition)
            if pause is None or pause.until <= time.monotonic():
                self._kafka.resume(partition)
                self._observer.resumed(topic=partition.topic, partition=partition.partition)
        assigned = self._kafka.assignment()
        self._pauses = {tp: pause for tp, pause in self._pauses.items() if tp in assigned}

    def _commit(self) -> None:
        assigned = self._kafka.assignment()
        offsets = {tp: offset for tp, offset in self._uncommitted.items() if tp in assigned}
        if not offsets:
            return
        try:
            self._kafka.commit(offsets, timeout_ms=int(self._settings.commit_seconds * 1000))
        except KafkaError as error:
            # The offsets stay for the next turn: a rebalance ends only in poll.
            _log.info("consumer.commit_failed", reason=_name(error))
        else:
            self._uncommitted.clear()

    def _report_lag(self, partition: TopicPartition, next_offset: int) -> None:
        end = self._kafka.highwater(partition)
        if end is not None:
            self._observer.lag(
                topic=partition.topic,
                partition=partition.partition,
                events=max(0, end - next_offset),
            )


def still_joining(kafka: KafkaConsumer) -> bool:
    """Whether the member's join was not finished by the last poll; call it before each poll.

    kafka-python 3.0.12 picks up the answer only in a poll that is waiting for it: the next poll
    must be patient. And when it was new metadata (not the broker) that made it join, it no longer
    wants to at the next poll: heartbeats stay off and nothing is ever assigned. Asking again mends
    it.
    """
    coordinator = kafka._coordinator  # noqa: SLF001 - there is no public way
    if coordinator.rejoining and not coordinator.need_rejoin():
        coordinator.request_rejoin()
    return bool(coordinator.rejoining)


def open_consumer(
    bootstrap: str, open_seconds: float, security: Mapping[str, Any], settings: Mapping[str, Any]
) -> KafkaConsumer:
    """A connected KafkaConsumer that reads committed records; raises KafkaError.

    When the constructor fails kafka-python leaves its I/O thread running, so the network client is
    made here, where it can be closed.
    """
    clients: list[KafkaNetClient] = []

    def new_client(**configs: Any) -> KafkaNetClient:
        clients.append(KafkaNetClient(**configs))
        return clients[0]

    try:
        return KafkaConsumer(
            bootstrap_servers=bootstrap,
            bootstrap_timeout_ms=int(open_seconds * 1000),
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            metadata_max_age_ms=30_000,
            reconnect_backoff_max_ms=1000,
            metrics_enabled=False,
            kafka_client=new_client,
            **dict(security),
            **dict(settings),
        )
    except BaseException:
        for client in clients:
            client.close()
        raise


def _name(error: BaseException) -> str:
    return type(error).__name__
