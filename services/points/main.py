"""Composition root of the points service: settings, database, rules, server; and its relay."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import asdict, dataclass
from typing import Final

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from huitouke.points.v1 import (
    import_service_pb2,
    movement_service_pb2,
    points_service_pb2,
    programme_service_pb2,
    report_service_pb2,
)
from huitouke.points.v1.import_service_pb2_grpc import add_ImportServiceServicer_to_server
from huitouke.points.v1.movement_service_pb2_grpc import add_MovementServiceServicer_to_server
from huitouke.points.v1.points_service_pb2_grpc import add_PointsServiceServicer_to_server
from huitouke.points.v1.programme_service_pb2_grpc import add_ProgrammeServiceServicer_to_server
from huitouke.points.v1.report_service_pb2_grpc import add_ReportServiceServicer_to_server
from sqlalchemy import Connection, Engine, text

from chassis.clock import Clock, SystemClock
from chassis.process import CUT_SHORT, ByHand, Process, run_roles
from chassis.roles import migrate_role, relay_role
from chassis.rpc.server import Server, ServiceEntry
from chassis.storage.engine import create_engine
from chassis.storage.executor import Executor, ProtoAnswerCodec
from chassis.storage.housekeeping import Housekeeping
from chassis.storage.outbox import OutboxEvent
from chassis.storage.reads import SNAPSHOT, Reads
from chassis.storage.requests import remembered_requests
from chassis.telemetry.observers import ExecutorMetrics
from chassis.telemetry.progress import ProgressLines
from services.points.converters.answers import RESPONSE_TYPES
from services.points.converters.deciding import acknowledging, answering, answering_programme
from services.points.converters.programme_answers import PROGRAMME_RESPONSE_TYPES
from services.points.converters.verification import to_json, to_lines
from services.points.domain.books import Books
from services.points.domain.commands import Command, ProgrammeCommand, members_of
from services.points.domain.drafting import decide_programme
from services.points.domain.ledger import decide
from services.points.domain.movements import MovementTerms
from services.points.domain.progress import Acknowledge, Progress
from services.points.domain.publishing import Shelf
from services.points.domain.verification import Looked
from services.points.jobs.expiring import EXPIRING
from services.points.jobs.forgetting import DAY_COUNTERS
from services.points.jobs.walking import Job, Walk
from services.points.jobs.warning import warning_walk
from services.points.servicers.allowed import ALLOW
from services.points.servicers.import_service import ImportServicer
from services.points.servicers.movement_service import MovementServicer
from services.points.servicers.points_service import PointsServicer
from services.points.servicers.programme_service import ProgrammeServicer
from services.points.servicers.report_service import ReportServicer
from services.points.settings import COMMANDS_WAITING_MAX, PointsSettings
from services.points.storage.imports import ProgressRepository
from services.points.storage.programmes import ProgrammeRepository
from services.points.storage.reports.verification import verify as recompute
from services.points.storage.repository import PointsRepository

SERVICE: Final = "points"
MIGRATIONS: Final = "services.points.storage.migrations"
WRITERS: Final = 3
"""One decides and encodes while PostgreSQL works for the others."""
COMMANDS_BESIDE: Final = 192
"""How many commands are worth another transaction beside one that is under way: most of a batch."""
PUBLISHERS: Final = 1
PROGRESS_WRITERS: Final = 1
REPORT_THREADS: Final = 2
"""A verification may take minutes; a report of the day shall not wait for it."""
TRIAL_THREADS: Final = 1
"""Dry runs of programmes: one at a time, beside the reports."""

LedgerExecutor = Executor[Command, Books, Message, OutboxEvent]
PublishExecutor = Executor[ProgrammeCommand, Shelf, Message, OutboxEvent]

ProgressExecutor = Executor[Acknowledge, Progress, Empty, OutboxEvent]


@dataclass(frozen=True, slots=True)
class Application:
    """The running parts behind the server: started before it, closed after it."""

    executor: LedgerExecutor
    publisher: PublishExecutor
    progress: ProgressExecutor
    reads: Reads
    reports: Reads
    trials: Reads
    engines: tuple[Engine, ...]
    request_key: bytes
    clock: Clock

    def services(self) -> list[ServiceEntry]:
        """Every gRPC service of this process."""
        key, clock = self.request_key, self.clock
        return [
            ServiceEntry(
                points_service_pb2.DESCRIPTOR.services_by_name["PointsService"],
                add_PointsServiceServicer_to_server,
                PointsServicer(
                    executor=self.executor,
                    publisher=self.publisher,
                    reads=self.reads,
                    reports=self.reports,
                    request_key=key,
                    clock=clock,
                ),
            ),
            ServiceEntry(
                programme_service_pb2.DESCRIPTOR.services_by_name["ProgrammeService"],
                add_ProgrammeServiceServicer_to_server,
                ProgrammeServicer(
                    publisher=self.publisher,
                    reads=self.reads,
                    trials=self.trials,
                    request_key=key,
                    clock=clock,
                ),
            ),
            ServiceEntry(
                movement_service_pb2.DESCRIPTOR.services_by_name["MovementService"],
                add_MovementServiceServicer_to_server,
                MovementServicer(
                    executor=self.executor, reads=self.reads, request_key=key, clock=clock
                ),
            ),
            ServiceEntry(
                import_service_pb2.DESCRIPTOR.services_by_name["ImportService"],
                add_ImportServiceServicer_to_server,
                ImportServicer(
                    executor=self.executor,
                    progress=self.progress,
                    reads=self.reads,
                    request_key=key,
                ),
            ),
            ServiceEntry(
                report_service_pb2.DESCRIPTOR.services_by_name["ReportService"],
                add_ReportServiceServicer_to_server,
                ReportServicer(reads=self.reads, reports=self.reports, clock=clock),
            ),
        ]

    async def database_answers(self) -> bool:
        """Probe for the health board."""
        return await self.reads.run(_answers)

    def start(self) -> None:
        self.executor.start()
        self.publisher.start()
        self.progress.start()

    def close(self) -> None:
        """Finish what is queued and give the connections back. Blocks."""
        self.executor.stop()
        self.publisher.stop()
        self.progress.stop()
        self.reads.close()
        self.reports.close()
        self.trials.close()
        for engine in self.engines:
            engine.dispose()


def compose(settings: PointsSettings, clock: Clock) -> Application:
    """Put the parts together; nothing runs or connects yet."""
    url = settings.database_url.get_secret_value()
    writing = create_engine(
        url,
        application_name="points-write",
        pool_size=WRITERS + PUBLISHERS + PROGRESS_WRITERS,
        index_plans=True,
    )
    reading = create_engine(
        url,
        application_name="points-read",
        pool_size=settings.database_pool_size,
        index_plans=True,
    )
    # A report scans the ledger: the planner must be free, and reads must not wait for it.
    reporting = create_engine(
        url, application_name="points-report", pool_size=REPORT_THREADS + TRIAL_THREADS
    )
    reads = Reads(reading, threads=settings.database_pool_size)
    reports = Reads(reporting, threads=REPORT_THREADS, queue_limit=8)
    trials = Reads(reporting, threads=TRIAL_THREADS, queue_limit=8)
    terms = settings.movement_terms()
    executor = ledger_executor(writing, clock, settings.command_queue_max, terms)
    publisher = programme_executor(writing, clock)
    progress = progress_executor(writing, clock)
    engines = (writing, reading, reporting)
    key = settings.request_key_bytes()
    return Application(executor, publisher, progress, reads, reports, trials, engines, key, clock)


def programme_executor(engine: Engine, clock: Clock) -> PublishExecutor:
    """The programme's write path over `engine`: drafts, versions and their ends."""
    return Executor(
        engine=engine,
        repository=ProgrammeRepository(clock),
        decide=answering_programme(decide_programme),
        answer_codec=ProtoAnswerCodec(PROGRAMME_RESPONSE_TYPES),
        encode_event=_encoded,
        clock=clock,
        name="points-programme",
        writers=PUBLISHERS,
        observer=ExecutorMetrics(),
    )


