"""Composition root of the gateway: two ports, the relay of its events, and recovery."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NoReturn
from uuid import UUID

from huitouke.gateway.v1 import admin_service_pb2, partner_service_pb2
from huitouke.gateway.v1.admin_service_pb2_grpc import add_AdminServiceServicer_to_server
from huitouke.gateway.v1.partner_service_pb2_grpc import add_PartnerServiceServicer_to_server
from sqlalchemy import Engine

from chassis.clock import Clock, SystemClock
from chassis.failpoints import async_failpoint
from chassis.process import Process, run_roles
from chassis.roles import migrate_role, relay_role
from chassis.rpc.client import Channel
from chassis.rpc.health import Probe
from chassis.rpc.server import Server, ServiceEntry
from chassis.storage.engine import create_engine
from chassis.storage.executor import Executor, Gathering
from chassis.storage.housekeeping import Housekeeping
from chassis.storage.reads import Reads
from chassis.storage.requests import remembered_requests
from chassis.telemetry.observers import ExecutorMetrics
from gateway.clients.movements import MovementClient
from gateway.clients.participants import ServiceParticipants
from gateway.clients.reports import ReportClient
from gateway.clients.services import CouponClient, MemberClient, PointsClient
from gateway.converters.administration import AdminCodec
from gateway.converters.events import encode_event
from gateway.converters.notes import NoteCodec
from gateway.converters.opening import write_held
from gateway.converters.receipts import write_receipt
from gateway.converters.refunding import write_refund
from gateway.domain.coordinator import Coordinator
from gateway.domain.deciding import decide
from gateway.domain.merchants import administer
from gateway.domain.notes import take_note
from gateway.domain.principals import KeyAtTerminal
from gateway.domain.refunding import Refunder
from gateway.jobs import Recovery, RecoveryPace
from gateway.servicers.administration import AdminExecutor, AdminServicer
from gateway.servicers.admission import ALLOW as PARTNERS_ALLOW
from gateway.servicers.authentication import CALLER, KeyAuthenticator
from gateway.servicers.desk import CheckoutDesk
from gateway.servicers.intake import Intake, NoteExecutor
from gateway.servicers.intake_desk import IntakeDesk
from gateway.servicers.movement_desk import MovementDesk
from gateway.servicers.open_desk import OpenDesk, OpenTerms
from gateway.servicers.partners import PartnerServicer
from gateway.servicers.pricing import Pricing
from gateway.servicers.refunds import RefundDesk
from gateway.servicers.statements import Statements
from gateway.servicers.timeline import Timeline
from gateway.settings import GatewaySettings
from gateway.storage import reads as read
from gateway.storage.checkouts import CheckoutRepository
from gateway.storage.journal import CheckoutExecutor, ExecutorJournal, UnrememberedCodec
from gateway.storage.merchants import MerchantRepository
from gateway.storage.notes import NoteRepository
from gateway.storage.queue import UnfinishedQueue

SERVICE: Final = "gateway"
MIGRATIONS: Final = "gateway.storage.migrations"
DRAIN_SECONDS: Final = 5.0

ADMIN_ALLOW: Final[Mapping[str, Collection[str]]] = {
    f"/huitouke.gateway.v1.AdminService/{name}": {"operator"}
    for name in (
        "CreateMerchant",
        "CreateOutlet",
        "CreateTerminal",
        "CreateApiKey",
        "RevokeApiKey",
        "VerifyBooks",
    )
}


class Upstream:
    """The three services and this process's connections to them; for the loop that makes it."""

    def __init__(self, settings: GatewaySettings) -> None:
        tls, timeout = settings.client_tls(), settings.upstream_timeout_seconds
        self._channels = {
            "member": Channel(settings.member_target, tls, server="member"),
            "points": Channel(settings.points_target, tls, server="points"),
            "coupon": Channel(settings.coupon_target, tls, server="coupon"),
        }
        points, coupon = self._channels["points"], self._channels["coupon"]
        self.members = MemberClient(self._channels["member"], timeout)
        self.ledger = PointsClient(points, timeout)
        self.movements = MovementClient(points, timeout)
        self.reports = ReportClient(points)
        self.coupons = CouponClient(coupon, timeout)
        self.participants = ServiceParticipants(points, coupon, timeout)

    def probes(self) -> dict[str, Probe]:
        return {name: channel.probe for name, channel in self._channels.items()}

    async def close(self) -> None:
        """Let batches under way come back, then close."""
        for client in (self.members, self.ledger, self.coupons, self.participants):
            await client.close()
        for channel in self._channels.values():
            await channel.close()


