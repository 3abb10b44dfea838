"""A suite to talk to: the one that runs with a state folder, or one started for the occasion."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from cli.endpoints import FILE, Endpoints
from cli.suite.environment import suite_from_environment


@contextmanager
def a_suite(state: Path, port_base: int, console: Console) -> Iterator[Endpoints]:
    """Yield the endpoints of the suite in `state`, which is started and stopped unless it runs.

    Raises LocalServerError when it can't start here.
    """
    if is_running(state):
        yield Endpoints.load(state)
        return
    suite = suite_from_environment(state, port_base, console, echo=False)
    with console.status("starting the suite"):
        suite.start()
    try:
        yield suite.endpoints
    finally:
        suite.stop()


def is_running(state: Path) -> bool:
    """Whether a living process keeps a suite in this folder; its files alone prove nothing."""
    if not (state / FILE).exists():
        return False
    with (state / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
