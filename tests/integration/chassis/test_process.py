"""A role's process from start to end: signals, exit codes, one line for what stops it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Start = Callable[..., subprocess.Popen[str]]
ENVIRONMENT = {"HUITOUKE_MODE": "development", "HUITOUKE_ROLES_NEEDED": "it"}


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a role; what still runs in the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(role: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.chassis.role_process", role],
            env={**os.environ, **ENVIRONMENT, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def _logged(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("role", "first", "last"),
    [("serve", "serving it", "drained\n"), ("relay", "relaying", "relayed\n")],
)
def test_a_signal_lets_a_role_finish_whether_coroutine_or_thread(
    start: Start, role: str, first: str, last: str, number: signal.Signals
) -> None:
    process = start(role)
    assert _line(process) == first
    process.send_signal(number)
    assert _end(process)[:2] == (0, last)


def test_a_role_stands_back_as_far_as_its_setting_says(start: Start) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    process = start("relay", HUITOUKE_ROLES_NICENESS="7")
    _line(process)
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(own + 7, 19)


def test_a_role_that_ends_by_itself_ends_the_process(start: Start) -> None:
    assert _end(start("migrate"))[:2] == (0, "migrated\n")


def test_a_second_signal_cuts_short(start: Start) -> None:
    process = start("linger")
    assert _line(process) == "lingering"
    process.send_signal(signal.SIGTERM)
    assert _line(process) == "not yet"
    process.send_signal(signal.SIGTERM)
    assert _end(process)[0] == 130


def test_a_role_that_fails_ends_with_1_and_a_log_line_without_personal_data(start: Start) -> None:
    code, _, err = _end(start("fail"))
    assert code == 1
    (line,) = _logged(err)
    assert (line["event"], line["error"], line["role"]) == ("failed", "RuntimeError", "fail")
    assert "19900000000" not in err


def test_what_keeps_a_role_from_starting_is_one_line_without_a_traceback(start: Start) -> None:
    code, _, err = _end(start("refuse"))
    assert code == 3
    assert err == "huitouke-roles refuse: PostgreSQL on 127.0.0.1:1 doesn't answer; start it\n"


def test_a_database_that_does_not_answer_is_one_line_naming_the_setting(start: Start) -> None:
    code, _, err = _end(start("connect"))
    assert code == 3
    (line,) = err.splitlines()
    assert "Connection refused; check HUITOUKE_ROLES_DATABASE_URL" in line
    assert "hidden" not in line


def test_wrong_settings_end_with_2_and_an_unknown_role_says_which_there_are(start: Start) -> None:
    code, _, err = _end(start("serve", HUITOUKE_MODE="production", HUITOUKE_FAILPOINTS="x=kill"))
    assert code == 2
    assert "HUITOUKE_FAILPOINTS: failpoints are refused in production mode" in err
    code, _, err = _end(start("dance"))
    assert code == 2
    assert "invalid choice" in err


def test_a_metrics_port_in_use_is_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, _, err = _end(start("serve", HUITOUKE_ROLES_METRICS_LISTEN=address))
    assert code == 3
    assert f"can't serve metrics on {address}: Address already in use" in err
