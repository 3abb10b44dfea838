"""Composition root of the notify service: `huitouke-notify migrate|serve|relay|consume|work`."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final

from huitouke.notify.v1 import notify_service_pb2 as pb
from huitouke.notify.v1.notify_service_pb2_grpc import add_NotifyServiceServicer_to_server
from sqlalchemy import Engine

from chassis.clock import Clock, SystemClock
from chassis.messaging.topics import topic_of
from chassis.process import Process, run_roles
from chassis.roles import migrate_role, relay_role
from chassis.rpc.client import Channel as RpcChannel
from chassis.rpc.health import HealthBoard, HealthMonitor
from chassis.rpc.server import Server, ServiceEntry
from chassis.storage.engine import create_engine
from chassis.storage.executor import Executor, ProtoAnswerCodec
from chassis.storage.housekeeping import Housekeeping
from chassis.storage.outbox import OutboxEvent
from chassis.storage.reads import Reads
from chassis.storage.requests import remembered_requests
from chassis.telemetry.observers import ConsumerMetrics, ExecutorMetrics
from services.notify.clients.contacts import MemberContacts
from services.notify.clients.smpp.provider import SmppProvider
from services.notify.clients.smpp.session import Account
from services.notify.clients.smtp import Relay as MailRelay
from services.notify.clients.smtp import SmtpProvider
from services.notify.consumers import Arrivals
from services.notify.converters.events import SUBSCRIBED_SERVICES, to_outbox
from services.notify.domain.deciding import decide
from services.notify.domain.messages import Channel, RetryPolicy
from services.notify.domain.sending import Provider, ReceiptSink
from services.notify.jobs.receiving import UNMATCHED, Receiving
from services.notify.jobs.recording import Recorder, Recording
from services.notify.jobs.sender import Pace, Sender
from services.notify.servicer import NotifyServicer, TemplateExecutor, add_template
from services.notify.settings import NotifySettings
from services.notify.storage import queries
from services.notify.storage.repository import MessageRepository
from services.notify.storage.templates import TemplateRepository
from services.notify.storage.transactions import Transactions

SERVICE: Final = "notify"
MIGRATIONS: Final = "services.notify.storage.migrations"
_RPC: Final = "/huitouke.notify.v1.NotifyService"

ALLOW = {
    f"{_RPC}/ListMessages": {"gateway", "operator"},
    f"{_RPC}/CreateTemplateVersion": {"operator"},
    f"{_RPC}/ListTemplates": {"operator"},
    f"{_RPC}/PreviewTemplate": {"operator"},
    f"{_RPC}/CountMessages": {"operator"},
}


async def serve(settings: NotifySettings, process: Process) -> None:
    """Serve gRPC until asked to stop; then drain, and finish what is queued."""
    async with serving(settings, SystemClock(), process.health):
        await process.stopping.wait()


@asynccontextmanager
async def serving(
    settings: NotifySettings, clock: Clock, board: HealthBoard
) -> AsyncIterator[Server]:
    """Give the gRPC side of the service, listening."""
    writing = _engine(settings, "notify-writer", 1)
    reading = create_engine(
        settings.database_url.get_secret_value(),
        application_name="notify-reader",
        pool_size=settings.database_pool_size,
        autocommit=True,
    )
    reads = Reads(reading, threads=settings.database_pool_size)
    executor: TemplateExecutor = Executor(
        engine=writing,
        repository=TemplateRepository(),
        decide=add_template,
        answer_codec=ProtoAnswerCodec([pb.CreateTemplateVersionResponse]),
        encode_event=_no_event,
        clock=clock,
        name=SERVICE,
        observer=ExecutorMetrics(),
    )
    servicer = NotifyServicer(
        executor=executor,
        reads=reads,
        key=settings.request_key_bytes(),
        signature=settings.sms_signature,
    )
    probes = {"postgresql": partial(reads.run, queries.answers)}
    server = Server(settings, [_entry(servicer)], ALLOW, health=probes, board=board)
    executor.start()
    try:
        async with server:
            yield server
    finally:
        executor.stop()
        reads.close()
        writing.dispose()
        reading.dispose()


def _no_event(_event: None, _now: Any) -> OutboxEvent:
    raise AssertionError("templates have no events")


def _entry(servicer: NotifyServicer) -> ServiceEntry:
    descriptor = pb.DESCRIPTOR.services_by_name["NotifyService"]
    return ServiceEntry(descriptor, add_NotifyServiceServicer_to_server, servicer)


def consume(settings: NotifySettings, process: Process) -> None:
    """Turn the other services' events into queued messages until asked to stop."""
    from chassis.messaging.consumer import Consumer  # noqa: PLC0415 - no other role needs Kafka

    group = f"{settings.topic_prefix}{SERVICE}"
    Consumer(
        engine=_engine(settings, "notify-consumer", 2),
        bootstrap=settings.kafka_bootstrap,
        group=group,
        topics=[topic_of(service, settings.topic_prefix) for service in SUBSCRIBED_SERVICES],
        handlers=Arrivals(SystemClock()).handlers(),
        observer=ConsumerMetrics(group),
    ).run(process.stopping.event)


async def work(settings: NotifySettings, process: Process) -> None:
    """Send what is due until asked to stop; then finish what was begun."""
    async with working(settings, SystemClock(), process.health):
        await process.stopping.wait()


