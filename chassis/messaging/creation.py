"""How Kafka topics come into being; apart from their list, which is read without Kafka's client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import TopicAlreadyExistsError

from chassis.messaging.topics import PARTITIONS


def ensure_topics(
    bootstrap: str,
    names: Iterable[str],
    *,
    partitions: int = PARTITIONS,
    replication_factor: int = 1,
    security: Mapping[str, Any] | None = None,
    timeout_seconds: float = 30.0,
) -> tuple[str, ...]:
    """Create the topics that are missing and return their names; existing ones stay as they are.

    Blocks up to `timeout_seconds`. Raises kafka.errors.KafkaError when no broker answers in time.
    The number of partitions of an existing topic is never changed: a key would move to another
    partition and lose its order.
    """
    timeout_ms = int(timeout_seconds * 1000)
    admin = KafkaAdminClient(
        bootstrap_servers=bootstrap,
        bootstrap_timeout_ms=timeout_ms,
        request_timeout_ms=timeout_ms,
        **dict(security or {}),
    )
    try:
        missing = sorted(set(names) - set(admin.list_topics()))
        return tuple(
            name for name in missing if _create(admin, name, partitions, replication_factor)
        )
    finally:
        admin.close()


def _create(admin: KafkaAdminClient, name: str, partitions: int, replication_factor: int) -> bool:
    """Whether this call created the topic; another process may have been first."""
    try:
        admin.create_topics([NewTopic(name, partitions, replication_factor)])
    except TopicAlreadyExistsError:
        return False
    return True
