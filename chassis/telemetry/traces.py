"""Traces: W3C traceparent everywhere for nothing, spans by hand and only where an exporter is set.

Instrumentation libraries cost 100 µs a call; passing the header on costs 1 µs. A process without
an OTLP endpoint makes no spans, but every call, event and outbox row still carries its trace.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Final

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.util.types import AttributeValue

_FORMAT: Final = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")
_SAMPLED: Final = "01"
_ids: Final = Random()  # noqa: S311 - see new_traceparent
_provider: TracerProvider | None = None


def new_traceparent() -> str:
    """A traceparent that starts a new trace.

    Its ids must differ, not be unguessable: a system call each would let go of the interpreter.
    """
    trace_id, span_id = _ids.getrandbits(128) or 1, _ids.getrandbits(64) or 1
    return f"00-{trace_id:032x}-{span_id:016x}-{_SAMPLED}"


def is_traceparent(text: str) -> bool:
    """Whether `text` is a well-formed W3C traceparent that names a trace (not all zeros)."""
    found = _FORMAT.match(text)
    return found is not None and int(found[1], 16) != 0 and int(found[2], 16) != 0


def traceparent_or_new(text: str) -> str:
    """`text` where it is a traceparent, else a new one: a malformed header never fails a call."""
    return text if text and is_traceparent(text) else new_traceparent()


def configure_traces(service: str, otlp_endpoint: str) -> None:
    """Export spans to `otlp_endpoint`; does nothing where it is empty. Call once, in main."""
    global _provider
    if not otlp_endpoint or _provider is not None:
        return
    # Imported here: the exporter loads much that a process without it never needs.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    _provider = TracerProvider(resource=Resource.create({"service.name": f"huitouke-{service}"}))
    exporter = OTLPSpanExporter(endpoint=otlp_endpoint, insecure=otlp_endpoint.startswith("http:"))
    _provider.add_span_processor(BatchSpanProcessor(exporter))


def stop_traces() -> None:
    """Send what is buffered; bounded by the exporter's own time-out."""
    if _provider is not None:
        _provider.shutdown()


def exporting() -> bool:
    """Whether spans are exported at all; hot paths ask before they build attributes."""
    return _provider is not None


@contextmanager
def span(
    name: str,
    traceparent: str,
    kind: SpanKind = SpanKind.INTERNAL,
    **attributes: AttributeValue,
) -> Iterator[str]:
    """A span below `traceparent`; yields the traceparent to pass on, the same one if not exporting.

    Attributes hold no personal data and no payload.
    """
    found = _FORMAT.match(traceparent)
    if _provider is None or found is None:
        yield traceparent
        return
    parent = SpanContext(
        trace_id=int(found[1], 16),
        span_id=int(found[2], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(found[3], 16)),
    )
    context = trace.set_span_in_context(NonRecordingSpan(parent))
    tracer = _provider.get_tracer("huitouke")
    # An exception's text may quote values; the log has it, scrubbed.
    with tracer.start_as_current_span(
        name,
        context,
        kind,
        attributes=attributes,
        record_exception=False,
    ) as started:
        made = started.get_span_context()
        yield f"00-{made.trace_id:032x}-{made.span_id:016x}-{int(made.trace_flags):02x}"
