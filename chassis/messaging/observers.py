"""What the relay and the consumers tell about themselves; telemetry implements these Protocols."""

from __future__ import annotations

from typing import Protocol


class RelayObserver(Protocol):
    """Called from the relay's own thread; must not block."""

    def lease_changed(self, *, held: bool) -> None: ...

    def batch_read(self, *, events: int, oldest_age_seconds: float) -> None:
        """Rows taken to be sent; the age of the oldest is the publishing lag."""

    def batch_published(self, *, events: int) -> None:
        """Rows acknowledged by Kafka and deleted."""

    def failed(self, *, reason: str) -> None:
        """The producer or the connection was discarded; `reason` is the error's class name."""


class ConsumerObserver(Protocol):
    """Called from the consumer's own thread; must not block."""

    def applied(self, *, topic: str, events: int) -> None: ...

    def skipped(self, *, topic: str, events: int) -> None:
        """Counted for versions, but no handler takes their type."""

    def duplicates(self, *, topic: str, events: int) -> None: ...

    def jumps(self, *, topic: str, events: int) -> None:
        """Not applied because an earlier version is still to come; lasting ones need a human."""

    def dead_lettered(self, *, topic: str, reason: str) -> None: ...

    def paused(self, *, topic: str, partition: int, reason: str, retry_seconds: float) -> None: ...

    def resumed(self, *, topic: str, partition: int) -> None: ...

    def lag(self, *, topic: str, partition: int, events: int) -> None:
        """Records of the partition not yet handled, as last known."""


class SilentRelayObserver:
    """Tells nobody."""

    def lease_changed(self, *, held: bool) -> None: ...

    def batch_read(self, *, events: int, oldest_age_seconds: float) -> None: ...

    def batch_published(self, *, events: int) -> None: ...

    def failed(self, *, reason: str) -> None: ...


class SilentConsumerObserver:
    """Tells nobody."""

    def applied(self, *, topic: str, events: int) -> None: ...

    def skipped(self, *, topic: str, events: int) -> None: ...

    def duplicates(self, *, topic: str, events: int) -> None: ...

    def jumps(self, *, topic: str, events: int) -> None: ...

    def dead_lettered(self, *, topic: str, reason: str) -> None: ...

    def paused(self, *, topic: str, partition: int, reason: str, retry_seconds: float) -> None: ...

    def resumed(self, *, topic: str, partition: int) -> None: ...

    def lag(self, *, topic: str, partition: int, events: int) -> None: ...
