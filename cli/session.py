"""A suite to talk to: the one that runs with a state folder, or one started for the occasion."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from cli.endpoints import FILE, Endpoints
from cli.local.errors import LocalServerError
from cli.suite.environment import suite_from_environment

STARTING_SECONDS = 180.0
"""How long a suite that another process is starting is waited for: a first start fetches Kafka."""
_LOOK_SECONDS = 0.2


@contextmanager
def a_suite(
    state: Path, port_base: int, console: Console, starting_seconds: float = STARTING_SECONDS
) -> Iterator[Endpoints]:
    """Yield the endpoints of the suite in `state`, which is started and stopped unless it runs.

    One that another process is starting (or stopping) is waited for, `starting_seconds` at most.
    Raises LocalServerError when it can't start here, or when the other never came to its end.
    """
    if _is_kept(state) and not is_running(state):
        with console.status("waiting for the suite that is being started"):
            _wait_for_the_other(state, starting_seconds)
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
    """Whether a suite serves in this folder: its keeper lives and has said where it is."""
    return (state / FILE).exists() and _is_kept(state)


def _is_kept(state: Path) -> bool:
    """Whether a living process keeps a suite in this folder; its files alone prove nothing."""
    if not (state / "lock").exists():
        return False
    with (state / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _wait_for_the_other(state: Path, seconds: float) -> None:
    """Return once the other process's suite serves, or the folder is free."""
    until = time.monotonic() + seconds
    while _is_kept(state) and not is_running(state):
        if time.monotonic() >= until:
            holder = (state / "lock").read_text().strip()
            raise LocalServerError(
                f"the suite in {state} (process {holder}) was still starting after {seconds:g} s",
                "see what that process says, or stop it",
            )
        time.sleep(_LOOK_SECONDS)  # files tell nobody when they change
