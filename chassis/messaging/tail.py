"""Watching topics as an outsider: no group, no offsets kept, nothing acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from chassis.messaging.cloudevents import NotACloudEventError, Received, decode
from chassis.messaging.consumer import open_consumer

_POLL_MS = 200


def tail(
    bootstrap: str,
    topics: Sequence[str],
    *,
    stop: threading.Event,
    from_earliest: bool = False,
    security: Mapping[str, Any] | None = None,
    open_seconds: float = 10.0,
) -> Iterator[Received]:
    """Events as they arrive, from now on or from the oldest kept, until `stop` is set.

    "Now" is the moment of this call, not of the first `next`. Blocks between events; records that
    are no CloudEvents are passed by. Order holds per key, not across keys. Raises KafkaError.
    """
    kafka = open_consumer(bootstrap, open_seconds, security or {}, {"enable_auto_commit": False})
    try:
        partitions = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in sorted(kafka.partitions_for_topic(topic))
        ]
        kafka.assign(partitions)
        start = kafka.beginning_offsets if from_earliest else kafka.end_offsets
        for partition, offset in start(partitions).items():
            kafka.seek(partition, offset)
    except BaseException:
        kafka.close()
        raise
    return _events(kafka, stop)


def _events(kafka: KafkaConsumer, stop: threading.Event) -> Iterator[Received]:
    try:
        while not stop.is_set():
            for records in kafka.poll(timeout_ms=_POLL_MS).values():
                for record in records:
                    try:
                        event = decode(record.headers or (), record.value)
                    except NotACloudEventError:
                        continue
                    yield event
    finally:
        kafka.close()
