"""`huitouke up` as a person at a terminal has it: starts all, says so, stops all."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli.endpoints import Endpoints
from cli.local.ports import is_open
from cli.session import is_running
from cli.suite import PROCESSES, Ports
from tests.suites import drop_databases
from tests.waiting import wait_until

START_TIMEOUT_SECONDS = 180
STOP_TIMEOUT_SECONDS = 60
PORT_BASE = 12_000

pytestmark = [pytest.mark.xdist_group("suite"), pytest.mark.timeout(300)]


@pytest.fixture
def environment(postgres_url: str, kafka_bootstrap: str) -> Iterator[dict[str, str]]:
    mark = uuid.uuid4().hex[:12]
    yield {
        **os.environ,
        "DATABASE_URL": postgres_url,
        "KAFKA_BOOTSTRAP": kafka_bootstrap,
        "HUITOUKE_DATABASE_PREFIX": f"up_{mark}_",
        "HUITOUKE_TOPIC_PREFIX": f"up{mark}.",
    }
    drop_databases(postgres_url, f"up_{mark}_")


def _command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("huitouke")), *arguments]


def _descendants(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_up_starts_everything_and_ctrl_c_ends_everything(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    state, output = tmp_path / "state", tmp_path / "output"
    command = _command("up", "--state", str(state), "--port-base", str(PORT_BASE))
    with output.open("w") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, text=True)
    try:
        wait_until(
            lambda: process.poll() is not None or "the suite serves" in output.read_text(),
            START_TIMEOUT_SECONDS,
            "the suite serves",
        )
        assert process.poll() is None, output.read_text()[-2000:]
        assert is_running(state)
        assert Endpoints.load(state).partner == Ports.from_base(PORT_BASE).address("gateway")
        names = {line.partition(" | ")[0].strip() for line in output.read_text().splitlines()}
        assert {f"{name.partition('.')[0]}.serve" for name in PROCESSES} <= names
        children = _descendants(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_TIMEOUT_SECONDS) == 0, output.read_text()[-2000:]
    finally:
        process.kill()
    assert not any(child.is_running() for child in children)
    assert not is_open(PORT_BASE)
    assert not is_running(state)