@asynccontextmanager
async def working(
    settings: NotifySettings, clock: Clock, board: HealthBoard
) -> AsyncIterator[None]:
    """Run the sender for as long as the block; a defect in it ends the block with its error."""
    url = settings.database_url.get_secret_value()
    engine = create_engine(
        url,
        application_name="notify-work",
        pool_size=settings.database_pool_size,
        index_plans=True,
    )
    recording_engine = create_engine(
        url, application_name="notify-recorder", pool_size=1, index_plans=True
    )
    recording = _recording(recording_engine, clock)
    members = RpcChannel(settings.member_target, settings.client_tls(), server="member")
    recording.start()
    try:
        async with _sending(settings, clock, board, engine, Recorder(recording), members):
            yield
    finally:
        await members.close()
        recording.stop()
        engine.dispose()
        recording_engine.dispose()


@asynccontextmanager
async def _sending(
    settings: NotifySettings,
    clock: Clock,
    board: HealthBoard,
    engine: Engine,
    recorder: Recorder,
    members: RpcChannel,
) -> AsyncIterator[None]:
    transactions = Transactions(engine)
    receiving = Receiving(transactions, recorder, clock, settings.poll_seconds)
    sms, mail = _smpp(settings, receiving.keep), _smtp(settings)
    contacts = MemberContacts(members)

    def sender(channel: Channel, provider: Provider) -> Coroutine[Any, Any, None]:
        return Sender(
            channel,
            provider=provider,
            contacts=contacts,
            transactions=transactions,
            recorder=recorder,
            clock=clock,
            pace=_pace(settings),
        ).run()

    monitor = HealthMonitor(
        {
            "postgresql": partial(transactions.run, queries.answers),
            "smpp": sms.probe,
            "smtp": mail.probe,
        },
        interval_seconds=settings.health_interval_seconds,
        board=board,
    )
    # Senders end first, then what they send by, so that a round that has begun is finished.
    async with (
        _together(sms.run(), _housekeeping(settings, engine, clock)),
        aclosing(mail),
        _together(sender(Channel.SMS, sms), sender(Channel.EMAIL, mail), receiving.run()),
        _monitored(monitor),
    ):
        yield


async def _housekeeping(settings: NotifySettings, engine: Engine, clock: Clock) -> None:
    chores = [UNMATCHED, remembered_requests(settings.requests_kept())]
    housekeeping = Housekeeping(engine, clock, chores, settings.housekeeping_interval_seconds)
    await housekeeping.run_until(asyncio.get_running_loop().create_future())


@asynccontextmanager
async def _monitored(monitor: HealthMonitor) -> AsyncIterator[None]:
    await monitor.start()
    try:
        yield
    finally:
        await monitor.stop()


@asynccontextmanager
async def _together(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run endless work beside the block and cancel it after; waits until each has ended."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


def _recording(engine: Engine, clock: Clock) -> Recording:
    return Executor(
        engine=engine,
        repository=MessageRepository(),
        decide=decide,
        answer_codec=_NothingRemembered(),
        encode_event=to_outbox,
        clock=clock,
        name=SERVICE,
        observer=ExecutorMetrics(),
    )


class _NothingRemembered:
    """The codec of commands that are repeated instead of remembered."""

    def encode(self, answer: bool) -> bytes:  # noqa: ARG002 - a Protocol's names
        raise AssertionError("reports about messages are not remembered")

    def decode(self, data: bytes) -> bool:  # noqa: ARG002
        raise AssertionError("reports about messages are not remembered")


def _pace(settings: NotifySettings) -> Pace:
    return Pace(
        batch=settings.send_batch,
        lease=timedelta(seconds=settings.lease_seconds),
        poll_seconds=settings.poll_seconds,
        retry=RetryPolicy(
            first_seconds=settings.retry_seconds,
            keep_trying=timedelta(hours=settings.give_up_hours),
        ),
    )


def _smpp(settings: NotifySettings, keep: ReceiptSink) -> SmppProvider:
    account = Account(
        host=settings.smpp_host,
        port=settings.smpp_port,
        system_id=settings.smpp_system_id,
        password=settings.smpp_password.get_secret_value(),
        provider=f"smpp:{settings.smpp_system_id}@{settings.smpp_host}:{settings.smpp_port}",
    )
    return SmppProvider(
        account,
        source=settings.sms_source,
        signature=settings.sms_signature,
        window=settings.sms_window,
        timeout_seconds=settings.provider_timeout_seconds,
        keep=keep,
    )


def _smtp(settings: NotifySettings) -> SmtpProvider:
    relay = MailRelay(
        host=settings.smtp_host,
        port=settings.smtp_port,
        ca=settings.smtp_ca,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value(),
        timeout_seconds=settings.provider_timeout_seconds,
    )
    return SmtpProvider(relay, settings.mail_from, settings.smtp_connections)


def _engine(settings: NotifySettings, name: str, pool_size: int) -> Engine:
    url = settings.database_url.get_secret_value()
    return create_engine(url, application_name=name, pool_size=pool_size)


def main() -> None:
    """Run one role; the console script `huitouke-notify`."""
    roles = {
        "serve": serve,
        "relay": relay_role(SERVICE),
        "consume": consume,
        "work": work,
        "migrate": migrate_role(SERVICE, MIGRATIONS),
    }
    run_roles(SERVICE, NotifySettings, roles)
