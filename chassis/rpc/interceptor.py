"""What happens around every call: admission, validation, error mapping, log, metrics, trace.

Handlers are wrapped once at start instead of being intercepted at each call, and take and give
bytes: parsing and serializing happen here, so that garbage is the caller's fault (INVALID_ARGUMENT)
and never a defect. The order: overload, authentication, allow-list, deadline, parse, validate.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic, perf_counter
from typing import Any, Final, TypeAlias
from weakref import WeakSet

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status
from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Histogram

from chassis.kernel.refusals import Category, Refusal
from chassis.rpc import calls, validation
from chassis.rpc.authentication import Authenticator, Context, Identity
from chassis.rpc.status import CODES, DETAILS_KEY, internal_status, to_status
from chassis.telemetry import metrics, traces
from chassis.telemetry.logs import get_logger, log_request

_REPLAYED: Final = ((calls.REPLAYED_KEY, "true"),)
_CODES_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}
_log = get_logger("rpc.server")
_interceptors: Final[WeakSet["Interceptor"]] = WeakSet()
metrics.RPC_IN_FLIGHT.prometheus.set_function(
    lambda: float(sum(each.in_flight for each in _interceptors))
)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Body = Callable[[calls.Call], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class MethodRule:
    """One RPC: its full name, who may call it, and whether its request is a batch of requests."""

    method: str
    callers: frozenset[str]
    batch: bool = False


class Interceptor:
    """Wraps the handlers of one server; counts calls in flight over all of them."""

    def __init__(self, authenticate: Authenticator, concurrent_calls_max: int) -> None:
        self._authenticate = authenticate
        self._concurrent_calls_max = concurrent_calls_max
        self._in_flight = 0
        _interceptors.add(self)

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def wrap(self, rule: MethodRule, handler: Handler) -> Handler:
        """The guarded handler of one RPC; its inner function must be a coroutine (or a generator).

        Raises TypeError for a bidirectional stream: no contract of the suite has one.
        """
        if handler.request_streaming and handler.response_streaming:
            raise TypeError(f"{rule.method}: bidirectional streams aren't supported")
        if handler.request_streaming:
            wrapped = self._wrap_stream_unary(rule, handler)
            return grpc.stream_unary_rpc_method_handler(wrapped, None, None)
        if handler.response_streaming:
            wrapped = self._wrap_unary_stream(rule, handler)
            return grpc.unary_stream_rpc_method_handler(wrapped, None, None)
        wrapped = self._wrap_unary_unary(rule, handler)
        return grpc.unary_unary_rpc_method_handler(wrapped, None, None)

    def _wrap_unary_unary(self, rule: MethodRule, handler: Handler) -> Callable[..., Any]:
        parse, serialize = handler.request_deserializer, handler.response_serializer
        behaviour: Callable[..., Awaitable[Message]] = handler.unary_unary  # type: ignore[assignment]

        async def serve(raw: bytes, context: Context) -> bytes | None:
            async def body(call: calls.Call) -> bytes:
                call.may_hold_nul = b"\0" in raw  # rare: proto3 leaves zeros out
                request = _parse(rule, parse, raw)
                return serialize(await behaviour(request, context))  # type: ignore[misc]

            return await self._guard(rule, context, body)

        return serve

    def _wrap_unary_stream(self, rule: MethodRule, handler: Handler) -> Callable[..., Any]:
        parse, serialize = handler.request_deserializer, handler.response_serializer
        behaviour: Callable[..., Any] = handler.unary_stream  # type: ignore[assignment]

        async def serve(raw: bytes, context: Context) -> None:
            async def body(_call: calls.Call) -> bytes | None:
                responses: AsyncIterator[Message] = behaviour(_parse(rule, parse, raw), context)
                async for response in responses:
                    await context.write(serialize(response))  # type: ignore[misc]
                return None

            await self._guard(rule, context, body)  # its answers are already written

        return serve

    def _wrap_stream_unary(self, rule: MethodRule, handler: Handler) -> Callable[..., Any]:
        parse, serialize = handler.request_deserializer, handler.response_serializer
        behaviour: Callable[..., Awaitable[Message]] = handler.stream_unary  # type: ignore[assignment]

        async def serve(raws: AsyncIterator[bytes], context: Context) -> bytes | None:
            async def requests() -> AsyncIterator[Message]:
                """What is sent, each message checked.

                A caller that breaks off may look like one that has ended, since grpc shows the end
                before its reason: a handler takes what came, and no end for a promise.
                """
                async for raw in raws:
                    yield _parse(rule, parse, raw)

            async def body(_call: calls.Call) -> bytes:
                return serialize(await behaviour(requests(), context))  # type: ignore[misc]

            return await self._guard(rule, context, body)

        return serve

    async def _guard(self, rule: MethodRule, context: Context, body: Body) -> bytes | None:
        passage = _Passage(rule.method)
        self._in_flight += 1
        try:
            call = await self._admit(rule, context, passage)
            answer = await (_traced(call, body) if traces.exporting() else body(call))
        except Refusal as refusal:
            status, replayed = to_status(refusal), refusal.replayed
            passage.reason = refusal.reason
        except asyncio.CancelledError:
            if _cancelled_by_caller():
                passage.record("CANCELLED", "CANCELLED")
                raise
            status, replayed = to_status(_given_up()), False
            passage.reason = "UNAVAILABLE"
        except grpc.aio.AbortError:
            passage.record("ABORTED_BY_SERVICER", "UNKNOWN")
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: a defect ends one call only
            _log.error("rpc_failed", method=rule.method, trace=passage.trace, exc_info=error)
            status, replayed = internal_status(), False
            passage.reason = "INTERNAL"
        else:
            if call.replayed:
                context.set_trailing_metadata(_REPLAYED)
            passage.record("OK", "OK")
            return answer
        finally:
            self._in_flight -= 1
        await _refuse(context, status, passage, replayed=replayed)
        return None

    async def _admit(
        self,
        rule: MethodRule,
        context: Context,
        passage: "_Passage",
    ) -> calls.Call:
        if self._in_flight > self._concurrent_calls_max:
            raise _overloaded()
        metadata: Sequence[tuple[str, str | bytes]] = context.invocation_metadata() or ()  # type: ignore[assignment]
        identity = await self._authenticate(context, metadata)
        passage.caller = identity.listed_as
        _check_listed(rule, identity)
        remaining = context.time_remaining()
        if remaining is None:
            raise _deadline_missing()
        call = _make_call(rule, identity, metadata, remaining)
        passage.trace = call.traceparent
        calls.enter_call(call)
        return call


class _Passage:
    """What the log line and the metrics of one call need."""

    __slots__ = ("caller", "method", "reason", "started", "trace")

    def __init__(self, method: str) -> None:
        self.method = method
        self.started = perf_counter()
        self.caller = ""
        self.reason = "OK"
        self.trace = ""

    def record(self, reason: str, code: str) -> None:
        seconds = perf_counter() - self.started
        _served(self.method, self.caller, code, reason).inc()
        _seconds(self.method).observe(seconds)
        log_request(self.method, self.caller, code, reason, seconds * 1000, self.trace)


@lru_cache(maxsize=4096)
def _served(method: str, caller: str, code: str, reason: str) -> Counter:
    return metrics.RPC_SERVED.prometheus.labels(method, caller, code, reason)


@lru_cache(maxsize=1024)
def _seconds(method: str) -> Histogram:
    return metrics.RPC_SERVER_SECONDS.prometheus.labels(method)


async def _refuse(context: Context, status: Status, passage: _Passage, *, replayed: bool) -> None:
    code = _CODES_BY_NUMBER[status.code]
    passage.record(passage.reason, code.name)
    details: tuple[tuple[str, str | bytes], ...] = ((DETAILS_KEY, status.SerializeToString()),)
    await context.abort(code, status.message, details + _REPLAYED if replayed else details)


def _parse(rule: MethodRule, parse: Any, raw: bytes) -> Message:
    try:
        request: Message = parse(raw)
    except DecodeError:
        raise Refusal(
            Category.INVALID,
            "INVALID_FIELD",
            f"the request isn't what {rule.method} takes: its bytes can't be decoded",
        ) from None
    if rule.batch:
        validation.validate_batch_size(request)
    else:
        validation.validate(request)
        if b"\0" in raw:  # rare: proto3 leaves zeros out
            validation.refuse_nul(request)
    return request


def _make_call(
    rule: MethodRule,
    identity: Identity,
    metadata: Sequence[tuple[str, str | bytes]],
    remaining_seconds: float,
) -> calls.Call:
    if remaining_seconds <= 0:
        raise Refusal(Category.TOO_LATE, "DEADLINE_PASSED", "the deadline passed before the start")
    traceparent = ""
    for key, value in metadata:
        if key == calls.TRACEPARENT_KEY:
            traceparent = str(value)
    return calls.Call(
        caller=identity.caller,
        method=rule.method,
        deadline_monotonic=monotonic() + remaining_seconds,
        traceparent=traces.traceparent_or_new(traceparent),
        actor=calls.actor_from(metadata) if identity.relays_actor else identity.actor,
        principal=identity.principal,
    )


def _check_listed(rule: MethodRule, identity: Identity) -> None:
    if identity.listed_as not in rule.callers:
        raise Refusal(
            Category.FORBIDDEN,
            "CALLER_NOT_ALLOWED",
            f"{identity.listed_as} may not call {rule.method}",
        )


async def _traced(call: calls.Call, body: Body) -> bytes | None:
    with traces.span(call.method, call.traceparent, SpanKind.SERVER, caller=call.caller) as below:
        call.traceparent = below
        return await body(call)


def _cancelled_by_caller() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _overloaded() -> Refusal:
    delay = 0.1 + random.random() * 0.3  # noqa: S311 - spreads the retries, no secret
    return Refusal(
        Category.EXHAUSTED,
        "OVERLOADED",
        "too many calls in flight; wait and try again",
        retry_after_seconds=delay,
    )


def _deadline_missing() -> Refusal:
    return Refusal(
        Category.INVALID,
        "DEADLINE_MISSING",
        "every call needs a deadline; set the client's timeout (5 seconds suit most calls)",
    )


def _given_up() -> Refusal:
    """For work that was cancelled from inside, as when an executor stops: nobody else answers."""
    return Refusal(Category.UNAVAILABLE, "UNAVAILABLE", "the work was given up; try again")


__all__ = ["CODES", "Interceptor", "MethodRule"]
