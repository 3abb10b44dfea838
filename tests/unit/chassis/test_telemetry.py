"""Logs without personal data, one list of metrics, traces that never fail a call."""

import asyncio
import http.client
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from chassis.startup import StartupError
from chassis.telemetry import logs, metrics
from chassis.telemetry.endpoint import Endpoint
from chassis.telemetry.observers import ConsumerMetrics, ExecutorMetrics, RelayMetrics
from chassis.telemetry.traces import is_traceparent, new_traceparent, span, traceparent_or_new


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(logs, "_request_log", None)
    written = io.StringIO()
    logs.configure_logs("points", "serve", "info", written)
    yield written
    structlog.reset_defaults()


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_log_line_is_one_json_object_that_names_its_process(stream: io.StringIO) -> None:
    logs.get_logger("storage").info("committed", commands=3)
    (line,) = _lines(stream)
    assert (line["event"], line["area"], line["commands"]) == ("committed", "storage", 3)
    assert (line["service"], line["role"], line["level"]) == ("points", "serve", "info")


def test_a_request_line_reads_like_any_other(stream: io.StringIO) -> None:
    logs.log_request("/a.B/C", "gateway", "OK", "OK", 1.23456, "trace")
    (line,) = _lines(stream)
    assert (line["event"], line["method"], line["ms"]) == ("rpc", "/a.B/C", 1.235)
    assert {"at", "service", "role", "caller", "code", "reason", "trace"} <= line.keys()


def test_request_lines_of_one_turn_of_the_loop_are_written_together(stream: io.StringIO) -> None:
    async def serve() -> list[int]:
        written = []
        for number in range(2):
            for _ in range(3):
                logs.log_request(f"/a.B/{number}", "gateway", "OK", "OK", 1.0, "trace")
            written.append(len(_lines(stream)))
            await asyncio.sleep(0)
        return written

    assert asyncio.run(serve()) == [0, 3]
    assert [line["method"] for line in _lines(stream)] == ["/a.B/0"] * 3 + ["/a.B/1"] * 3


@pytest.mark.parametrize("key", sorted(logs.PERSONAL_KEYS))
def test_personal_fields_are_masked_wherever_they_are(stream: io.StringIO, key: str) -> None:
    logs.get_logger("x").info("slip", **{key: "19900000000", "inner": {key: "19900000000"}})
    assert "19900000000" not in stream.getvalue()


def _collide() -> None:
    raise ValueError(
        "duplicate key\nDETAIL: Key (x)=(秘密) exists\nfor +8619900000000 or guest@example.com",
    )


def test_an_exception_is_logged_with_its_place_and_without_the_values_in_its_text(
    stream: io.StringIO,
) -> None:
    try:
        _collide()
    except ValueError:
        logs.get_logger("x").exception("failed")
    text = stream.getvalue()
    (line,) = _lines(stream)
    assert line["error"] == "ValueError"
    assert "test_telemetry.py" in str(line["frames"])
    assert not any(secret in text for secret in ("秘密", "19900000000", "guest@example.com"))


def test_a_librarys_warning_comes_as_json_too_and_its_chatter_does_not(
    stream: io.StringIO,
) -> None:
    logging.getLogger("kafka.client").info("chatter")
    logging.getLogger("kafka.client").warning("lost %s", "broker-1")
    logging.getLogger("chassis.storage.executor").info("own %d", 1)
    assert [line["event"] for line in _lines(stream)] == ["lost broker-1", "own 1"]


@given(st.text(max_size=80))
def test_any_text_in_place_of_a_traceparent_becomes_a_valid_one(text: str) -> None:
    assert is_traceparent(traceparent_or_new(text))


def test_a_valid_traceparent_is_kept_and_all_zeros_is_not_one() -> None:
    trace = new_traceparent()
    assert traceparent_or_new(trace) == trace
    assert not is_traceparent(f"00-{'0' * 32}-{'1' * 16}-01")
    assert not is_traceparent(trace + "\n")


def test_without_an_exporter_a_span_passes_the_trace_on_unchanged() -> None:
    trace = new_traceparent()
    with span("work", trace, attribute="x") as passed_on:
        assert passed_on == trace


def test_every_metric_is_listed_once_with_help_and_a_name_that_says_its_unit() -> None:
    units = ("_total", "_seconds", "_items", "_calls", "_commands", "_events")
    for name, metric in metrics.ALL.items():
        assert metric.name == name
        assert name.startswith("huitouke_")
        assert metric.help.endswith(".")
        if metric.kind == "counter":
            assert name.endswith("_total")
        if metric.kind == "histogram":
            assert name.endswith(units)


def test_what_the_executor_relay_and_consumer_tell_is_counted() -> None:
    executor, relay, consumer = ExecutorMetrics(), RelayMetrics("t"), ConsumerMetrics("g")
    executor.batch_committed("e", 7, 0.01)
    executor.batch_retried("e", "DeadlockDetected")
    executor.command_poisoned("e", "KeyError")
    executor.command_dropped("e", "OVERLOADED")
    executor.queue_depth("e", 3)
    relay.lease_changed(held=True)
    relay.batch_read(events=5, oldest_age_seconds=0.2)
    relay.batch_published(events=5)
    relay.failed(reason="KafkaTimeoutError")
    consumer.applied(topic="t", events=2)
    consumer.skipped(topic="t", events=1)
    consumer.duplicates(topic="t", events=1)
    consumer.jumps(topic="t", events=1)
    consumer.dead_lettered(topic="t", reason="DECODE")
    consumer.paused(topic="t", partition=0, reason="x", retry_seconds=1.0)
    consumer.resumed(topic="t", partition=0)
    consumer.lag(topic="t", partition=0, events=9)
    text = metrics.exposition().decode()
    assert 'huitouke_executor_queued_commands{executor="e"} 3.0' in text
    assert 'huitouke_relay_published_total{topic="t"} 5.0' in text
    assert 'huitouke_consumer_events_total{group="g",outcome="applied",topic="t"} 2.0' in text
    assert 'huitouke_consumer_paused{group="g",partition="0",topic="t"} 0.0' in text


def _get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_endpoint_serves_metrics_and_tells_health_by_its_code() -> None:
    states = {"postgresql": True}
    endpoint = Endpoint("127.0.0.1:0", lambda: states)
    try:
        assert b"huitouke_rpc_served_total" in _get(endpoint.port, "/metrics")[1]
        assert _get(endpoint.port, "/healthz") == (200, b'{"postgresql": true}')
        states["postgresql"] = False
        assert _get(endpoint.port, "/healthz") == (503, b'{"postgresql": false}')
        assert _get(endpoint.port, "/etc/passwd")[0] == 404
        with pytest.raises(StartupError, match=f"127.0.0.1:{endpoint.port}"):
            Endpoint(f"127.0.0.1:{endpoint.port}", lambda: states)
    finally:
        endpoint.close()
