"""Consumers against a real Kafka and a real PostgreSQL: each fact once, in order, or put away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from google.protobuf.wrappers_pb2 import Int64Value
from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError
from sqlalchemy import Connection, Engine, text

from chassis.identifiers import new_id
from chassis.kernel.refusals import Category, Refusal
from chassis.messaging.cloudevents import Received
from chassis.messaging.handlers import BatchHandler
from chassis.messaging.producer import Producer
from chassis.messaging.topics import dead_letter_topic_of
from tests.integration.chassis import messaging_bench as bench
from tests.waiting import wait_until


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = bench.new_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def topic(kafka_bootstrap: str, topic_prefix: str) -> str:
    return bench.new_topic(kafka_bootstrap, topic_prefix)


def members_of(bootstrap: str, group: str) -> list[str]:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        (description,) = admin.describe_groups([group]).values()
        return sorted(member["member_id"] for member in description["members"])
    except CoordinatorNotAvailableError:
        return []  # the broker's first group ever: its coordinator is being made
    finally:
        admin.close()


class Upstream:
    """Something a handler needs, away for one key until it comes back."""

    def __init__(self) -> None:
        self.away_for: object = None
        self.asked = 0

    def handle(self, connection: Connection, event: Received) -> None:
        if event.key == self.away_for:
            self.asked += 1
            raise Refusal(Category.UNAVAILABLE, "UNAVAILABLE", "try again later")
        bench.apply_effect(connection, event)


def test_repeats_are_dropped_and_a_jump_waits_until_it_comes_again(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    key = new_id()
    log = [1, 2, 2, 1, 4, 5, 3, 4, 5, 6]
    bench.publish(kafka_bootstrap, topic, [bench.received(key, version) for version in log])
    subscriber = bench.Subscriber(engine, kafka_bootstrap, topic)
    with bench.running(subscriber):
        subscriber.wait_for(applied=6, duplicates=2, jumps=2)
    assert bench.effects(engine) == [(key, version) for version in range(1, 7)]


def test_the_first_version_ever_seen_sets_the_baseline(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    key = new_id()
    bench.publish(kafka_bootstrap, topic, [bench.received(key, v) for v in (41, 40, 42, 44)])
    subscriber = bench.Subscriber(engine, kafka_bootstrap, topic)
    with bench.running(subscriber):
        subscriber.wait_for(applied=2, duplicates=1, jumps=1)
    assert bench.effects(engine) == [(key, 41), (key, 42)]


def test_a_member_whose_polls_end_before_its_group_is_in_sync_gets_its_partitions(
    engine: Engine, kafka_bootstrap: str, topic_prefix: str
) -> None:
    topic = f"{topic_prefix}bench.v1"
    hasty = replace(bench.QUICK, poll_seconds=0.001)
    subscriber = bench.Subscriber(engine, kafka_bootstrap, topic, settings=hasty)
    with bench.running(subscriber):
        wait_until(lambda: members_of(kafka_bootstrap, f"{topic}.group"), 20, "it has joined")
        bench.new_topic(kafka_bootstrap, topic_prefix)  # new metadata makes it join again
        bench.publish(kafka_bootstrap, topic, [bench.received(new_id(), 1)])
        subscriber.wait_for(applied=1)


def test_events_without_a_handler_are_passed_by_but_counted(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    key = new_id()
    events = [bench.received(key, 1), bench.received(key, 2, "a.b.Unknown"), bench.received(key, 3)]
    bench.publish(kafka_bootstrap, topic, events)
    subscriber = bench.Subscriber(engine, kafka_bootstrap, topic)
    with bench.running(subscriber):
        subscriber.wait_for(applied=2, skipped=1)
    assert bench.effects(engine) == [(key, 1), (key, 3)]


def refuse_version_two(connection: Connection, event: Received) -> None:
    if event.version == 2:
        raise Refusal(Category.PRECONDITION, "NOT_ALLOWED", "the rule forbids version two")
    bench.apply_effect(connection, event)


def test_what_breaks_a_rule_goes_to_the_dead_letters_and_counts_as_seen(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    key, other = new_id(), new_id()
    events = [bench.received(key, v) for v in (1, 2, 3)] + [bench.received(other, 1)]
    bench.publish(kafka_bootstrap, topic, events)
    subscriber = bench.Subscriber(engine, kafka_bootstrap, topic, refuse_version_two)
    with bench.running(subscriber):
        subscriber.wait_for(applied=3, dead_lettered=1)
    assert sorted(bench.effects(engine)) == sorted([(key, 1), (key, 3), (other, 1)])
    (letter,) = bench.records_of(kafka_bootstrap, dead_letter_topic_of(topic))
    headers = dict(letter.headers)
    assert headers["dlq_reason"] == b"REFUSED: NOT_ALLOWED"
    assert headers["dlq_topic"] == topic.encode()
    assert (letter.key, letter.value) == (str(key).encode(), events[1].payload)
    assert bench.events_of(kafka_bootstrap, dead_letter_topic_of(topic)) == [events[1]]


def parse(connection: Connection, event: Received) -> None:
    Int64Value.FromString(event.payload)
    bench.apply_effect(connection, event)


def test_what_cannot_be_read_goes_to_the_dead_letters_and_the_rest_goes_on(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    key = new_id()
    producer = Producer(kafka_bootstrap)
    producer.send(topic, str(key).encode(), b"no headers", [])
    producer.close()
    unparsable = Received(
        bench.EVENT_TYPE, bench.SOURCE, key, 1, new_id(), bench.START, b"\xff\xff\xff"
    )
    bench.publish(kafka_bootstrap, topic, [unparsable, bench.received(key, 2)])
    subscriber = bench.Subscriber(engine, kafka_bootstrap, topic, parse)
    with bench.running(subscriber):
        subscriber.wait_for(applied=1, dead_lettered=2)
    assert bench.effects(engine) == [(key, 2)]
    assert subscriber.observer.reasons == [
        "NOT_A_CLOUD_EVENT: ce_specversion is missing",
        "UNDECODABLE_PAYLOAD",
    ]


def test_an_unreadable_record_behind_an_outage_is_put_away_once(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    key = new_id()
    upstream = Upstream()
    upstream.away_for = key
    bench.publish(kafka_bootstrap, topic, [bench.received(key, 1)])
    producer = Producer(kafka_bootstrap)
    producer.send(topic, str(key).encode(), b"no headers", [])
    producer.close()
    subscriber = bench.Subscriber(engine, kafka_bootstrap, topic, upstream.handle)
    with bench.running(subscriber):
        subscriber.wait_for(paused=4)
        upstream.away_for = None
        subscriber.wait_for(applied=1, dead_lettered=1)
    assert len(bench.records_of(kafka_bootstrap, dead_letter_topic_of(topic))) == 1


def test_a_broken_database_rule_is_a_dead_letter_and_its_effect_is_undone(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE effects ADD CHECK (version <> 2)"))
    key = new_id()
    bench.publish(kafka_bootstrap, topic, [bench.received(key, v) for v in (1, 2, 3)])
    subscriber = bench.Subscriber(engine, kafka_bootstrap, topic)
    with bench.running(subscriber):
        subscriber.wait_for(applied=2, dead_lettered=1)
    assert bench.effects(engine) == [(key, 1), (key, 3)]
    assert subscriber.observer.reasons == ["DATABASE_RULE: CheckViolation"]


def test_an_outage_pauses_its_partition_only_and_the_member_stays_in_its_group(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    stuck, *others = [new_id() for _ in range(24)]  # surely on more than one partition
    upstream = Upstream()
    upstream.away_for = stuck
    subscriber = bench.Subscriber(engine, kafka_bootstrap, topic, upstream.handle)
    with bench.running(subscriber):
        bench.publish(kafka_bootstrap, topic, [bench.received(stuck, v) for v in (1, 2)])
        wait_until(lambda: upstream.asked >= 4, 20, "the stuck event is tried again and again")
        members = members_of(kafka_bootstrap, f"{topic}.group")
        bench.publish(kafka_bootstrap, topic, [bench.received(key, 1) for key in others])
        subscriber.wait_for(applied=8)
        assert not [effect for effect in bench.effects(engine) if effect[0] == stuck]
        upstream.away_for = None
        subscriber.wait_for(applied=2 + len(others))
        assert members_of(kafka_bootstrap, f"{topic}.group") == members
    assert [effect for effect in bench.effects(engine) if effect[0] == stuck] == [
        (stuck, 1),
        (stuck, 2),
    ]
    assert "dead_lettered" not in subscriber.observer.counts
    assert set(subscriber.observer.reasons) == {"UNAVAILABLE"}


def test_a_database_that_cannot_take_the_effect_is_waited_for(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE effects RENAME TO effects_away"))
    key = new_id()
    bench.publish(kafka_bootstrap, topic, [bench.received(key, v) for v in (1, 2)])
    subscriber = bench.Subscriber(engine, kafka_bootstrap, topic)
    with bench.running(subscriber):
        subscriber.wait_for(paused=3)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE effects_away RENAME TO effects"))
        subscriber.wait_for(applied=2)
    assert bench.effects(engine) == [(key, 1), (key, 2)]


def test_a_batch_handler_gets_many_events_at_once_and_a_bad_one_alone(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    sizes: list[int] = []

    def handle(connection: Connection, events: Sequence[Received]) -> None:
        sizes.append(len(events))
        for event in events:
            refuse_version_two(connection, event)

    key = new_id()
    bench.publish(kafka_bootstrap, topic, [bench.received(key, v) for v in range(1, 101)])
    subscriber = bench.Subscriber(engine, kafka_bootstrap, topic, BatchHandler(handle))
    with bench.running(subscriber):
        subscriber.wait_for(applied=99, dead_lettered=1)
    assert max(sizes) > 1
    assert 1 in sizes
    assert bench.effects(engine) == [(key, v) for v in range(1, 101) if v != 2]


def test_what_was_taken_is_neither_read_again_nor_applied_again_after_a_restart(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    key = new_id()
    bench.publish(kafka_bootstrap, topic, [bench.received(key, v) for v in range(1, 11)])
    first, second = (bench.Subscriber(engine, kafka_bootstrap, topic) for _ in range(2))
    with bench.running(first):
        first.wait_for(applied=10)
    bench.publish(kafka_bootstrap, topic, [bench.received(key, v) for v in (10, 11)])
    with bench.running(second):
        second.wait_for(applied=1, duplicates=1)
    assert second.observer.counts["duplicates"] == 1
    assert bench.effects(engine) == [(key, v) for v in range(1, 12)]


def test_members_that_come_and_go_share_the_work_and_repeat_none(
    engine: Engine, kafka_bootstrap: str, topic: str
) -> None:
    keys = [new_id() for _ in range(30)]
    first, second = (bench.Subscriber(engine, kafka_bootstrap, topic) for _ in range(2))

    def publish(version: int) -> None:
        bench.publish(kafka_bootstrap, topic, [bench.received(key, version) for key in keys])

    def applied() -> int:
        return sum(each.observer.counts.get("applied", 0) for each in (first, second))

    with bench.running(first):
        publish(1)
        first.wait_for(applied=30)
        with bench.running(second):
            for version in range(2, 40):
                publish(version)
                wait_until(lambda v=version: applied() == 30 * v, 30, "everything is applied")  # type: ignore[misc]
                if second.observer.counts.get("applied"):
                    break
        publish(version + 1)
        wait_until(lambda: applied() == 30 * (version + 1), 30, "the first does it all again")
    assert second.observer.counts.get("applied")
    expected = {key: list(range(1, version + 2)) for key in keys}
    assert bench.effects_by_key(engine) == expected
