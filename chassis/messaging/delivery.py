"""Delivery: records through the inbox to the handlers, one transaction a poll if it can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import psycopg
import structlog
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from chassis.kernel.refusals import Refusal
from chassis.messaging.cloudevents import NotACloudEventError, Received, decode
from chassis.messaging.dead_letters import DeadLetters
from chassis.messaging.handlers import Handlers, broken_rule, run_handlers
from chassis.messaging.inbox import (
    OverlappingDeliveryError,
    Verdict,
    lock_versions,
    save_versions,
)
from chassis.messaging.observers import ConsumerObserver

_log = structlog.get_logger(__name__)
_DATABASE_OUTAGES = (SQLAlchemyError, psycopg.Error, OverlappingDeliveryError)
_EXPECTED_OUTAGES = (Refusal, KafkaError, *_DATABASE_OUTAGES)


@dataclass(frozen=True, slots=True)
class Delivered:
    """How far a partition came: everything below `next_offset` is done.

    `outage` names what stopped it there; None when all was done.
    """

    next_offset: int
    outage: str | None = None


@dataclass(frozen=True, slots=True)
class _Letter:
    """A record and the event in it, or why there is none."""

    record: ConsumerRecord
    event: Received | None
    fault: str = ""


def _read(record: ConsumerRecord) -> _Letter:
    try:
        return _Letter(record, decode(record.headers or (), record.value))
    except NotACloudEventError as error:
        return _Letter(record, None, broken_rule(error) or "")


class Delivery:
    """Applies records for one consumer group. Blocks on the database; never raises an outage."""

    def __init__(
        self,
        engine: Engine,
        handlers: Handlers,
        dead_letters: DeadLetters,
        observer: ConsumerObserver,
    ) -> None:
        self._engine = engine
        self._handlers = handlers
        self._dead_letters = dead_letters
        self._observer = observer

    def deliver_all(
        self, polled: Mapping[TopicPartition, Sequence[ConsumerRecord]]
    ) -> dict[TopicPartition, Delivered]:
        """Apply what a poll brought, each partition up to its first outage.

        A transaction costs as much as some dozens of events in it, so all that can be read goes in
        one; if that fails, partition by partition.
        """
        letters = [_read(record) for records in polled.values() for record in records]
        if len(polled) > 1 and all(letter.event is not None for letter in letters):
            try:
                self._apply(letters)
            except Exception as error:  # noqa: BLE001 - each partition shows it again
                reason = type(error).__name__
                _log.info("delivery.by_partition", events=len(letters), reason=reason)
            else:
                return {at: Delivered(records[-1].offset + 1) for at, records in polled.items()}
        return {at: self.deliver(records) for at, records in polled.items()}

    def deliver(self, records: Sequence[ConsumerRecord]) -> Delivered:
        """Apply consecutive records of one partition, at least one, up to the first outage.

        What lies between two unreadable records goes in one transaction; if that fails, one by one.
        """
        for readable, run in groupby(map(_read, records), key=lambda read: read.event is not None):
            take = self._take_run if readable else self._put_away_run
            outage = take(list(run))
            if outage is not None:
                return outage
        return Delivered(records[-1].offset + 1)

    def _take_run(self, letters: Sequence[_Letter]) -> Delivered | None:
        try:
            self._apply(letters)
        except Exception as error:  # noqa: BLE001 - whatever it is, each event shows it again alone
            _log.info("delivery.one_by_one", events=len(letters), reason=type(error).__name__)
        else:
            return None
        for letter in letters:
            outage = self._apply_alone(letter)
            if outage is not None:
                return Delivered(letter.record.offset, outage)
        return None

    def _put_away_run(self, letters: Sequence[_Letter]) -> Delivered | None:
        for letter in letters:
            try:
                self._put_away(letter.record, letter.fault)
            except KafkaError as error:
                return Delivered(letter.record.offset, _outage(error))
        return None

    def _apply_alone(self, letter: _Letter) -> str | None:
        """Apply one event or put it away; the name of the outage when neither is possible now."""
        try:
            self._apply([letter])
        except Exception as error:  # noqa: BLE001 - broken_rule says which are outages
            reason = broken_rule(error)
            if reason is None:
                return _outage(error)
        else:
            return None
        try:
            self._put_away(letter.record, reason)
            self._apply([letter], handled=False)
        except (KafkaError, *_DATABASE_OUTAGES) as error:
            return _outage(error)
        return None

    def _apply(self, letters: Sequence[_Letter], *, handled: bool = True) -> None:
        """Count the events and run their handlers, all or nothing; `handled=False` only counts."""
        read = [(each.record.topic, each.event) for each in letters if each.event is not None]
        events = [event for _, event in read]
        with self._engine.begin() as connection:
            versions = lock_versions(connection, events)
            verdicts = [(topic, event, versions.take(event)) for topic, event in read]
            save_versions(connection, versions)
            due = [event for _, event, verdict in verdicts if verdict is Verdict.NEXT]
            if handled:
                run_handlers(connection, self._handlers, due)
        for topic in dict.fromkeys(topic for topic, _ in read):
            own = [(event, verdict) for at, event, verdict in verdicts if at == topic]
            self._report(topic, own, handled=handled)

    def _report(
        self, topic: str, verdicts: Sequence[tuple[Received, Verdict]], *, handled: bool
    ) -> None:
        count: Counter[str] = Counter()
        for event, verdict in verdicts:
            name = verdict.name
            if verdict is Verdict.NEXT and event.type not in self._handlers:
                name = "SKIPPED"
            count[name] += 1
        if handled and count["NEXT"]:
            self._observer.applied(topic=topic, events=count["NEXT"])
        if count["SKIPPED"]:
            self._observer.skipped(topic=topic, events=count["SKIPPED"])
        if count["DUPLICATE"]:
            self._observer.duplicates(topic=topic, events=count["DUPLICATE"])
        if count["JUMP"]:
            self._observer.jumps(topic=topic, events=count["JUMP"])

    def _put_away(self, record: ConsumerRecord, reason: str) -> None:
        self._dead_letters.put(record, reason)
        self._observer.dead_lettered(topic=record.topic, reason=reason)
        _log.error(
            "delivery.dead_letter",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=reason,
        )


def _outage(error: BaseException) -> str:
    """The outage's name; what isn't known to pass by itself is logged with its traceback."""
    if not isinstance(error, _EXPECTED_OUTAGES):
        _log.error("delivery.unexpected", exc_info=error)
    return error.reason if isinstance(error, Refusal) else type(error).__name__