def ledger_executor(
    engine: Engine,
    clock: Clock,
    queue_limit: int = COMMANDS_WAITING_MAX,
    terms: MovementTerms | None = None,
) -> LedgerExecutor:
    """The ledger's write path over `engine`, which has a connection for each writer."""
    return Executor(
        engine=engine,
        repository=PointsRepository(clock, terms),
        decide=answering(decide),
        answer_codec=ProtoAnswerCodec(RESPONSE_TYPES),
        encode_event=_encoded,
        clock=clock,
        name=SERVICE,
        queue_limit=queue_limit,
        writers=WRITERS,
        keys_of=members_of,
        beside=COMMANDS_BESIDE,
        observer=ExecutorMetrics(),
    )


def progress_executor(engine: Engine, clock: Clock) -> ProgressExecutor:
    """How far imports have come, written behind their rows."""
    return Executor(
        engine=engine,
        repository=ProgressRepository(clock),
        decide=acknowledging,
        answer_codec=ProtoAnswerCodec([Empty]),
        encode_event=_encoded,
        clock=clock,
        name="points-import",
        writers=PROGRESS_WRITERS,
        observer=ExecutorMetrics(),
    )


async def serve(settings: PointsSettings, process: Process) -> None:
    """Serve until asked to stop, then drain."""
    application = compose(settings, SystemClock())
    server = Server(
        settings,
        application.services(),
        ALLOW,
        health={"postgresql": application.database_answers},
        board=process.health,
    )
    application.start()
    async with server:
        await process.stopping.wait()
    application.close()


