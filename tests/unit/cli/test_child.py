"""A child process ends with its starter, whatever ends the starter."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cli.local.child import Child
from cli.local.errors import LocalServerError
from cli.local.waiting import wait_until_ready
from tests.waiting import wait_until

SLEEPER = "import signal; print('up', flush=True); signal.pause()"
STARTER = f"""
import sys, signal
from pathlib import Path
from cli.local.child import Child
child = Child("sleeper", [sys.executable, "-c", {SLEEPER!r}], log=Path(sys.argv[1]))
print(child.pid, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_child_ends_when_its_starter_is_ended(tmp_path: Path, number: signal.Signals) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    wait_until(lambda: "up" in (tmp_path / "log").read_text(), 20, "the child runs")
    starter.send_signal(number)
    starter.communicate(timeout=20)
    wait_until(lambda: not psutil.pid_exists(pid), 20, "the child has ended")


def test_a_child_that_ignores_the_wish_to_stop_is_killed(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); "
    child = Child("deaf", [sys.executable, "-c", deaf + "signal.pause()"], log=tmp_path / "log")
    wait_until(lambda: "up" in child.output(), 20, "the child runs")
    child.stop(timeout_seconds=0.2)
    assert child.exit_code == -signal.SIGKILL


def test_a_child_that_ends_instead_of_serving_is_quoted(tmp_path: Path) -> None:
    child = Child(
        "the sulky server",
        [sys.executable, "-c", "raise SystemExit('no disk')"],
        log=tmp_path / "l",
    )
    with pytest.raises(LocalServerError, match=r"the sulky server ended with code 1: no disk"):
        wait_until_ready(child, lambda: False, timeout_seconds=20)


def test_a_restarted_child_does_not_see_its_forerunners_output(tmp_path: Path) -> None:
    for text in ("first", "second"):
        child = Child("echo", [sys.executable, "-c", f"print('{text}')"], log=tmp_path / "log")
        child.wait(timeout_seconds=20)
        assert child.output() == f"{text}\n"
