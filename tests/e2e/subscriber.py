"""Events as any subscriber reads them: whole topics, de-duplicated by version, gaps noticed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from kafka import KafkaConsumer, TopicPartition

from chassis.messaging.cloudevents import Received, decode
from chassis.messaging.consumer import open_consumer
from cli.endpoints import Endpoints
from cli.events import SERVICES

READ_SECONDS = 20.0


def read_all(endpoints: Endpoints, services: Iterable[str] = SERVICES) -> list[Received]:
    """Every record that is on the services' topics now, in each partition's order."""
    topics = [f"{endpoints.topic_prefix}huitouke.{service}.v1" for service in services]
    consumer = open_consumer(
        endpoints.kafka_bootstrap, READ_SECONDS, {}, {"enable_auto_commit": False}
    )
    try:
        return list(_until_the_end(consumer, topics))
    finally:
        consumer.close()


def _until_the_end(consumer: KafkaConsumer, topics: list[str]) -> Iterator[Received]:
    partitions = [
        TopicPartition(topic, number)
        for topic in topics
        for number in sorted(consumer.partitions_for_topic(topic))
    ]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    while any(consumer.position(partition) < end for partition, end in ends.items()):
        for records in consumer.poll(timeout_ms=500).values():
            for record in records:
                yield decode(record.headers or (), record.value)


@dataclass(slots=True)
class Applied:
    """What a subscriber keeps of a stream that comes at least once, in order per key.

    `events` are those applied, `repeated` those dropped as duplicates, `jumps` the versions that
    came before their predecessor (there must be none).
    """

    events: list[Received] = field(default_factory=list)
    repeated: list[Received] = field(default_factory=list)
    jumps: list[str] = field(default_factory=list)
    versions: dict[tuple[str, UUID], int] = field(default_factory=dict)

    def take(self, event: Received) -> None:
        """Apply, drop or note one event; versions count from 1 for each source and key."""
        place = event.source, event.key
        last = self.versions.get(place, 0)
        if event.version <= last:
            self.repeated.append(event)
            return
        if event.version > last + 1:
            self.jumps.append(f"{event.source} {event.key}: {last} → {event.version}")
        self.versions[place] = event.version
        self.events.append(event)

    def of(self, key: str, type_name: str = "") -> list[Received]:
        """The applied events of one key, of one type (its short name) if one is named."""
        return [
            event
            for event in self.events
            if str(event.key) == key and event.type.endswith(f".{type_name}" if type_name else "")
        ]


def applied(events: Iterable[Received]) -> Applied:
    """Go through a stream as the inbox does."""
    result = Applied()
    for event in events:
        result.take(event)
    return result