def walks(settings: PointsSettings) -> list[tuple[Walk, float]]:
    """Every walk of the work role, with the seconds between two runs of it."""
    return [
        (EXPIRING, settings.expiry_interval_seconds),
        (warning_walk(settings.calendar_time_zone), settings.warning_interval_seconds),
    ]


async def work(settings: PointsSettings, process: Process) -> None:
    """Do what time asks for, walk by walk, and forget what is old, until asked to stop."""
    url = settings.database_url.get_secret_value()
    engine = create_engine(
        url, application_name="points-work", pool_size=WRITERS + 2, index_plans=True
    )
    clock = SystemClock()
    reads = Reads(engine, threads=1)
    executor = ledger_executor(engine, clock)
    executor.start()
    housekeeping = Housekeeping(
        engine,
        clock,
        [remembered_requests(settings.requests_kept()), DAY_COUNTERS],
        settings.housekeeping_interval_seconds,
    )
    stopping, stop = asyncio.Event(), asyncio.ensure_future(process.stopping.wait())
    running = [
        asyncio.create_task(Job(walk, reads, executor, clock).run(seconds, stopping))
        for walk, seconds in walks(settings)
    ]
    running.append(asyncio.create_task(housekeeping.run_until(stop)))
    await asyncio.wait({*running, stop}, return_when=asyncio.FIRST_COMPLETED)
    stopping.set()
    stop.cancel()
    await asyncio.gather(*running)
    executor.stop()
    reads.close()
    engine.dispose()


def verify_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def verify(settings: PointsSettings, process: Process) -> int:
    """Recompute every balance, lot, debt and house account from postings and compare.

    Reads one snapshot while the service goes on writing; progress comes on stderr, what differs
    on stdout: the member, the lot or version, what is stored and what the postings say. Exit code
    0 when the books balance, 1 when they don't, 130 when it was interrupted.
    """
    lines = ProgressLines("verify", "postings")
    engine = create_engine(
        settings.database_url.get_secret_value(), application_name="points-verify", pool_size=1
    )

    def progress(looked: Looked) -> None:
        if process.stopping.requested():
            raise InterruptedError
        lines.say(**asdict(looked))

    try:
        with engine.connect().execution_options(**SNAPSHOT) as connection:
            found = recompute(connection, progress)
    except InterruptedError:
        sys.stderr.write("verify: interrupted; nothing is known of what was not looked at\n")
        return CUT_SHORT
    finally:
        engine.dispose()
    lines.say(last=True, **asdict(found.looked))
    told = [to_json(found)] if process.options.json else to_lines(found)
    sys.stdout.writelines(f"{line}\n" for line in told)
    return 0 if found.balanced else 1


def main() -> None:
    """The console script `huitouke-points`."""
    run_roles(
        SERVICE,
        PointsSettings,
        {
            "serve": serve,
            "relay": relay_role(SERVICE),
            "work": work,
            "migrate": migrate_role(SERVICE, MIGRATIONS),
            "verify": ByHand(verify, verify_options),
        },
    )


def _encoded(event: OutboxEvent, _now: object) -> OutboxEvent:
    """The converters have put the event into wire form already."""
    return event


def _answers(connection: Connection) -> bool:
    return bool(connection.execute(text("SELECT true")).scalar())
