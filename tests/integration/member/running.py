"""A member service in this process: real PostgreSQL, real gRPC, certificates for any caller."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from huitouke.member.v1.member_service_pb2_grpc import MemberServiceStub

from chassis.clock import Clock, SystemClock
from chassis.kernel import Refusal
from chassis.rpc.client import Channel
from chassis.rpc.health import HealthBoard
from chassis.rpc.tls import ClientTls
from chassis.security import KeyRing, development_key_ring
from services.member.main import MIGRATIONS, serving
from services.member.settings import MemberSettings
from tests import databases

TIMEOUT_SECONDS = 20.0
INDEX_KEY = b"development-index-key-of-32-bytes"
REQUEST_KEY = b"development-request-key-32-bytes"


def settings_of(
    database_url: str, certificates: Path, ring: KeyRing | None = None
) -> MemberSettings:
    """Settings of a service on a free port."""
    return MemberSettings(
        mode="development",
        listen="127.0.0.1:0",
        metrics_listen="off",
        drain_pause_seconds=0,
        drain_grace_seconds=1,
        database_url=database_url,
        tls_certificate=(certificates / "member.pem").read_text(),
        tls_key=(certificates / "member.key").read_text(),
        tls_ca=(certificates / "ca.pem").read_text(),
        request_key=b64encode(REQUEST_KEY).decode(),
        index_key=b64encode(INDEX_KEY).decode(),
        key_ring=(ring or development_key_ring("member")).to_json(),
        kafka_bootstrap="127.0.0.1:1",
    )


def migrated(database_url: str) -> str:
    """The URL of a database brought to this release's shape."""
    return databases.migrated(database_url, MIGRATIONS)


@dataclass
class Member:
    """A running service and stubs for callers."""

    port: int
    certificates: Path
    channels: list[Channel] = field(default_factory=list)

    def caller(self, name: str = "gateway") -> Caller:
        """A client that shows the certificate of `name`."""
        caller = caller_at(self.port, self.certificates, name)
        self.channels.append(caller.channel)
        return caller


@dataclass
class Caller:
    """Calls by method name; raises Refusal."""

    channel: Channel
    stub: Any

    async def call(self, method: str, request: Any) -> Any:
        return await self.channel.call(
            getattr(self.stub, method), request, timeout_seconds=TIMEOUT_SECONDS
        )


def caller_at(port: int, certificates: Path, name: str = "gateway") -> Caller:
    """A client of whatever listens on a port, with the certificate of `name`."""
    tls = ClientTls(
        ca=(certificates / "ca.pem").read_bytes(),
        certificate=(certificates / f"{name}.pem").read_bytes(),
        key=(certificates / f"{name}.key").read_bytes(),
    )
    channel = Channel(f"127.0.0.1:{port}", tls, server="member")
    return Caller(channel, MemberServiceStub(channel.grpc))


@asynccontextmanager
async def running(
    database_url: str,
    certificates: Path,
    *,
    ring: KeyRing | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Member]:
    """A service that serves a migrated database until the block ends."""
    settings = settings_of(database_url, certificates, ring)
    async with serving(settings, clock or SystemClock(), HealthBoard()) as server:
        member = Member(server.port, certificates)
        yield member
        for channel in member.channels:
            await channel.close()


async def refusal_of(call: Awaitable[Any]) -> Refusal:
    """The refusal that a call ends with; fails the test if it is answered."""
    with pytest.raises(Refusal) as refused:
        await call
    return refused.value
