"""The one typed list of Kafka topics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
