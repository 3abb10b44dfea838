"""The one typed list of Kafka topics, and the way they come into being."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import TopicAlreadyExistsError

PARTITIONS = 6
DEAD_LETTER_SUFFIX = ".dlq"


@dataclass(frozen=True, slots=True)
class Topic:
    """One service's facts.

    `service` is the publisher; the topic carries every event of its `huitouke.<service>.v1`
    package, keyed by member id (by their aggregate's id for events without a member).
    """

    service: str
    version: int = 1

    def name(self, prefix: str = "") -> str:
        return f"{prefix}huitouke.{self.service}.v{self.version}"

    def source(self) -> str:
        """The CloudEvents source: inbox versions are counted per source and key."""
        return f"huitouke.{self.service}"


TOPICS: tuple[Topic, ...] = (
    Topic("member"),
    Topic("points"),
    Topic("coupon"),
    Topic("notify"),
    Topic("gateway"),
)

_BY_SERVICE: Mapping[str, Topic] = {topic.service: topic for topic in TOPICS}


def topic_of(service: str, prefix: str = "") -> str:
    """The name of a service's topic, e.g. `huitouke.points.v1`; KeyError for an unknown service.

    `prefix` comes from the setting HUITOUKE_TOPIC_PREFIX and separates suites on one broker.
    """
    return _BY_SERVICE[service].name(prefix)


def source_of(service: str) -> str:
    """The CloudEvents source of a service's events; KeyError for an unknown service."""
    return _BY_SERVICE[service].source()


def dead_letter_topic_of(topic: str) -> str:
    """Where a consumer puts what it can never apply, with the reason in headers."""
    return topic + DEAD_LETTER_SUFFIX


def all_topics(prefix: str = "") -> tuple[str, ...]:
    """Every topic of the suite and its dead letters."""
    names = [topic.name(prefix) for topic in TOPICS]
    return tuple(names + [dead_letter_topic_of(name) for name in names])


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
