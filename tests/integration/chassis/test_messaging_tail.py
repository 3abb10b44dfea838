"""Watching topics from outside, and the topics' own creation."""

from __future__ import annotations

import threading

from kafka.admin import KafkaAdminClient

from chassis.identifiers import new_id
from chassis.messaging.creation import ensure_topics
from chassis.messaging.tail import tail
from chassis.messaging.topics import all_topics
from tests.integration.chassis import messaging_bench as bench
from tests.waiting import wait_until


def test_a_tail_shows_what_comes_after_it_began_or_everything(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    topic = bench.new_topic(kafka_bootstrap, topic_prefix)
    key = new_id()
    stop = threading.Event()
    bench.publish(kafka_bootstrap, topic, [bench.received(key, 1)])
    from_now = tail(kafka_bootstrap, [topic], stop=stop)
    from_start = tail(kafka_bootstrap, [topic], stop=stop, from_earliest=True)
    bench.publish(kafka_bootstrap, topic, [bench.received(key, 2)])
    assert next(from_now).version == 2
    assert [next(from_start).version for _ in range(2)] == [1, 2]
    stop.set()
    assert list(from_now) == []
    assert list(from_start) == []


def test_topics_are_created_once_with_their_dead_letters(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    names = all_topics(topic_prefix)
    ensure_topics(kafka_bootstrap, names)
    assert ensure_topics(kafka_bootstrap, names) == ()
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)

    def partitions() -> set[int]:
        return {len(topic["partitions"]) for topic in admin.describe_topics(list(names))}

    try:
        wait_until(lambda: partitions() == {6}, 20, "each topic has six partitions")
    finally:
        admin.close()
