"""Calls to other services: mTLS, a deadline each, the trace and actor passed on, frugal retries.

points = Channel("127.0.0.1:9442", settings.client_tls(), server="points")
stub = PointsServiceStub(points.grpc)
response = await points.call(stub.Post, request, timeout_seconds=2.0, idempotent=True)
"""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any, Final, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.kernel.refusals import Category, Refusal
from chassis.rpc import calls
from chassis.rpc.retries import RetryBudget, RetryPolicy
from chassis.rpc.status import from_rpc_error
from chassis.rpc.tls import ClientTls, server_name
from chassis.telemetry import metrics, traces

Request = TypeVar("Request")
Response = TypeVar("Response")
MESSAGE_BYTES_MAX: Final = 4_194_304


class Channel:
    """One connection pool to one service, for the loop that made it.

    `server` is the service's caller name: its certificate must say `<server>.huitouke.internal`,
    wherever `target` leads. A name that isn't a plain label ("localhost") is taken as it is.
    """

    def __init__(
        self,
        target: str,
        tls: ClientTls,
        *,
        server: str,
        retry: RetryPolicy | None = None,
        budget: RetryBudget | None = None,
    ) -> None:
        self.server: Final = server
        self.grpc: Final = grpc.aio.secure_channel(
            target,
            tls.credentials(),
            options=_options(
                server if "." in server or server == "localhost" else server_name(server)
            ),
        )
        self._retry = retry or RetryPolicy()
        self._budget = budget or RetryBudget()

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        timeout_seconds: float,
        idempotent: bool = False,
        traceparent: str = "",
        actor: calls.Actor | None = None,
    ) -> Response:
        """The response; raises Refusal with the server's reason, or a passing one of transport.

        The deadline is the sooner of `timeout_seconds` from now and the deadline of the call being
        served, retries included. Trace and actor default to those of the call being served.
        `idempotent` allows retries: true for reads and for writes that carry a request_id.
        """
        deadline = _deadline(timeout_seconds)
        metadata = _metadata(traceparent, actor)
        done = await self._repeat(method, request, deadline, metadata, repeatable=idempotent)
        return done[0]

    async def write(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        timeout_seconds: float,
    ) -> tuple[Response, bool]:
        """Do the same for a write with a request id, so it may be retried.

        Returns also whether the answer was remembered from an earlier request; so does a raised
        Refusal in `replayed`.
        """
        deadline, metadata = _deadline(timeout_seconds), _metadata("", None)
        response, call = await self._repeat(method, request, deadline, metadata, repeatable=True)
        return response, _replayed(await call.trailing_metadata())

    async def stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[Request, Response],
        request: Request,
        *,
        timeout_seconds: float,
        traceparent: str = "",
        actor: calls.Actor | None = None,
    ) -> AsyncIterator[Response]:
        """The responses of a server stream; never retried here, its cursor is the caller's."""
        remaining = _remaining(_deadline(timeout_seconds))
        try:
            stream = method(request, timeout=remaining, metadata=_metadata(traceparent, actor))
            async for response in stream:
                yield response
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None

    async def probe(self) -> bool:
        """Whether the server says SERVING; for the caller's own health."""
        stub = health_pb2_grpc.HealthStub(self.grpc)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=2.0)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def close(self, grace_seconds: float | None = None) -> None:
        """Close; calls in flight get `grace_seconds`, or none."""
        await self.grpc.close(grace_seconds)

    async def _repeat(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        deadline: float,
        metadata: tuple[tuple[str, str], ...],
        *,
        repeatable: bool,
    ) -> tuple[Response, Any]:
        attempt = 1
        while True:
            try:
                return await self._attempt(method, request, deadline, metadata)
            except Refusal as refusal:
                pause = self._retry.pause_seconds(attempt, refusal) if repeatable else None
                if pause is None or not self._may_repeat(deadline, pause):
                    raise
            await asyncio.sleep(pause)
            attempt += 1

    async def _attempt(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        deadline: float,
        metadata: tuple[tuple[str, str], ...],
    ) -> tuple[Response, Any]:
        try:
            call = method(request, timeout=_remaining(deadline), metadata=metadata)
            response = await call
        except grpc.aio.AioRpcError as error:
            refusal = from_rpc_error(error)
            refusal.replayed = _replayed(error.trailing_metadata())
            self._count(refusal.reason)
            if not refusal.passing:
                self._budget.earn()
            raise refusal from None
        self._count("OK")
        self._budget.earn()
        return response, call

    def _count(self, reason: str) -> None:
        metrics.RPC_CALLED.prometheus.labels(self.server, reason).inc()

    def _may_repeat(self, deadline: float, pause: float) -> bool:
        if monotonic() + pause >= deadline:
            return False
        granted = self._budget.spend()
        outcome = "repeated" if granted else "no_budget"
        metrics.RPC_RETRIED.prometheus.labels(self.server, outcome).inc()
        return granted


def _replayed(trailing: Any) -> bool:
    """Whether the server marked what it said as remembered."""
    return (calls.REPLAYED_KEY, "true") in tuple(trailing or ())


def _deadline(timeout_seconds: float) -> float:
    deadline = monotonic() + timeout_seconds
    call = calls.find_current_call()
    return deadline if call is None else min(deadline, call.deadline_monotonic)


def _remaining(deadline: float) -> float:
    remaining = deadline - monotonic()
    if remaining <= 0:
        raise Refusal(Category.TOO_LATE, "DEADLINE_PASSED", "no time is left for this call")
    return remaining


def _metadata(traceparent: str, actor: calls.Actor | None) -> tuple[tuple[str, str], ...]:
    call = calls.find_current_call()
    if call is not None:
        traceparent = traceparent or call.traceparent
        actor = call.actor if actor is None else actor
    pair = (calls.TRACEPARENT_KEY, traceparent or traces.new_traceparent())
    return (pair, *(actor or calls.NOBODY).metadata())


def _options(authority: str) -> list[tuple[str, Any]]:
    return [
        ("grpc.ssl_target_name_override", authority),
        ("grpc.default_authority", authority),
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        # Retries are this module's: they know the budget, the reason and the deadline.
        ("grpc.enable_retries", 0),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # A restarted service should be found again within a second or two.
        ("grpc.initial_reconnect_backoff_ms", 100),
        # Despite its name, the time a connection attempt may take, handshake included.
        ("grpc.min_reconnect_backoff_ms", 5_000),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.lb_policy_name", "round_robin"),
    ]
