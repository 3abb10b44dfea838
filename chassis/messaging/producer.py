"""A thin Kafka producer: idempotent, acks=all, bounded, and thrown away after any failure."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.producer.future import FutureProduceResult
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder

from chassis.messaging.cloudevents import Headers
from chassis.messaging.records import PartitionBatch

_RECORD_FORMAT = 2
_COMPRESSIONS = {None: 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_REQUEST_BYTES_MAX = 8 * 1024 * 1024


class Publication:
    """A batch on its way; `settled` never blocks."""

    __slots__ = ("_future", "batch")

    def __init__(self, batch: PartitionBatch, future: FutureProduceResult) -> None:
        self.batch = batch
        self._future = future

    def wait(self, seconds: float) -> bool:
        """Whether the brokers have answered, waiting at most `seconds`."""
        return bool(self._future.wait(seconds))

    def settled(self) -> bool:
        return bool(self._future.is_done)

    def error(self) -> BaseException | None:
        """Why the batch was not acknowledged; None when it was. Only after it is settled."""
        if self._future.exception is not None:
            return self._as_error(self._future.exception)
        _, _, exception_of = self._future.value
        return None if exception_of is None else self._as_error(exception_of(0))

    @staticmethod
    def _as_error(error: Any) -> BaseException:
        return error if isinstance(error, BaseException) else RuntimeError(str(error))


class Producer:
    """One idempotent session with the brokers.

    kafka-python keeps one batch in flight per partition and retries it under its own sequence
    number until `delivery_timeout_seconds`; a batch that fails then is followed by later ones, so
    its owner must stop, `discard` the producer and send again from the first batch that was not
    acknowledged. Raises kafka.errors.KafkaError when no broker answers in time.

    Compression is off by default: on one machine gzip costs more than the loopback saves.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        security: Mapping[str, Any] | None = None,
        compression: str | None = None,
        delivery_timeout_seconds: float = 20.0,
        open_timeout_seconds: float = 10.0,
    ) -> None:
        self.delivery_timeout_seconds = delivery_timeout_seconds
        self._open_timeout_seconds = open_timeout_seconds
        self._compression = _COMPRESSIONS[compression]
        self._kafka = KafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=True,
            compression_type=compression,
            delivery_timeout_ms=int(delivery_timeout_seconds * 1000),
            request_timeout_ms=int(delivery_timeout_seconds * 500),
            max_block_ms=int(open_timeout_seconds * 1000),
            bootstrap_timeout_ms=int(open_timeout_seconds * 1000),
            reconnect_backoff_max_ms=1000,
            max_request_size=_REQUEST_BYTES_MAX,
            allow_auto_create_topics=False,
            metrics_enabled=False,
            **dict(security or {}),
        )

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has; blocks for metadata, raises KafkaTimeoutError."""
        return len(self._kafka.partitions_for(topic))

    def publish(self, topic: str, batches: Sequence[PartitionBatch]) -> list[Publication]:
        """Hand over batches whose topic `partitions` has been asked for; never blocks.

        Goes past `KafkaProducer.send` straight to its accumulator, for the reason `records` gives;
        what follows (sequence numbers, retries, acknowledgement) is kafka-python's own.
        """
        publications = [self._accumulate(topic, batch) for batch in batches]
        self._kafka._sender.wakeup()  # noqa: SLF001 - see the docstring
        return publications

    def _accumulate(self, topic: str, batch: PartitionBatch) -> Publication:
        target = TopicPartition(topic, batch.partition)
        pending = ProducerBatch(target, memory_records(batch, self._compression))
        accumulator = self._kafka._accumulator  # noqa: SLF001 - see publish
        with accumulator._tp_lock(target):  # noqa: SLF001 - see publish
            accumulator._batches[target].append(pending)  # noqa: SLF001 - see publish
            accumulator._incomplete.add(pending)  # noqa: SLF001 - see publish
        return Publication(batch, pending.produce_future)

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Publish one record and block until it is acknowledged; raises KafkaError."""
        future = self._kafka.send(topic, value=value, key=key, headers=headers)
        future.get(timeout=self.delivery_timeout_seconds + 1)

    def discard(self) -> None:
        """Stop sending at once; what was not acknowledged may or may not have arrived.

        `KafkaProducer.close(timeout=0)` raises while anything is unsent and leaves its thread
        sending, so the thread is told to stop first.
        """
        self._kafka._sender.force_close()  # noqa: SLF001 - there is no public way
        self.close(timeout_seconds=1.0)

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Let what is unsent go out, at most `timeout_seconds`, then stop."""
        try:
            self._kafka.close(timeout=timeout_seconds)
        except KafkaTimeoutError:
            self._kafka._sender.force_close()  # noqa: SLF001 - there is no public way


def memory_records(batch: PartitionBatch, compression: int) -> MemoryRecordsBuilder:
    """kafka-python's own builder, filled as if each record had been appended to it.

    Stamped with the time of publishing: by the fact's time, a relay that was down for longer than
    the topic's retention would publish what the broker deletes at once.
    """
    records = MemoryRecordsBuilder(_RECORD_FORMAT, compression, 1)
    builder = records._builder  # noqa: SLF001 - see Producer.publish
    builder._buffer.extend(batch.body)  # noqa: SLF001 - see Producer.publish
    builder._num_records = len(batch.seqs)  # noqa: SLF001 - see Producer.publish
    builder._last_offset = len(batch.seqs) - 1  # noqa: SLF001 - see Producer.publish
    builder._first_timestamp = builder._max_timestamp = int(time.time() * 1000)  # noqa: SLF001
    records._next_offset = len(batch.seqs)  # noqa: SLF001 - see Producer.publish
    return records
