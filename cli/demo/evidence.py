"""What others saw of the day: the guests' telephones and mailboxes, and a subscriber on Kafka."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chassis.messaging.cloudevents import Received
from chassis.messaging.tail import tail
from cli.endpoints import Endpoints
from cli.local.spool import read_spool

SETTLE_SECONDS = 30.0
POLL_SECONDS = 0.2
SERVICES = ("member", "points", "coupon", "notify", "gateway")


class Subscriber:
    """Reads every topic from now on, in a thread of its own, until it is stopped."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.events: list[Received] = []
        self._stop = threading.Event()
        topics = [f"{endpoints.topic_prefix}huitouke.{service}.v1" for service in SERVICES]
        self._source = tail(endpoints.kafka_bootstrap, topics, stop=self._stop)
        self._thread = threading.Thread(target=self._read, name="subscriber", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        self.events.extend(self._source)

    def wait_for(self, wanted: Counter[str]) -> bool:
        """Wait until so many distinct events of each type have come; False when they don't."""
        return _until(lambda: not wanted - Counter(_distinct(self.events).values()))

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=SETTLE_SECONDS)


def _distinct(events: list[Received]) -> dict[str, str]:
    return {str(event.id): event.type for event in list(events)}


@dataclass(slots=True)
class Delivery:
    """How the events came: how many, how many of them twice, and where a version is missing."""

    received: int = 0
    distinct: int = 0
    gaps: list[str] = field(default_factory=list)


def delivery(events: list[Received]) -> Delivery:
    """De-duplicate by id, and look for gaps in the versions of each source and key."""
    versions: dict[tuple[str, str], set[int]] = defaultdict(set)
    for event in events:
        versions[event.source, str(event.key)].add(event.version)
    gaps = [
        f"{source} {key}: {len(seen)} versions from {min(seen)} to {max(seen)}"
        for (source, key), seen in versions.items()
        if len(seen) != max(seen) - min(seen) + 1
    ]
    return Delivery(len(events), len(_distinct(events)), gaps)


def wait_for_messages(spool: str, recipient: str, wanted: int) -> list[dict[str, object]]:
    """Lines of a sink's spool for one recipient: as many as wanted, or what came in time."""
    found: list[dict[str, object]] = []

    def enough() -> bool:
        found[:] = [line for line in read_spool(Path(spool)) if recipient in _recipients(line)]
        return len(found) >= wanted

    _until(enough)
    return found


def _recipients(line: dict[str, object]) -> list[str]:
    if "recipients" in line:
        recipients = line["recipients"]
        return [str(address) for address in recipients] if isinstance(recipients, list) else []
    return [f"+{str(line['destination']).lstrip('+')}"]


def _until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + SETTLE_SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)  # the sinks and Kafka have no way to call back
    return True
