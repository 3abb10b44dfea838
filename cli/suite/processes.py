"""One process of the suite: started, watched, killed and started again."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path

from cli.local.child import Child
from cli.local.errors import LocalServerError
from cli.local.ports import LOOPBACK, is_open
from cli.local.waiting import wait_until_ready

START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30
HEALTH_TIMEOUT_SECONDS = 2
MIGRATE_TIMEOUT_SECONDS = 120
_BACK_OFF_SECONDS = (1, 2, 4, 8, 15, 30)


class State(Enum):
    """What a process is doing, as far as an outsider can tell."""

    STOPPED = "stopped"
    STARTING = "starting"
    SERVING = "serving"
    DEGRADED = "degraded"
    DEAD = "dead"


class SuiteProcess:
    """`<service>.<role>`; it is up when /healthz on `metrics_port` says so and `listens` are open.

    It must be started by a thread that lives as long as the suite does (see Child).
    """

    def __init__(
        self, name: str, metrics_port: int, log: Path, listens: Sequence[int] = ()
    ) -> None:
        self.name = name
        self._listens = tuple(listens)
        self.restarts = 0
        self._metrics_port = metrics_port
        self._log = log
        self._child: Child | None = None
        self._wanted = False
        self._deaths = 0
        self._next_start = 0.0

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    def launch(self, environment: Mapping[str, str]) -> None:
        """Start it without waiting."""
        assert not self.running, f"{self.name} is running already"
        service, _, role = self.name.partition(".")
        self._child = Child(
            self.name, command(service, role), log=self._log, environment=environment
        )
        self._wanted = True

    def wait(self) -> None:
        """Return once it is up; LocalServerError says why it won't."""
        assert self._child is not None, f"{self.name} has not been started"
        wait_until_ready(self._child, self._is_healthy, START_TIMEOUT_SECONDS)

    def wait_for_end(self, timeout_seconds: float) -> int:
        """Its exit code (negative: the signal) once it has ended of its own accord."""
        assert self._child is not None, f"{self.name} has not been started"
        return self._child.wait(timeout_seconds)

    def begin_stop(self) -> None:
        """Ask it to drain and end; `finish_stop` waits."""
        self._wanted = False
        if self._child is not None:
            self._child.begin_stop()

    def finish_stop(self) -> None:
        if self._child is not None:
            self._child.finish_stop(STOP_TIMEOUT_SECONDS)
            self._child = None

    def stop(self) -> None:
        """Let it drain and end."""
        self.begin_stop()
        self.finish_stop()

    def kill(self) -> None:
        """SIGKILL; it isn't revived until it is launched again."""
        self._wanted = False
        if self._child is not None:
            self._child.kill()

    def revive(self, environment: Mapping[str, str]) -> bool:
        """Start it again if it has died, backing off when it keeps dying; whether it did."""
        if not self._wanted or self.running:
            return False
        now = time.monotonic()
        if self._next_start == 0.0:
            wait = _BACK_OFF_SECONDS[min(self._deaths, len(_BACK_OFF_SECONDS) - 1)]
            self._next_start = now + wait
            self._deaths += 1
        if now < self._next_start:
            return False
        self._next_start = 0.0
        self.restarts += 1
        self.launch(environment)
        return True

    def state(self) -> State:
        """Its present state; asks /healthz, so it may take HEALTH_TIMEOUT_SECONDS."""
        if self._child is None:
            return State.STOPPED
        if not self._child.running:
            return State.DEAD if self._wanted else State.STOPPED
        status = self._health_status()
        if status is None:
            return State.STARTING
        return State.SERVING if status == 200 else State.DEGRADED

    def _is_healthy(self) -> bool:
        return self._health_status() == 200 and all(map(is_open, self._listens))

    def _health_status(self) -> int | None:
        url = f"http://{LOOPBACK}:{self._metrics_port}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=HEALTH_TIMEOUT_SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None


def command(service: str, role: str) -> list[str]:
    """The service's console script, as installed beside this interpreter."""
    return [str(Path(sys.executable).with_name(f"huitouke-{service}")), role]


def migrate_all(services: Mapping[str, Mapping[str, str]], logs: Path) -> None:
    """Run `huitouke-<service> migrate` of each service (name to environment), beside each other.

    Raises LocalServerError for the first that fails or takes too long; none is left running.
    """
    children = {
        service: Child(
            f"{service}.migrate",
            command(service, "migrate"),
            log=logs / f"{service}.migrate.log",
            environment=environment,
        )
        for service, environment in services.items()
    }
    try:
        for service, child in children.items():
            _finish_migration(service, child)
    finally:
        for child in children.values():
            child.kill()


def _finish_migration(service: str, child: Child) -> None:
    try:
        code = child.wait(MIGRATE_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise LocalServerError(
            f"migrating the database of {service} took over {MIGRATE_TIMEOUT_SECONDS} s",
            f"see {child.log}",
        ) from None
    if code != 0:
        raise LocalServerError(
            f"the database of {service} couldn't be migrated: {child.last_words()}",
            f"see {child.log}",
        )
