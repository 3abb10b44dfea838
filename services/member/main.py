"""Composition root of the member service: settings, database, rules, server; and its relay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Final

from huitouke.member.v1 import member_service_pb2
from huitouke.member.v1.member_service_pb2_grpc import add_MemberServiceServicer_to_server
from sqlalchemy import Connection, Engine, text

from chassis.clock import Clock, SystemClock
from chassis.kernel import Decision
from chassis.process import Process, run_roles
from chassis.roles import housekeeping_role, migrate_role, relay_role
from chassis.rpc.health import HealthBoard
from chassis.rpc.server import Server, ServiceEntry
from chassis.security.answers import SealedAnswerCodec
from chassis.storage.engine import create_engine
from chassis.storage.executor import Executor
from chassis.storage.reads import Reads
from chassis.telemetry.logs import get_logger
from chassis.telemetry.observers import ExecutorMetrics
from services.member.converters.events import to_outbox
from services.member.converters.lunar import ChineseCalendar
from services.member.converters.responses import (
    RESPONSE_TYPES,
    Response,
    to_response,
    today_in_china,
    without_secrets,
)
from services.member.domain.birthdays import LunarCalendar
from services.member.domain.book import Book
from services.member.domain.commands import Command
from services.member.domain.deciding import decide
from services.member.domain.events import Event
from services.member.servicers.drawing import Drawing
from services.member.servicers.member_service import MemberServicer
from services.member.settings import MemberSettings
from services.member.storage.queries import MemberQueries
from services.member.storage.repository import MemberRepository
from services.member.storage.resealing import reseal
from services.member.storage.vault import Vault

SERVICE: Final = "member"
MIGRATIONS: Final = "services.member.storage.migrations"
CALENDAR: Final = ChineseCalendar()
_log = get_logger("member")

_SERVICE: Final = "/huitouke.member.v1.MemberService"
ALLOW: Final[Mapping[str, Collection[str]]] = {
    f"{_SERVICE}/Enrol": {"gateway", "operator"},
    f"{_SERVICE}/BatchEnrol": {"gateway", "operator"},
    f"{_SERVICE}/FindMember": {"gateway", "operator"},
    f"{_SERVICE}/BatchResolve": {"gateway", "operator"},
    f"{_SERVICE}/BatchGetContacts": {"notify"},
    f"{_SERVICE}/ListCards": {"gateway", "operator"},
    f"{_SERVICE}/ReplaceCard": {"gateway", "operator"},
    f"{_SERVICE}/ChangeCardState": {"gateway", "operator"},
}


async def serve(settings: MemberSettings, process: Process) -> None:
    """Serve gRPC until asked to stop; then drain, and finish what is queued."""
    async with serving(settings, SystemClock(), process.health):
        await process.stopping.wait()


@asynccontextmanager
async def serving(
    settings: MemberSettings, clock: Clock, board: HealthBoard
) -> AsyncIterator[Server]:
    """Give the whole service, listening; tests give their own clock and several of these."""
    url = settings.database_url.get_secret_value()
    writing = create_engine(url, application_name="member-writer", pool_size=1, index_plans=True)
    reading = create_engine(
        url,
        application_name="member-reader",
        pool_size=settings.database_pool_size,
        autocommit=True,
        index_plans=True,
    )
    reads = Reads(reading, threads=settings.database_pool_size)
    vault = Vault(settings.ring(), settings.index_key_bytes())
    executor = _executor(settings, writing, vault, clock)
    servicer = MemberServicer(
        executor=executor,
        reads=reads,
        queries=MemberQueries(vault),
        drawn=Drawing(settings.card_prefix, settings.index_key_bytes()).drawn(),
        request_key=settings.request_key_bytes(),
        clock=clock,
        calendar=CALENDAR,
    )
    probes = {"postgresql": partial(reads.run, _answers)}
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


def _executor(
    settings: MemberSettings, writing: Engine, vault: Vault, clock: Clock
) -> Executor[Command, Book, Response, Event]:
    return Executor(
        engine=writing,
        repository=MemberRepository(vault),
        decide=answering(CALENDAR),
        answer_codec=SealedAnswerCodec(settings.ring(), RESPONSE_TYPES, forget=without_secrets),
        encode_event=to_outbox,
        clock=clock,
        name=SERVICE,
        queue_limit=settings.command_queue_max,
        observer=ExecutorMetrics(),
    )


def _entry(servicer: MemberServicer) -> ServiceEntry:
    descriptor = member_service_pb2.DESCRIPTOR.services_by_name["MemberService"]
    return ServiceEntry(descriptor, add_MemberServiceServicer_to_server, servicer)


def answering(
    calendar: LunarCalendar,
) -> Callable[[Book, Command, datetime], Decision[Response, Event]]:
    """Return `decide` with its answers in wire form: that is what is remembered."""

    def answer(book: Book, command: Command, now: datetime) -> Decision[Response, Event]:
        decision = decide(book, command, now, calendar)
        assert decision.answer is not None, "no command of this service is a proof that can fail"
        response = to_response(decision.answer, today_in_china(now), calendar)
        return Decision(response, decision.events)

    return answer


def reseal_fields(settings: MemberSettings, process: Process) -> None:
    """Seal with the active key what older keys have sealed, and end; safe beside the server."""
    url = settings.database_url.get_secret_value()
    engine = create_engine(url, application_name="member-reseal", pool_size=1)
    anew = 0
    for _, rows in reseal(engine, settings.ring()):
        anew += rows
        if process.stopping.requested():
            break
    _log.info("resealed", rows=anew, key_id=settings.ring().active)


def main() -> None:
    """Run one role; the console script `huitouke-member`."""
    roles = {
        "serve": serve,
        "relay": relay_role(SERVICE),
        "work": housekeeping_role(SERVICE),
        "migrate": migrate_role(SERVICE, MIGRATIONS),
        "reseal": reseal_fields,
    }
    run_roles(SERVICE, MemberSettings, roles)


def _answers(connection: Connection) -> bool:
    return bool(connection.execute(text("SELECT true")).scalar())
