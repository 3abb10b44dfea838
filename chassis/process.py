'''How a service's process starts and ends: roles, signals, one line for what keeps it from it.

A service's whole `main.py`:

    """Composition root of the points service."""

    ALLOW = {
        "/huitouke.points.v1.PointsService/Post": {"gateway"},
        "/huitouke.points.v1.PointsService/BatchPost": {"gateway"},
        "/huitouke.points.v1.PointsService/GetBalances": {"gateway", "operator"},
    }

    async def serve(settings: PointsSettings, process: Process) -> None:
        engine = create_engine(settings.database_url.get_secret_value(), application_name="points")
        reads = Reads(engine, threads=4)
        executor = Executor(engine=engine, repository=PointsRepository(), decide=decide, ...)
        servicer = PointsServicer(executor, reads, settings.request_key_bytes())
        entry = ServiceEntry(
            points_service_pb2.DESCRIPTOR.services_by_name["PointsService"],
            add_PointsServiceServicer_to_server,
            servicer,
        )
        probes = {"postgresql": database_probe(reads)}
        server = Server(settings, [entry], ALLOW, health=probes, board=process.health)
        executor.start()
        async with server:                     # start; at the end drain: NOT_SERVING, pause, grace
            await process.stopping.wait()      # SIGTERM or SIGINT
        executor.stop()                        # after the drain: nothing new comes

    def relay(settings: PointsSettings, process: Process) -> None:      # a role may be blocking:
        Relay(...).run(process.stopping.event)                          # it gets a threading.Event

    def migrate_role(settings: PointsSettings, process: Process) -> None:
        migrate(engine, package="services.points.storage.migrations")

    def main() -> None:
        run_roles(
            "points",
            PointsSettings,
            {"serve": serve, "relay": relay, "consume": consume, "migrate": migrate_role},
        )

The servicer (no rule, no SQL):

    class PointsServicer(PointsServiceServicer):
        async def Post(self, request: PostRequest, context: Any) -> PostResponse:
            call = current_call()
            done = await self._executor.execute(self._submission(request, call))
            if done.replayed:
                mark_replayed()
            return to_post_response(done.answer)

        async def BatchPost(self, request, context):
            results = await run_batch(request.items, self._submission, self._executor)
            return fill_outcomes(BatchPostResponse(), results, to_post_response)

        def _submission(self, request, context: Call | ItemContext) -> Submission[Command]:
            return Submission(to_command(request), context.caller, request.request_id,
                              fingerprint(request, self._key), context.deadline_monotonic,
                              context.traceparent)

A role that a person runs by hand may have options and an exit code of its own:

    def options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def verify(settings: PointsSettings, process: Process) -> int:      # blocking, too
        return 0 if balanced(as_json=process.options.json) else 1

    {"verify": ByHand(verify, options)}

Exit codes: 0 done or stopped, 1 failed while running, 2 settings, 3 couldn't start, 130 cut short
by a second signal; or what a role by hand answers.
'''

import argparse
import asyncio
import contextlib
import gc
import inspect
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import uvloop
from sqlalchemy.exc import OperationalError

from chassis.failpoints import FailpointSettingError, arm_failpoints
from chassis.rpc.health import HealthBoard
from chassis.settings import ServiceSettings, load
from chassis.startup import StartupError
from chassis.telemetry.endpoint import Endpoint
from chassis.telemetry.logs import configure_logs, get_logger
from chassis.telemetry.traces import configure_traces, stop_traces

FAILED, COULD_NOT_START, CUT_SHORT = 1, 3, 130
STOP_MARGIN_SECONDS: Final = 15.0
COLLECTOR_THRESHOLDS: Final = (10_000, 20, 20)
METRICS_PORT_OFFSETS: Final = {"serve": 100, "relay": 200, "consume": 300, "work": 400}
_log = get_logger("process")


class Stopping:
    """The wish to stop: a coroutine awaits it, a thread waits on `event`; it never goes back."""

    def __init__(self) -> None:
        self.event: Final = threading.Event()
        self._waiters: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._lock = threading.Lock()

    def request(self) -> None:
        """Ask for the stop, from any thread; again does nothing."""
        with self._lock:
            self.event.set()
            for loop, waiter in self._waiters:
                loop.call_soon_threadsafe(waiter.set)

    def requested(self) -> bool:
        return self.event.is_set()

    async def wait(self) -> None:
        """Return once the stop is asked for."""
        waiter = asyncio.Event()
        entry = (asyncio.get_running_loop(), waiter)
        with self._lock:
            if self.event.is_set():
                return
            self._waiters.add(entry)
        try:
            await waiter.wait()
        finally:
            with self._lock:
                self._waiters.discard(entry)


@dataclass(frozen=True, slots=True)
class Process:
    """What a role knows of the process it runs in; `options` are those of a `ByHand` role."""

    service: str
    role: str
    stopping: Stopping = field(default_factory=Stopping)
    health: HealthBoard = field(default_factory=HealthBoard)
    options: argparse.Namespace = field(default_factory=argparse.Namespace)


