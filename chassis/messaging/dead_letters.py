"""Dead letters: records that can never be applied, kept with the reason beside their topic."""

from __future__ import annotations

from collections.abc import Callable

from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from chassis.messaging.cloudevents import Headers
from chassis.messaging.producer import Producer
from chassis.messaging.topics import dead_letter_topic_of


class DeadLetters:
    """Puts records into `<topic>.dlq` for one consumer group; connects when first needed."""

    def __init__(self, open_producer: Callable[[], Producer], group: str) -> None:
        self._open_producer = open_producer
        self._group = group
        self._producer: Producer | None = None

    def put(self, record: ConsumerRecord, reason: str) -> None:
        """Block until the record is safe there, unchanged but for `dlq_*` headers.

        Raises kafka.errors.KafkaError; nothing is lost then, the record comes again.
        """
        if self._producer is None:
            self._producer = self._open_producer()
        try:
            self._producer.send(
                dead_letter_topic_of(record.topic),
                record.key,
                record.value or b"",
                dead_letter_headers(record, reason, self._group),
            )
        except KafkaError:
            self._producer.discard()
            self._producer = None
            raise

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close()
            self._producer = None


def dead_letter_headers(record: ConsumerRecord, reason: str, group: str) -> Headers:
    """The record's own headers, then why, by whom and from where it was put away."""
    own = [(name, value or b"") for name, value in record.headers or ()]
    return [
        *own,
        ("dlq_reason", reason.encode()),
        ("dlq_group", group.encode()),
        ("dlq_topic", record.topic.encode()),
        ("dlq_partition", str(record.partition).encode()),
        ("dlq_offset", str(record.offset).encode()),
    ]