@dataclass(frozen=True, slots=True)
class Store:
    """The gateway's database: what writes it and what reads it."""

    checkouts: CheckoutExecutor
    journal: ExecutorJournal
    reads: Reads
    engines: tuple[Engine, ...]

    async def probe(self) -> bool:
        return await self.reads.run(read.alive)

    def close(self) -> None:
        """Finish what is queued and give the connections back. Blocks."""
        self.checkouts.stop()
        self.reads.close()
        for engine in self.engines:
            engine.dispose()


def open_store(settings: GatewaySettings, clock: Clock) -> Store:
    """Put the storage together; nothing runs or connects yet."""
    url = settings.database_url.get_secret_value()
    writing = create_engine(
        url,
        application_name="gateway-write",
        pool_size=settings.writers + 2,
        index_plans=True,
    )
    reading = create_engine(
        url,
        application_name="gateway-read",
        pool_size=settings.database_pool_size,
        autocommit=True,
        index_plans=True,
    )
    checkouts: CheckoutExecutor = Executor(
        engine=writing,
        repository=CheckoutRepository(timedelta(seconds=settings.recovery_grace_seconds)),
        decide=decide,
        answer_codec=UnrememberedCodec(),
        encode_event=encode_event,
        clock=clock,
        name=SERVICE,
        writers=settings.writers,
        observer=ExecutorMetrics(),
        gathering=Gathering(),
    )
    journal = ExecutorJournal(checkouts, write_held, write_receipt, write_refund)
    reads = Reads(reading, threads=settings.database_pool_size)
    return Store(checkouts, journal, reads, (writing, reading))


@dataclass(frozen=True, slots=True)
class Edge:
    """What both ports serve, and what runs behind them."""

    partners: PartnerServicer
    admin: AdminServicer
    authenticate: KeyAuthenticator
    desk: CheckoutDesk
    administrator: AdminExecutor
    notes: NoteExecutor

    def partners_entry(self) -> ServiceEntry:
        return ServiceEntry(
            partner_service_pb2.DESCRIPTOR.services_by_name["PartnerService"],
            add_PartnerServiceServicer_to_server,
            self.partners,
        )

    def admin_entry(self) -> ServiceEntry:
        return ServiceEntry(
            admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"],
            add_AdminServiceServicer_to_server,
            self.admin,
        )

    def start(self) -> None:
        self.administrator.start()
        self.notes.start()

    def stop(self) -> None:
        """Finish what is queued. Blocks."""
        self.administrator.stop()
        self.notes.stop()


