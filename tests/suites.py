"""Whole suites for tests: one that end-to-end tests share, one that fault tests may break."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg

from cli.suite import Ports, Suite
from cli.suite.layout import SERVICES
from cli.suite.processes import State
from tests import databases
from tests.waiting import wait_until

QUICK = {
    **{
        f"HUITOUKE_{service.upper()}_{name}": value
        for service in SERVICES
        for name, value in (("DRAIN_PAUSE_SECONDS", "0"), ("HEALTH_INTERVAL_SECONDS", "0.3"))
    },
    "HUITOUKE_GATEWAY_RECOVERY_GRACE_SECONDS": "0.5",
    "HUITOUKE_GATEWAY_RECOVERY_LEASE_SECONDS": "6",
    "HUITOUKE_GATEWAY_RECOVERY_POLL_SECONDS": "0.1",
    "HUITOUKE_GATEWAY_RECOVERY_BACKOFF_SECONDS_MAX": "2",
    "HUITOUKE_NOTIFY_LEASE_SECONDS": "5",
}
"""Settings that only shorten waits: no load balancer watches, and crashes are found sooner."""

WHOLE_SECONDS = 60.0
TIMEOUT_SECONDS = 600
"""For a test of a suite: whichever comes first waits for all of it to start, on a busy machine."""

GROUPS = {"suite": "suite", "suite_to_break": "faults"}
"""Fixtures that are dear, with the xdist group that keeps their tests on one worker."""


def shared_suite(state: Path, postgres_url: str, kafka_bootstrap: str) -> Iterator[Suite]:
    """A running suite on the run's servers, with databases and topics of its own."""
    mark = uuid.uuid4().hex[:12]
    suite = Suite(
        state,
        ports=Ports.free(),
        postgres_url=postgres_url,
        kafka_bootstrap=kafka_bootstrap,
        topic_prefix=f"e{mark}.",
        database_prefix=f"e2e_{mark}_",
        environment=QUICK,
        log_level="warning",
    )
    suite.start()
    try:
        yield suite
    finally:
        suite.stop()
        drop_databases(postgres_url, f"e2e_{mark}_")


def breakable_suite(logs: Path) -> Iterator[Suite]:
    """A running suite with servers of its own, which tests may stop, kill and restart.

    Not in pytest's folder, which every session that starts closes to other users: PostgreSQL is
    one. Its logs are left in `logs`.
    """
    state = Path(tempfile.mkdtemp(prefix="huitouke-faults-"))
    suite = Suite(state, ports=Ports.free(), environment=QUICK, log_level="warning")
    try:
        suite.start()
        yield suite
    finally:
        suite.stop()
        shutil.copytree(state / "logs", logs / "logs")
        shutil.rmtree(state, ignore_errors=True)


def heal(suite: Suite) -> None:
    """Bring back what a test has stopped, killed or armed, and wait until all find each other."""
    for server in (suite.postgres, suite.kafka):
        if server is not None and server.pid is None:
            server.start()
    broken = [
        name
        for name, process in suite.processes.items()
        if name in suite.armed or process.state() in (State.STOPPED, State.DEAD)
    ]
    for name in broken:
        suite.restart(name)
    wait_until(lambda: whole(suite), WHOLE_SECONDS, "the suite is whole again")


def whole(suite: Suite) -> bool:
    """Whether every process serves and finds what it depends on."""
    return all(process.state() is State.SERVING for process in suite.processes.values())


def drop_databases(postgres_url: str, prefix: str) -> None:
    """Drop every database whose name begins so, whoever is still connected.

    The run's own server goes with all it has.
    """
    if not databases.outlive_the_run():
        return
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (prefix,)
        )
        for (name,) in found.fetchall():
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
