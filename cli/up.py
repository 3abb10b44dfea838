"""`huitouke up`: the suite in the foreground, one status screen, clean stop on Ctrl-C."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.suite import Suite
from cli.suite.environment import suite_from_environment
from cli.suite.processes import State
from cli.suite.suite import forget

_REFRESH_SECONDS = 1.0
_STYLES = {
    State.SERVING: "green",
    State.STARTING: "yellow",
    State.DEGRADED: "yellow",
    State.DEAD: "bold red",
    State.STOPPED: "dim",
}


def run(state: Path, port_base: int, *, fresh: bool) -> None:
    """Start, show and supervise the suite; return after SIGINT or SIGTERM has ended it.

    Raises LocalServerError when it can't start here.
    """
    console = Console()
    if fresh:
        forget(state)
    stopping = threading.Event()
    suite = suite_from_environment(state, port_base, console, echo=not console.is_terminal)
    with _stop_signals(stopping):
        suite.start()
        try:
            _supervise(suite, console, stopping)
        finally:
            console.print("stopping")
            suite.stop()
    console.print(f"stopped; what it said is in {suite.log}")


@contextmanager
def _stop_signals(stopping: threading.Event) -> Iterator[None]:
    """Turn SIGTERM into what Ctrl-C does: interrupt the start, or end the supervision."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            return  # a second Ctrl-C must not cut the clean stop short
        stopping.set()
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _supervise(suite: Suite, console: Console, stopping: threading.Event) -> None:
    if not console.is_terminal:
        console.print(f"the suite serves; gateway {suite.endpoints.partner}", highlight=False)
        while not stopping.wait(_REFRESH_SECONDS):
            for name in suite.revive():
                console.print(f"started {name} again")
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not stopping.is_set():
            suite.revive()
            live.update(_status(suite), refresh=True)
            stopping.wait(_REFRESH_SECONDS)


def _status(suite: Suite) -> Group:
    return Group(_title(), _process_table(suite), _addresses(suite))


def _title() -> Text:
    return Text(f"Huitouke · {time.strftime('%H:%M:%S')} · Ctrl-C stops it", style="bold")


def _process_table(suite: Suite) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("process", "state", "pid", "MB", "restarts"):
        table.add_column(heading, justify="left" if heading in ("process", "state") else "right")
    for server in suite.servers:
        running = server.pid is not None and psutil.pid_exists(server.pid)
        shown = Text("serving", "green") if running else Text("dead", "bold red")
        table.add_row(server.name, shown, str(server.pid or ""), _megabytes(server.pid), "")
    for name, process in suite.processes.items():
        state = process.state()
        shown = Text(state.value, _STYLES[state])
        restarts = str(process.restarts or "")
        table.add_row(name, shown, str(process.pid or ""), _megabytes(process.pid), restarts)
    return table


def _addresses(suite: Suite) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    endpoints = suite.endpoints
    table.add_row("gateway", f"{endpoints.partner} (partners), {endpoints.admin} (administration)")
    table.add_row("events", endpoints.kafka_bootstrap)
    table.add_row("certificates", endpoints.certificates)
    table.add_row("log", str(suite.log))
    return table


def _megabytes(pid: int | None) -> str:
    if pid is None:
        return ""
    try:
        return str(psutil.Process(pid).memory_info().rss // 1_048_576)
    except psutil.NoSuchProcess:
        return ""
