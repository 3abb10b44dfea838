"""A points service in this process: real PostgreSQL, real gRPC, certificates for any caller."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huitouke.points.v1.import_service_pb2_grpc import ImportServiceStub
from huitouke.points.v1.movement_service_pb2_grpc import MovementServiceStub
from huitouke.points.v1.points_service_pb2_grpc import PointsServiceStub
from huitouke.points.v1.programme_service_pb2_grpc import ProgrammeServiceStub
from huitouke.points.v1.report_service_pb2_grpc import ReportServiceStub

from chassis.clock import Clock, SystemClock
from chassis.rpc.client import Channel
from chassis.rpc.server import Server
from chassis.rpc.tls import ClientTls
from services.points.main import MIGRATIONS, Application, compose
from services.points.servicers.allowed import ALLOW
from services.points.settings import PointsSettings
from tests import databases

TIMEOUT_SECONDS = 20.0
REQUEST_KEY = b"development-request-key-32-bytes"


def settings_of(database_url: str, certificates: Path) -> PointsSettings:
    """Settings of a service on a free port."""
    return PointsSettings(
        mode="development",
        listen="127.0.0.1:0",
        metrics_listen="off",
        drain_pause_seconds=0,
        drain_grace_seconds=1,
        database_url=database_url,
        tls_certificate=(certificates / "points.pem").read_text(),
        tls_key=(certificates / "points.key").read_text(),
        tls_ca=(certificates / "ca.pem").read_text(),
        request_key=b64encode(REQUEST_KEY).decode(),
        kafka_bootstrap="127.0.0.1:1",
    )


def migrated(database_url: str) -> str:
    """The URL of a database brought to this release's shape."""
    return databases.migrated(database_url, MIGRATIONS)


STUBS = (
    PointsServiceStub,
    ProgrammeServiceStub,
    MovementServiceStub,
    ImportServiceStub,
    ReportServiceStub,
)


@dataclass
class Points:
    """A running service and stubs for callers."""

    application: Application
    port: int
    certificates: Path
    channels: list[Channel] = field(default_factory=list)

    def caller(self, name: str = "gateway") -> Caller:
        """A client of every service of this process that shows the certificate of `name`."""
        tls = ClientTls(
            ca=(self.certificates / "ca.pem").read_bytes(),
            certificate=(self.certificates / f"{name}.pem").read_bytes(),
            key=(self.certificates / f"{name}.key").read_bytes(),
        )
        channel = Channel(f"127.0.0.1:{self.port}", tls, server="points")
        self.channels.append(channel)
        return Caller(channel, [stub(channel.grpc) for stub in STUBS])

    def reporter(self, name: str = "operator") -> Caller:
        """One who asks for reports."""
        return self.caller(name)


@dataclass
class Caller:
    """Calls by method name; raises Refusal."""

    channel: Channel
    stubs: list[Any]

    async def call(
        self, method: str, request: Any, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> Any:
        return await self.channel.call(self._rpc(method), request, timeout_seconds=timeout_seconds)

    async def stream(self, method: str, request: Any) -> list[Any]:
        answers = self.channel.stream(self._rpc(method), request, timeout_seconds=TIMEOUT_SECONDS)
        return [answer async for answer in answers]

    def _rpc(self, method: str) -> Any:
        return next(getattr(stub, method) for stub in self.stubs if hasattr(stub, method))


@asynccontextmanager
async def running(
    database_url: str, certificates: Path, *, clock: Clock | None = None
) -> AsyncIterator[Points]:
    """A service that serves a migrated database until the block ends."""
    settings = settings_of(database_url, certificates)
    application = compose(settings, clock or SystemClock())
    server = Server(
        settings,
        application.services(),
        ALLOW,
        health={"postgresql": application.database_answers},
    )
    application.start()
    async with server:
        points = Points(application, server.port, certificates)
        yield points
        for channel in points.channels:
            await channel.close()
    application.close()
