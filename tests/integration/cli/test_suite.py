"""The suite as a library: started, broken, mended and ended, with one service to keep it short."""

import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from cli.local.errors import LocalServerError
from cli.local.ports import is_open
from cli.suite import Ports, Suite
from cli.suite.processes import State
from tests.waiting import wait_until

SERVE, RELAY = "coupon.serve", "coupon.relay"


def _suite(state: Path, postgres_url: str, kafka_bootstrap: str, ports: Ports) -> Suite:
    mark = uuid.uuid4().hex[:12]
    return Suite(
        state,
        ports=ports,
        postgres_url=postgres_url,
        kafka_bootstrap=kafka_bootstrap,
        database_prefix=f"up_{mark}_",
        topic_prefix=f"u{mark}.",
        services=("coupon",),
    )


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, kafka_bootstrap: str
) -> Iterator[Suite]:
    state = tmp_path_factory.mktemp("state")
    suite = _suite(state, postgres_url, kafka_bootstrap, Ports.free())
    suite.start()
    yield suite
    suite.stop()


pytestmark = pytest.mark.xdist_group("one service")


def test_a_started_suite_serves_and_has_written_where(running: Suite) -> None:
    assert {process.state() for process in running.processes.values()} == {State.SERVING}
    assert (running.state / "endpoints.json").exists()
    with psycopg.connect(running.database_url("coupon")) as connection:
        assert connection.execute("SELECT to_regclass('outbox') IS NOT NULL").fetchone() == (True,)


def test_a_killed_process_stays_dead_until_it_is_started(running: Suite) -> None:
    running.kill(RELAY)
    assert running.revive() == []
    running.start_process(RELAY)
    assert running.processes[RELAY].state() is State.SERVING


def test_a_process_that_died_by_itself_is_revived(running: Suite) -> None:
    process = running.processes[RELAY]
    assert process.pid is not None
    psutil.Process(process.pid).send_signal(signal.SIGKILL)
    assert process.wait_for_end(timeout_seconds=10) == -signal.SIGKILL
    wait_until(running.revive, 10, "the relay is revived")
    process.wait()
    assert (process.restarts, process.state()) == (1, State.SERVING)


def test_failpoints_arm_one_start_only(running: Suite) -> None:
    running.restart(SERVE, "coupon.nowhere=kill")
    assert running.armed == {SERVE}
    running.restart(SERVE)
    assert running.armed == set()


def test_a_second_suite_in_the_same_folder_is_refused(
    running: Suite, postgres_url: str, kafka_bootstrap: str
) -> None:
    second = _suite(running.state, postgres_url, kafka_bootstrap, Ports.free())
    with pytest.raises(LocalServerError, match=r"a suite already runs in .* \(process \d+\)"):
        second.start()


def test_a_suite_that_finds_a_port_taken_starts_nothing(
    running: Suite, tmp_path: Path, postgres_url: str, kafka_bootstrap: str
) -> None:
    second = _suite(tmp_path, postgres_url, kafka_bootstrap, running.ports)
    with pytest.raises(LocalServerError, match=r"wanted for the coupon service, is in use"):
        second.start()
    assert not any(process.running for process in second.processes.values())


def test_every_line_of_the_log_names_its_process(running: Suite) -> None:
    log = wait_until(running.log.read_text, 10, "the log has lines")
    names = {line.partition(" | ")[0].strip() for line in log.splitlines()}
    assert SERVE in names
    assert names <= {SERVE, RELAY, "coupon.work", "coupon.migrate", "smsc", "mail"}


def test_a_stopped_suite_leaves_nothing_listening(
    tmp_path: Path, postgres_url: str, kafka_bootstrap: str
) -> None:
    suite = _suite(tmp_path, postgres_url, kafka_bootstrap, Ports.free())
    suite.start()
    port = suite.ports.grpc["coupon"]
    assert is_open(port)
    suite.stop()
    assert not is_open(port)
    assert not is_open(suite.ports.smsc)
