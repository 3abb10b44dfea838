"""Metrics of the executor, the relay and the consumers: what their observer Protocols ask for.

Given where they are made, in `main`: `Executor(..., observer=ExecutorMetrics())`,
`Relay(..., observer=RelayMetrics(topic))`, `Consumer(..., observer=ConsumerMetrics(group))`.
"""

from typing import Final

from chassis.telemetry import metrics


class ExecutorMetrics:
    """An `ExecutorObserver`."""

    def batch_committed(self, executor: str, commands: int, seconds: float) -> None:
        metrics.EXECUTOR_BATCH_ITEMS.prometheus.labels(executor).observe(commands)
        metrics.EXECUTOR_COMMIT_SECONDS.prometheus.labels(executor).observe(seconds)

    def batch_retried(self, executor: str, cause: str) -> None:
        metrics.EXECUTOR_RETRIED.prometheus.labels(executor, cause).inc()

    def command_poisoned(self, executor: str, cause: str) -> None:
        metrics.EXECUTOR_POISONED.prometheus.labels(executor, cause).inc()

    def command_dropped(self, executor: str, reason: str) -> None:
        metrics.EXECUTOR_DROPPED.prometheus.labels(executor, reason).inc()

    def queue_depth(self, executor: str, depth: int) -> None:
        metrics.EXECUTOR_QUEUE.prometheus.labels(executor).set(depth)


class RelayMetrics:
    """A `RelayObserver` for one topic."""

    def __init__(self, topic: str) -> None:
        self._published: Final = metrics.RELAY_PUBLISHED.prometheus.labels(topic)
        self._lag: Final = metrics.RELAY_LAG_SECONDS.prometheus.labels(topic)
        self._leading: Final = metrics.RELAY_LEADING.prometheus.labels(topic)
        self._topic: Final = topic

    def lease_changed(self, *, held: bool) -> None:
        self._leading.set(1 if held else 0)

    def batch_read(self, *, events: int, oldest_age_seconds: float) -> None:
        if events:
            self._lag.observe(oldest_age_seconds)

    def batch_published(self, *, events: int) -> None:
        self._published.inc(events)

    def failed(self, *, reason: str) -> None:
        metrics.RELAY_INTERRUPTED.prometheus.labels(self._topic, reason).inc()


class ConsumerMetrics:
    """A `ConsumerObserver` for one group."""

    def __init__(self, group: str) -> None:
        self._group: Final = group

    def applied(self, *, topic: str, events: int) -> None:
        self._count(topic, "applied", events)

    def skipped(self, *, topic: str, events: int) -> None:
        self._count(topic, "skipped", events)

    def duplicates(self, *, topic: str, events: int) -> None:
        self._count(topic, "duplicate", events)

    def jumps(self, *, topic: str, events: int) -> None:
        self._count(topic, "early", events)

    def dead_lettered(self, *, topic: str, reason: str) -> None:
        metrics.CONSUMER_DEAD.prometheus.labels(self._group, topic, reason).inc()

    def paused(self, *, topic: str, partition: int, reason: str, retry_seconds: float) -> None:
        del reason, retry_seconds
        metrics.CONSUMER_PAUSED.prometheus.labels(self._group, topic, str(partition)).set(1)

    def resumed(self, *, topic: str, partition: int) -> None:
        metrics.CONSUMER_PAUSED.prometheus.labels(self._group, topic, str(partition)).set(0)

    def lag(self, *, topic: str, partition: int, events: int) -> None:
        metrics.CONSUMER_LAG.prometheus.labels(self._group, topic, str(partition)).set(events)

    def _count(self, topic: str, outcome: str, events: int) -> None:
        metrics.CONSUMER_EVENTS.prometheus.labels(self._group, topic, outcome).inc(events)
