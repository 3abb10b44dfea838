"""The console script's roles as processes, and events through a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from huitouke.notify.v1 import events_pb2
from kafka import KafkaConsumer

from chassis.identifiers import new_id
from chassis.messaging.cloudevents import Received, encode
from chassis.messaging.creation import ensure_topics
from chassis.messaging.producer import Producer
from chassis.messaging.topics import all_topics, topic_of
from tests.integration.notify.facts import enrolled, paid, topped_up
from tests.integration.notify.running import (
    Places,
    environment,
    process_of,
    received,
    texts,
    until,
    world_of,
)
from tests.waiting import wait_until


@asynccontextmanager
async def started(role: str, settings: Mapping[str, str]) -> AsyncIterator[None]:
    """The role as a process that is asked to stop in the end, and ends well."""
    process = await process_of(role, settings)
    try:
        yield
        process.terminate()
        _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def send(bootstrap: str, prefix: str, events: list[Received]) -> None:
    """Publish as the services' relays do."""
    producer = Producer(bootstrap)
    for event in events:
        topic = topic_of(event.source.rpartition(".")[2], prefix)
        producer.send(topic, str(event.key).encode(), event.payload, encode(event))
    producer.close()


def read(bootstrap: str, topic: str, wanted: int) -> list[tuple[str, int, bytes]]:
    """The type, version and payload of each record, once there are so many."""
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None
    )
    told: list[tuple[str, int, bytes]] = []

    def arrived() -> bool:
        for batch in consumer.poll(timeout_ms=100).values():
            for record in batch:
                headers = {name: value.decode() for name, value in record.headers}
                version = int(headers["ce_memberversion"])
                told.append((headers["ce_type"].rpartition(".")[2], version, record.value))
        return len(told) >= wanted

    wait_until(arrived, 60, f"{wanted} events on {topic}")
    consumer.close()
    return told


def events_of(guest: UUID) -> list[Received]:
    """A short story, each fact told twice, as after a relay's restart."""
    member = received(guest, enrolled(guest))
    points = [received(guest, topped_up(guest)), received(guest, paid(guest), version=2)]
    return [member, *points, member, *points]


def test_events_on_kafka_become_messages_and_messages_become_events(
    places: Places, kafka_bootstrap: str, topic_prefix: str
) -> None:
    ensure_topics(kafka_bootstrap, all_topics(topic_prefix))

    async def scenario() -> UUID:
        async with world_of(places) as world, AsyncExitStack() as stack:
            guest = await world.enrol(71, email="guest71@example.com")
            settings = environment(
                places,
                world.member_port,
                HUITOUKE_KAFKA_BOOTSTRAP=kafka_bootstrap,
                HUITOUKE_TOPIC_PREFIX=topic_prefix,
            )
            for role in ("consume", "work", "relay"):
                await stack.enter_async_context(started(role, settings))
            await asyncio.to_thread(send, kafka_bootstrap, topic_prefix, events_of(guest))
            await world.until("DELIVERED", "DELIVERED", "DELIVERED", "SENT")
            await until(lambda: not world.select("SELECT 1 FROM outbox"), "all is published")
            return guest

    guest = asyncio.run(scenario())
    told = read(kafka_bootstrap, topic_of("notify", topic_prefix), 7)
    assert [version for _, version, _ in told] == list(range(1, 8))
    assert sorted(name for name, _, _ in told) == ["MessageDelivered"] * 3 + ["MessageSent"] * 4
    sent = [events_pb2.MessageSent.FromString(value) for name, _, value in told if "Sent" in name]
    assert {each.member_id for each in sent} == {str(guest)}
    assert len(texts(places.smsc.messages())) == 3
    assert len(places.mail.messages()) == 1


def test_an_event_that_cannot_be_read_holds_up_no_other(
    places: Places, kafka_bootstrap: str, topic_prefix: str
) -> None:
    ensure_topics(kafka_bootstrap, all_topics(topic_prefix))

    async def scenario() -> None:
        async with world_of(places) as world:
            guest = new_id()
            settings = environment(
                places,
                world.member_port,
                HUITOUKE_KAFKA_BOOTSTRAP=kafka_bootstrap,
                HUITOUKE_TOPIC_PREFIX=topic_prefix,
            )
            good = received(guest, topped_up(guest), version=2)
            garbage = Received(
                good.type, good.source, guest, 1, new_id(), good.time, b"\xff\xff garbage"
            )
            async with started("consume", settings):
                await asyncio.to_thread(send, kafka_bootstrap, topic_prefix, [garbage, good])
                await world.until("QUEUED")

    asyncio.run(scenario())
    dead = topic_of("points", topic_prefix) + ".dlq"
    consumer = KafkaConsumer(
        dead, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest", group_id=None
    )
    records: list[bytes] = []

    def arrived() -> bool:
        for batch in consumer.poll(timeout_ms=100).values():
            records.extend(record.value for record in batch)
        return bool(records)

    wait_until(arrived, 60, "the dead letter")
    consumer.close()
    assert records == [b"\xff\xff garbage"]