def compose_edge(settings: GatewaySettings, clock: Clock, store: Store, upstream: Upstream) -> Edge:
    """Put the servicers together."""
    key, reads = settings.request_key_bytes(), store.reads
    writing = store.engines[0]
    administrator: AdminExecutor = Executor(
        engine=writing,
        repository=MerchantRepository(),
        decide=administer,
        answer_codec=AdminCodec(),
        encode_event=_no_event,
        clock=clock,
        name="gateway.admin",
    )
    notes: NoteExecutor = Executor(
        engine=writing,
        repository=NoteRepository(),
        decide=take_note,
        answer_codec=NoteCodec(),
        encode_event=_no_event,
        clock=clock,
        name="gateway.notes",
        observer=ExecutorMetrics(),
    )
    members, ledger, coupons = upstream.members, upstream.ledger, upstream.coupons
    pricing = Pricing(members, ledger, coupons)
    coordinator = Coordinator(upstream.participants, store.journal, async_failpoint)
    refunder = Refunder(upstream.participants, store.journal, async_failpoint)
    desk = CheckoutDesk(pricing, coordinator, store.journal, reads, clock, key)
    intake = Intake(notes, key)
    longest = timedelta(seconds=settings.open_checkout_seconds_max)
    usual = timedelta(seconds=settings.open_checkout_seconds)
    terms = OpenTerms(min(usual, longest), longest)
    partners = PartnerServicer(
        members=members,
        ledger=ledger,
        coupons=coupons,
        pricing=pricing,
        desk=desk,
        opening=OpenDesk(desk, coordinator, pricing, intake, reads, clock, key, terms),
        refunds=RefundDesk(desk, refunder, reads, clock, key),
        intake=IntakeDesk(intake, members, ledger, coupons),
        movements=MovementDesk(intake, members, upstream.movements),
        timeline=Timeline(ledger, coupons, reads, key),
        statements=Statements(members, upstream.reports, reads),
        reads=reads,
        clock=clock,
    )

    async def read_key(key_id: str, terminal_id: UUID | None) -> KeyAtTerminal | None:
        return await reads.run(read.key_at_terminal, key_id, terminal_id)

    authenticate = KeyAuthenticator(read_key, clock, settings.key_cache_seconds)
    admin = AdminServicer(administrator, reads, key)
    return Edge(partners, admin, authenticate, desk, administrator, notes)


async def serve(settings: GatewaySettings, process: Process) -> None:
    """Serve partners and operators until asked to stop, then drain."""
    clock = SystemClock()
    store, upstream = open_store(settings, clock), Upstream(settings)
    edge = compose_edge(settings, clock, store, upstream)
    partners = Server(
        settings,
        [edge.partners_entry()],
        PARTNERS_ALLOW,
        health={"postgresql": store.probe, **upstream.probes()},
        authenticate=edge.authenticate,
        known_callers={CALLER},
        tls=settings.partner_tls(),
        board=process.health,
    )
    operators = Server(
        settings,
        [edge.admin_entry()],
        ADMIN_ALLOW,
        health={"postgresql": store.probe},
        listen=settings.admin_listen,
    )
    store.checkouts.start()
    edge.start()
    async with operators, partners:
        await process.stopping.wait()
    await edge.desk.drain(DRAIN_SECONDS)
    await upstream.close()
    await asyncio.to_thread(edge.stop)
    await asyncio.to_thread(store.close)


async def work(settings: GatewaySettings, process: Process) -> None:
    """Bring what is unfinished to its end, until asked to stop."""
    clock = SystemClock()
    store, upstream = open_store(settings, clock), Upstream(settings)
    queue_engine = create_engine(
        settings.database_url.get_secret_value(), application_name="gateway-work", pool_size=4
    )
    recovery = Recovery(
        UnfinishedQueue(queue_engine),
        Coordinator(upstream.participants, store.journal, async_failpoint),
        Refunder(upstream.participants, store.journal, async_failpoint),
        clock,
        RecoveryPace(
            settings.recovery_lease_seconds,
            settings.recovery_poll_seconds,
            settings.recovery_backoff_seconds_max,
        ),
    )
    store.checkouts.start()
    stop = asyncio.ensure_future(process.stopping.wait())
    chores = [remembered_requests(settings.requests_kept())]  # checkouts remember themselves
    interval = settings.housekeeping_interval_seconds
    housekeeping = Housekeeping(queue_engine, clock, chores, interval)
    await asyncio.gather(recovery.run_until(stop), housekeeping.run_until(stop))
    await upstream.close()
    await asyncio.to_thread(store.close)
    queue_engine.dispose()


def main() -> None:
    """The console script `huitouke-gateway`."""
    run_roles(
        SERVICE,
        GatewaySettings,
        {
            "serve": serve,
            "work": work,
            "relay": relay_role(SERVICE),
            "migrate": migrate_role(SERVICE, MIGRATIONS),
        },
    )


def _no_event(_event: None, _now: datetime) -> NoReturn:
    raise AssertionError("administration and notes tell the world nothing")


if __name__ == "__main__":
    main()
