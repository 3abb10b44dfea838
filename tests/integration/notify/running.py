"""A notify service in this process, beside a real member service, a message centre and a sink."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from google.protobuf.message import Message
from psycopg.rows import dict_row

from chassis.clock import Clock, SystemClock
from chassis.identifiers import new_id
from chassis.messaging.cloudevents import Received
from chassis.rpc.health import HealthBoard
from chassis.storage.engine import create_engine
from cli.local.mail import MailSink
from cli.local.smsc import PASSWORD, SYSTEM_ID, ShortMessageCentre
from services.notify.consumers import Arrivals
from services.notify.main import MIGRATIONS, working
from services.notify.settings import NotifySettings
from tests import databases
from tests.integration.member import running as member_running
from tests.integration.member.requests import enrolment
from tests.waiting import wait_until_async

REQUEST_KEY = b64encode(b"development-request-key-32-bytes").decode()
PROGRAM = [sys.executable, "-c", "from services.notify.main import main; main()"]
WAIT_SECONDS = 60.0
STATES = ("", "QUEUED", "SUBMITTING", "SENT", "DELIVERED", "FAILED", "SUPPRESSED")


@dataclass(frozen=True, slots=True)
class Places:
    """What a notify service speaks to."""

    database_url: str
    member_database_url: str
    certificates: Path
    smsc: ShortMessageCentre
    mail: MailSink


def settings_of(places: Places, member_port: int = 1, **changes: Any) -> NotifySettings:
    """Settings of a service that is quick to try again."""
    certificates = places.certificates
    fields: dict[str, Any] = {
        "mode": "development",
        "listen": "127.0.0.1:0",
        "metrics_listen": "off",
        "drain_pause_seconds": 0,
        "drain_grace_seconds": 1,
        "database_url": places.database_url,
        "tls_certificate": (certificates / "notify.pem").read_text(),
        "tls_key": (certificates / "notify.key").read_text(),
        "tls_ca": (certificates / "ca.pem").read_text(),
        "request_key": REQUEST_KEY,
        "kafka_bootstrap": "127.0.0.1:1",
        "member_target": f"127.0.0.1:{member_port}",
        "smpp_port": places.smsc.port,
        "smpp_system_id": SYSTEM_ID,
        "smpp_password": PASSWORD,
        "smtp_port": places.mail.port,
        "smtp_ca": (certificates / "ca.pem").read_text(),
        "provider_timeout_seconds": 2.0,
        "lease_seconds": 5.0,
        "retry_seconds": 0.2,
        "poll_seconds": 0.02,
    }
    return NotifySettings(**(fields | changes))


def environment(places: Places, member_port: int, **changes: str) -> dict[str, str]:
    """The same for a process of its own."""
    certificates = places.certificates
    own = {
        "LISTEN": "127.0.0.1:0",
        "METRICS_LISTEN": "off",
        "DATABASE_URL": places.database_url,
        "TLS_CERTIFICATE_FILE": str(certificates / "notify.pem"),
        "TLS_KEY_FILE": str(certificates / "notify.key"),
        "TLS_CA_FILE": str(certificates / "ca.pem"),
        "REQUEST_KEY": REQUEST_KEY,
        "MEMBER_TARGET": f"127.0.0.1:{member_port}",
        "SMPP_PORT": str(places.smsc.port),
        "SMPP_SYSTEM_ID": SYSTEM_ID,
        "SMPP_PASSWORD": PASSWORD,
        "SMTP_PORT": str(places.mail.port),
        "SMTP_CA_FILE": str(certificates / "ca.pem"),
        "PROVIDER_TIMEOUT_SECONDS": "2",
        "LEASE_SECONDS": "1",
    }
    shared = {
        "PATH": os.environ["PATH"],
        "HUITOUKE_MODE": "development",
        "HUITOUKE_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    }
    return shared | {f"HUITOUKE_NOTIFY_{name}": value for name, value in own.items()} | changes


async def process_of(role: str, settings: Mapping[str, str]) -> Process:
    """A role as a process; its log comes on its stderr."""
    return await asyncio.create_subprocess_exec(
        *PROGRAM, role, env=settings, stdout=PIPE, stderr=PIPE
    )


def migrated(database_url: str) -> str:
    """The URL of a database brought to this release's shape."""
    return databases.migrated(database_url, MIGRATIONS)


def received(member_id: UUID, event: Message, version: int = 1) -> Received:
    """The event as Kafka would bring it."""
    name = event.DESCRIPTOR.full_name
    source = ".".join(name.split(".")[:2])
    payload = event.SerializeToString()
    return Received(name, source, member_id, version, new_id(), datetime.now(UTC), payload)


@dataclass
class World:
    """A migrated notify database, a member service, and what happened to messages."""

    places: Places
    member_port: int
    gateway: member_running.Caller

    async def enrol(self, number: int, **changes: Any) -> UUID:
        """A member as the member service keeps it."""
        response = await self.gateway.call("Enrol", enrolment(number, **changes))
        return UUID(response.member.member_id)

    def tell(self, *events: Received) -> None:
        """Hand events to the consumer's handler in one transaction."""
        engine = create_engine(self.places.database_url, application_name="test-arrivals")
        with engine.begin() as connection:
            Arrivals(SystemClock()).handle(connection, events)
        engine.dispose()

    def rows(self, where: str = "true") -> list[dict[str, Any]]:
        """Messages, oldest first, their states by name."""
        found = self.select(f"SELECT * FROM messages WHERE {where} ORDER BY message_id")
        return [row | {"state": STATES[row["state"]]} for row in found]

    def select(self, query: str) -> list[dict[str, Any]]:
        with psycopg.connect(self.places.database_url, row_factory=dict_row) as connection:
            return connection.execute(query.encode()).fetchall()

    def states(self) -> list[str]:
        return [row["state"] for row in self.rows()]

    async def until(self, *states: str) -> list[dict[str, Any]]:
        """The messages, once their states are these in any order."""
        wanted = sorted(states)
        await until(lambda: sorted(self.states()) == wanted, f"messages are {wanted}")
        return self.rows()

    @asynccontextmanager
    async def working(self, clock: Clock | None = None, **changes: Any) -> AsyncIterator[None]:
        """The sender, until the block ends."""
        settings = settings_of(self.places, self.member_port, **changes)
        async with working(settings, clock or SystemClock(), HealthBoard()):
            yield


@asynccontextmanager
async def world_of(places: Places) -> AsyncIterator[World]:
    """Both services' databases migrated, and the member service running."""
    migrated(places.database_url)
    members = member_running.migrated(places.member_database_url)
    async with member_running.running(members, places.certificates) as member:
        yield World(places, member.port, member.caller("gateway"))


async def until(condition: Callable[[], bool], what: str) -> None:
    """Return once the condition, which may block, holds."""

    async def holds() -> bool:
        return await asyncio.to_thread(condition)

    await wait_until_async(holds, WAIT_SECONDS, what)


def texts(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """SMS as a phone shows them: parts put together by sender, receiver and reference, in order."""
    whole: dict[tuple[str, object], dict[int, str]] = {}
    for position, line in enumerate(lines):
        part = line["part"] or {"reference": -position - 1, "number": 1}
        key = (line["destination"], part["reference"])
        whole.setdefault(key, {})[part["number"]] = line["text"]
    return ["".join(text for _, text in sorted(parts.items())) for parts in whole.values()]
