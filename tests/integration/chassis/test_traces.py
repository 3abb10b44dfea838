"""Spans reach a real OTLP collector, below the caller's trace, and only when one is configured."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import (
    trace_service_pb2,
    trace_service_pb2_grpc,
)

from chassis.rpc.calls import current_call
from chassis.telemetry import traces
from tests.integration.chassis import echo
from tests.integration.chassis.rpc_world import connected, serving

TRACE_ID = "4fa4ed7240d61025a17a65c2773a07f2"
PARENT_ID = "dc5cdbf4484a2595"


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    async def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
def _no_exporter_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "_provider", None)


@pytest.mark.usefixtures("_no_exporter_afterwards")
def test_a_served_call_is_a_span_below_its_callers_and_its_own_calls_are_below_it(
    certificates: Path,
) -> None:
    async def tell(_request: Any, _context: Any) -> Any:
        return echo.EchoResponse(text=current_call().traceparent)

    async def scenario() -> None:
        collector = Collector()
        sink = grpc.aio.server()
        add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
        add(collector, sink)
        port = sink.add_insecure_port("127.0.0.1:0")
        await sink.start()
        traces.configure_traces("points", f"http://127.0.0.1:{port}")
        async with (
            serving(certificates, echo.EchoServicer(tell)) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            response = await channel.call(
                stub.Echo,
                echo.EchoRequest(text="x"),
                timeout_seconds=5,
                traceparent=f"00-{TRACE_ID}-{PARENT_ID}-01",
            )
        await asyncio.to_thread(traces.stop_traces)
        await sink.stop(None)
        (span,) = collector.spans
        assert span.name == echo.ECHO
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
        assert response.text == f"00-{TRACE_ID}-{span.span_id.hex()}-01"

    asyncio.run(scenario())