S = TypeVar("S", bound=ServiceSettings)
Role = Callable[[S, Process], Awaitable[int | None] | int | None]
Options = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True, slots=True)
class ByHand(Generic[S]):
    """A role that a person runs: blocking, with options and an exit code of its own."""

    run: Callable[[S, Process], int]
    options: Options

    def __call__(self, settings: S, process: Process) -> int:
        return self.run(settings, process)


def run_roles(
    service: str,
    settings_class: type[S],
    roles: Mapping[str, Role[S]],
    argv: Sequence[str] | None = None,
) -> None:
    """The console script `huitouke-<service> <role>`; never returns, always exits.

    Coroutine roles run on uvloop; blocking ones in a thread while the loop minds the signals.
    """
    # gRPC's core writes its own chatter to stderr, past the logs; its errors come as refusals.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    options = _parse(service, roles, argv)
    role = str(options.role)
    settings = load(settings_class)
    configure_logs(service, role, settings.log_level)
    configure_traces(service, settings.otlp_endpoint)
    process = Process(service, role, options=options)
    _spare_the_collector()
    _stand_back(settings.niceness)
    try:
        arm_failpoints({**os.environ, "HUITOUKE_MODE": settings.mode})
        code = uvloop.run(_run(settings, process, roles[role]))
    except (StartupError, FailpointSettingError) as fault:
        sys.stderr.write(f"huitouke-{service} {role}: {fault}\n")
        code = COULD_NOT_START
    except OperationalError as error:
        line = str(error.orig).strip().splitlines()[0]
        variable = f"HUITOUKE_{service.upper()}_DATABASE_URL"
        sys.stderr.write(f"huitouke-{service} {role}: PostgreSQL: {line}; check {variable}\n")
        code = COULD_NOT_START
    except Exception as error:  # noqa: BLE001 - the process's last word
        _log.error("failed", exc_info=error)
        code = FAILED
    finally:
        stop_traces()
    sys.exit(code)


def _spare_the_collector() -> None:
    """Let the garbage collector walk what calls leave behind, not what the imports have made.

    With Python's own settings it took a tenth of a busy server's time. Console scripts have let it
    rest while they loaded.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def _stand_back(niceness: int) -> None:
    """Let others go first where the processor is short; before any thread that would not inherit.

    Linux may weigh whole sessions against each other (autogroups): a process that has one to itself
    would otherwise only stand back behind its own threads.
    """
    if not niceness:
        return
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # not Linux, or one without autogroups
            Path("/proc/self/autogroup").write_text(str(niceness))


def _parse(
    service: str, roles: Mapping[str, Any], argv: Sequence[str] | None
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"huitouke-{service}",
        description=f"One process of the {service} service; settings come from the environment.",
    )
    choices = parser.add_subparsers(dest="role", required=True, help="what this process does")
    for name in sorted(roles):
        described = choices.add_parser(name, description=inspect.getdoc(_function(roles[name])))
        if isinstance(roles[name], ByHand):
            roles[name].options(described)
    return parser.parse_args(argv)


def _function(role: Any) -> Any:
    return role.run if isinstance(role, ByHand) else role


async def _run(settings: S, process: Process, role: Role[S]) -> int:
    """The exit code."""
    _stop_on_signals(process.stopping)
    listen = _metrics_listen(settings, process.role)
    endpoint = Endpoint(listen, process.health.states) if listen else None
    work = asyncio.ensure_future(_work(settings, process, role))
    stopping = asyncio.ensure_future(process.stopping.wait())
    try:
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            bound = settings.drain_grace_seconds + STOP_MARGIN_SECONDS
            await asyncio.wait({work}, timeout=bound)
        if not work.done():
            _log.error("stop_took_too_long")
            os._exit(FAILED)
        return work.result() or 0
    finally:
        stopping.cancel()
        if endpoint is not None:
            endpoint.close()


async def _work(settings: S, process: Process, role: Role[S]) -> int | None:
    if inspect.iscoroutinefunction(role):
        answer: int | None = await role(settings, process)
        return answer
    return await asyncio.to_thread(role, settings, process)  # type: ignore[arg-type]


def _stop_on_signals(stopping: Stopping) -> None:
    def on_signal() -> None:
        if stopping.requested():
            os._exit(CUT_SHORT)
        stopping.request()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)


def _metrics_listen(settings: ServiceSettings, role: str) -> str:
    """Where this role's /metrics listens; empty for none."""
    if settings.metrics_listen == "off" or (offset := METRICS_PORT_OFFSETS.get(role)) is None:
        return ""
    if settings.metrics_listen:
        return settings.metrics_listen
    port = int(str(getattr(settings, "listen", ":0")).rpartition(":")[2])
    return f"127.0.0.1:{port + offset if port else 0}"
