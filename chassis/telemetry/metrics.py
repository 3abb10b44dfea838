"""The one typed list of all metrics; dashboards, docs and code agree because they read it.

Code observes through the Prometheus object of an entry:

    RPC_SERVED.prometheus.labels(method, caller, code, reason).inc()

A service adds its own metrics by calling `counter`, `gauge` or `histogram` once at module level.
Names end with their unit; labels have few values: never an id, a name or a mobile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

Kind = Literal["counter", "gauge", "histogram"]
P = TypeVar("P", Counter, Gauge, Histogram)

# From 0.5 ms to 10 s: a unary call on one machine takes 1 ms, a batch commit 5 ms.
SECONDS_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0)
BATCH_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class Metric(Generic[P]):
    """One metric: what dashboards and docs need to know, and the object that counts."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    prometheus: P


ALL: Final[dict[str, Metric[Counter] | Metric[Gauge] | Metric[Histogram]]] = {}


def counter(name: str, text: str, labels: Sequence[str] = ()) -> Metric[Counter]:
    """A count that only grows; its name ends with _total."""
    metric = Metric(name, "counter", text, tuple(labels), Counter(name, text, labels))
    _list(metric)
    return metric


def gauge(name: str, text: str, labels: Sequence[str] = ()) -> Metric[Gauge]:
    """A value that goes up and down."""
    metric = Metric(name, "gauge", text, tuple(labels), Gauge(name, text, labels))
    _list(metric)
    return metric


def histogram(
    name: str,
    text: str,
    labels: Sequence[str] = (),
    buckets: Sequence[float] = SECONDS_BUCKETS,
) -> Metric[Histogram]:
    """A distribution; its name ends with its unit (_seconds, _items)."""
    made = Histogram(name, text, labels, buckets=buckets)
    metric = Metric(name, "histogram", text, tuple(labels), made)
    _list(metric)
    return metric


def _list(metric: Metric[Counter] | Metric[Gauge] | Metric[Histogram]) -> None:
    assert metric.name not in ALL, f"metric {metric.name} is declared twice"
    ALL[metric.name] = metric


def exposition() -> bytes:
    """All metrics of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)


RPC_SERVED = counter(
    "huitouke_rpc_served_total",
    "Calls answered, by code and reason (reason is OK for an answer).",
    ("method", "caller", "code", "reason"),
)
RPC_SERVER_SECONDS = histogram(
    "huitouke_rpc_server_seconds",
    "Time from a call's arrival in Python to its answer.",
    ("method",),
)
RPC_IN_FLIGHT = gauge("huitouke_rpc_in_flight_calls", "Calls being served now.")
RPC_CALLED = counter(
    "huitouke_rpc_called_total",
    "Attempts of calls to other services, by the server called and its answer's reason.",
    ("server", "reason"),
)
RPC_RETRIED = counter(
    "huitouke_rpc_retried_total",
    "Attempts that were repeated, and those that the budget forbade to repeat.",
    ("server", "outcome"),
)
COALESCED_ITEMS = histogram(
    "huitouke_rpc_coalesced_items",
    "Single calls that travelled together in one batch call.",
    ("method",),
    BATCH_BUCKETS,
)
DEPENDENCY_UP = gauge(
    "huitouke_dependency_up",
    "1 while the last health check of a dependency passed.",
    ("dependency",),
)
EXECUTOR_BATCH_ITEMS = histogram(
    "huitouke_executor_batch_items",
    "Commands committed by one transaction.",
    ("executor",),
    BATCH_BUCKETS,
)
EXECUTOR_COMMIT_SECONDS = histogram(
    "huitouke_executor_commit_seconds",
    "Time of one transaction from BEGIN to after COMMIT.",
    ("executor",),
)
EXECUTOR_QUEUE = gauge(
    "huitouke_executor_queued_commands",
    "Commands waiting for a writer.",
    ("executor",),
)
EXECUTOR_RETRIED = counter(
    "huitouke_executor_retried_total",
    "Batches run again after a database error, by the error's class.",
    ("executor", "cause"),
)
EXECUTOR_POISONED = counter(
    "huitouke_executor_poisoned_total",
    "Commands that failed alone with an unexpected error: each is a defect to look at.",
    ("executor", "cause"),
)
EXECUTOR_DROPPED = counter(
    "huitouke_executor_dropped_total",
    "Commands not run: DEADLINE_PASSED, OVERLOADED or UNAVAILABLE.",
    ("executor", "reason"),
)
RELAY_PUBLISHED = counter(
    "huitouke_relay_published_total",
    "Events acknowledged by Kafka and deleted from the outbox.",
    ("topic",),
)
RELAY_LAG_SECONDS = histogram(
    "huitouke_relay_lag_seconds",
    "Age of the oldest event of each batch when the relay takes it.",
    ("topic",),
)
RELAY_LEADING = gauge(
    "huitouke_relay_leading",
    "1 in the process that holds the relay's lease.",
    ("topic",),
)
RELAY_INTERRUPTED = counter(
    "huitouke_relay_interrupted_total",
    "Times the relay discarded its producer or connection, by the error's class.",
    ("topic", "reason"),
)
CONSUMER_EVENTS = counter(
    "huitouke_consumer_events_total",
    "Events received, by outcome: applied, skipped (no handler), duplicate, early (a gap before).",
    ("group", "topic", "outcome"),
)
CONSUMER_DEAD = counter(
    "huitouke_consumer_dead_total",
    "Events sent to the dead-letter topic, by reason.",
    ("group", "topic", "reason"),
)
CONSUMER_PAUSED = gauge(
    "huitouke_consumer_paused",
    "1 while a partition is paused because a handler's dependency is out.",
    ("group", "topic", "partition"),
)
CONSUMER_LAG = gauge(
    "huitouke_consumer_lag_events",
    "Records of a partition not yet handled, as last known.",
    ("group", "topic", "partition"),
)
