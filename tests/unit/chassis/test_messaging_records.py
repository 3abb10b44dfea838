"""Record batches written in bulk are what Kafka's own format and partitioner say."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2
from kafka.record.memory_records import MemoryRecords

from chassis.messaging.cloudevents import Received, decode, encode
from chassis.messaging.producer import memory_records
from chassis.messaging.records import (
    BatchWriter,
    OutboxRow,
    PartitionBatch,
    fast_murmur2,
)
from chassis.storage.tables import OUTBOX_PAYLOAD_BYTES_MAX

SOURCE = "huitouke.test"
BROKER_MESSAGE_BYTES_MAX = 1_048_588  # Kafka's default message.max.bytes
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

events = st.builds(
    Received,
    type=st.sampled_from(["huitouke.test.v1.Happened", "huitouke.test.v1.Undone"]),
    source=st.just(SOURCE),
    key=st.uuids(),
    version=st.integers(1, 2**63 - 1),
    id=st.uuids(),
    time=st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    payload=st.binary(max_size=9000),
    traceparent=st.sampled_from(["", TRACE]),
)


def row_of(seq: int, event: Received) -> OutboxRow:
    """As PostgreSQL writes it: the fraction of a second only when there is one."""
    moment = (
        event.time.replace(tzinfo=None).isoformat(" ").rstrip("0" if event.time.microsecond else "")
    )
    return (
        seq,
        str(event.id).encode(),
        str(event.key).encode(),
        event.type.encode(),
        event.payload,
        str(event.version).encode(),
        moment.encode(),
        event.traceparent.encode(),
    )


def read_back(batch: PartitionBatch) -> list[tuple[bytes, Received]]:
    records = memory_records(batch, 0)
    records.set_producer_state(7, 0, 0, False)
    records.close()
    (read,) = list(MemoryRecords(records.buffer()))
    assert read.validate_crc()
    return [(record.key, decode(record.headers, record.value)) for record in read]


@given(st.lists(events, min_size=1, max_size=40))
def test_kafkas_own_decoder_reads_back_every_event_in_order(happened: list[Received]) -> None:
    rows = [row_of(seq, event) for seq, event in enumerate(happened)]
    writer = BatchWriter(SOURCE, 6)
    read: dict[int, Received] = {}
    for batch in writer.write(rows):
        for seq, (key, event) in zip(batch.seqs, read_back(batch), strict=True):
            assert key == str(event.key).encode()
            assert writer.partition_of(key) == batch.partition
            read[seq] = event
    assert [read[seq] for seq in sorted(read)] == happened


def test_the_headers_are_those_of_the_codec() -> None:
    moment = datetime(2026, 11, 22, 9, 0, 0, 123456, tzinfo=UTC)
    event = Received("a.b.C", SOURCE, UUID(int=1), 3, UUID(int=2), moment, b"x", TRACE)
    (batch,) = BatchWriter(SOURCE, 1).write([row_of(1, event)])
    records = memory_records(batch, 0)
    records.set_producer_state(7, 0, 0, False)
    records.close()
    (record,) = next(iter(MemoryRecords(records.buffer())))
    assert dict(record.headers) == dict(encode(event))


@given(st.lists(st.sampled_from([10, 50_000, 200_000, OUTBOX_PAYLOAD_BYTES_MAX]), max_size=12))
def test_a_read_of_any_sizes_is_cut_into_batches_that_a_broker_takes(sizes: list[int]) -> None:
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    events = [
        Received("a.b.C", SOURCE, UUID(int=1), 1, UUID(int=2), moment, b"x" * size, TRACE)
        for size in sizes
    ]
    batches = BatchWriter(SOURCE, 6).write([row_of(*pair) for pair in enumerate(events)])
    assert [seq for batch in batches for seq in batch.seqs] == list(range(len(sizes)))
    assert all(len(batch.body) + 100 < BROKER_MESSAGE_BYTES_MAX for batch in batches)


@given(st.binary(max_size=80) | st.uuids().map(lambda key: str(key).encode()))
def test_a_key_goes_to_the_partition_that_javas_client_would_choose(key: bytes) -> None:
    assert fast_murmur2(key) == murmur2(key)
