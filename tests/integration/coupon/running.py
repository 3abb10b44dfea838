"""Coupon services in this process: real PostgreSQL, real gRPC with mTLS, a clock to move."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from huitouke.coupon.v1.coupon_service_pb2_grpc import CouponServiceStub

from chassis.clock import Clock, ManualClock
from chassis.kernel import Refusal
from chassis.rpc.client import Channel
from chassis.rpc.health import HealthBoard
from chassis.rpc.tls import ClientTls
from services.coupon.main import MIGRATIONS, serving
from services.coupon.settings import CouponSettings
from tests import databases

TIMEOUT_SECONDS = 20.0
REQUEST_KEY = b64encode(b"development-request-key-32-bytes").decode()
NOON = datetime(2030, 5, 1, 4, tzinfo=UTC)
"""Noon in Shanghai, a Wednesday."""


def settings_of(database_url: str, certificates: Path) -> CouponSettings:
    """Settings of a service on a free port."""
    return CouponSettings(
        mode="development",
        listen="127.0.0.1:0",
        metrics_listen="off",
        drain_pause_seconds=0,
        drain_grace_seconds=1,
        database_url=database_url,
        tls_certificate=(certificates / "coupon.pem").read_text(),
        tls_key=(certificates / "coupon.key").read_text(),
        tls_ca=(certificates / "ca.pem").read_text(),
        request_key=REQUEST_KEY,
        kafka_bootstrap="127.0.0.1:1",
    )


def migrated(database_url: str) -> str:
    """The URL of a database brought to this release's shape."""
    return databases.migrated(database_url, MIGRATIONS)


@dataclass
class Caller:
    """Calls by method name under one certificate."""

    channel: Channel
    stub: Any

    async def call(self, request: Any) -> Any:
        """The response of the RPC that takes this request; raises Refusal."""
        name = request.DESCRIPTOR.name.removesuffix("Request")
        return await self.channel.call(
            getattr(self.stub, name), request, timeout_seconds=TIMEOUT_SECONDS
        )

    async def refused(self, request: Any) -> Refusal:
        """The refusal that the request must meet."""
        try:
            answer = await self.call(request)
        except Refusal as refusal:
            return refusal
        raise AssertionError(f"answered instead of refused: {answer}")

    async def reason(self, request: Any) -> str:
        return (await self.refused(request)).reason


@asynccontextmanager
async def calling(port: int, certificates: Path, name: str = "gateway") -> AsyncIterator[Caller]:
    """A client that shows the certificate of `name`."""
    tls = ClientTls(
        ca=(certificates / "ca.pem").read_bytes(),
        certificate=(certificates / f"{name}.pem").read_bytes(),
        key=(certificates / f"{name}.key").read_bytes(),
    )
    channel = Channel(f"127.0.0.1:{port}", tls, server="coupon")
    try:
        yield Caller(channel, CouponServiceStub(channel.grpc))
    finally:
        await channel.close()


@dataclass
class Replica:
    """One running service with the callers that tests need."""

    port: int
    gateway: Caller
    operator: Caller


@asynccontextmanager
async def running(
    database_url: str, certificates: Path, *, clock: Clock | None = None, replicas: int = 1
) -> AsyncIterator[list[Replica]]:
    """Services on one migrated database, until the block ends."""
    shared = clock or ManualClock(NOON)
    settings = settings_of(database_url, certificates)
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(replicas):
            server = await stack.enter_async_context(serving(settings, shared, HealthBoard()))
            gateway = await stack.enter_async_context(calling(server.port, certificates))
            operator = await stack.enter_async_context(
                calling(server.port, certificates, "operator")
            )
            made.append(Replica(server.port, gateway, operator))
        yield made
