"""Real servers and channels on loopback, with the development certificates, for rpc tests."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from chassis.rpc.client import Channel
from chassis.rpc.retries import RetryBudget, RetryPolicy
from chassis.rpc.server import Server
from chassis.rpc.tls import ClientTls
from chassis.settings import ServerSettings
from tests.integration.chassis import echo

OPEN_TO_GATEWAY: Mapping[str, set[str]] = {
    method: {"gateway"} for method in (echo.ECHO, echo.COUNT, echo.SUM, echo.BATCH)
}


def settings_of(certificates: Path, name: str = "points", **more: Any) -> ServerSettings:
    return ServerSettings(
        mode="development",
        tls_certificate=(certificates / f"{name}.pem").read_text(),
        tls_key=(certificates / f"{name}.key").read_text(),
        tls_ca=(certificates / "ca.pem").read_text(),
        listen="127.0.0.1:0",
        drain_pause_seconds=more.pop("drain_pause_seconds", 0.0),
        **more,
    )


def client_tls(certificates: Path, name: str = "gateway") -> ClientTls:
    return settings_of(certificates, name).client_tls()


@asynccontextmanager
async def serving(
    certificates: Path,
    servicer: echo.EchoServicer | None = None,
    *,
    settings: ServerSettings | None = None,
    **more: Any,
) -> AsyncIterator[Server]:
    """A server of the echo service that is drained in the end."""
    server = Server(
        settings or settings_of(certificates),
        [echo.entry(servicer or echo.EchoServicer())],
        more.pop("allow", OPEN_TO_GATEWAY),
        **more,
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0.2)


@asynccontextmanager
async def connected(
    certificates: Path,
    port: int,
    name: str = "gateway",
    **more: Any,
) -> AsyncIterator[tuple[Channel, echo.EchoStub]]:
    """A channel of the process `name`, and the stub on it."""
    channel = Channel(
        f"127.0.0.1:{port}",
        more.pop("tls", None) or client_tls(certificates, name),
        server=more.pop("server", "points"),
        retry=more.pop("retry", RetryPolicy(attempts_max=1)),
        budget=more.pop("budget", RetryBudget()),
    )
    try:
        yield channel, echo.EchoStub(channel.grpc)
    finally:
        await channel.close()


async def failure_of(call: Any) -> grpc.aio.AioRpcError:
    """The error that a raw gRPC call ends with."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the call was answered")
