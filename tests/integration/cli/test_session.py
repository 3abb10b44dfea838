"""A command that needs a suite, beside another process that keeps one in the same folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

import pytest
from rich.console import Console

from cli import session
from cli.endpoints import FILE, Endpoints
from cli.local.errors import LocalServerError
from cli.suite import Suite
from tests.waiting import wait_until

NOWHERE = Endpoints(**{each.name: "" for each in fields(Endpoints)})
THEIRS, OURS = replace(NOWHERE, partner="theirs:1"), replace(NOWHERE, partner="ours:1")


class OurSuite:
    """The suite that the command would start itself."""

    endpoints = OURS

    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")


class ToldConsole(Console):
    """A console that remembers what it showed a status of."""

    def __init__(self) -> None:
        super().__init__(file=StringIO())
        self.statuses: list[str] = []

    def status(self, status: Any, **more: Any) -> Any:
        self.statuses.append(str(status))
        return super().status(status, **more)


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> OurSuite:
    suite = OurSuite()
    monkeypatch.setattr(session, "suite_from_environment", lambda *_, **__: suite)
    return suite


@pytest.fixture
def other(tmp_path: Path) -> Iterator[TextIO]:
    """What another process does first: it keeps the folder, and has not said where it serves."""
    with (tmp_path / "lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        yield lock


def used(state: Path, console: Console) -> Endpoints:
    with session.a_suite(state, 0, console, starting_seconds=30.0) as endpoints:
        return endpoints


def test_a_suite_that_is_still_starting_is_waited_for(
    tmp_path: Path, other: TextIO, ours: OurSuite
) -> None:
    console = ToldConsole()
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(used, tmp_path, console)
        wait_until(lambda: console.statuses, 10, "the command waits")
        assert not found.done()
        THEIRS.save(tmp_path)
        assert found.result(timeout=10) == THEIRS
    assert console.statuses == ["waiting for the suite that is being started"]
    assert ours.calls == []
    assert not other.closed


def test_where_the_other_gives_up_starting_a_suite_of_our_own_is_started(
    tmp_path: Path, other: TextIO, ours: OurSuite
) -> None:
    console = ToldConsole()
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(used, tmp_path, console)
        wait_until(lambda: console.statuses, 10, "the command waits")
        fcntl.flock(other, fcntl.LOCK_UN)
        assert found.result(timeout=10) == OURS
    assert ours.calls == ["start", "stop"]


def test_waiting_is_bounded_and_names_the_process_waited_for(
    tmp_path: Path, other: TextIO, ours: OurSuite
) -> None:
    with (
        pytest.raises(LocalServerError, match=r"process 4711\) was still starting after 0 s"),
        session.a_suite(tmp_path, 0, Console(file=StringIO()), starting_seconds=0.0),
    ):
        pass
    assert ours.calls == []
    assert not other.closed


def test_a_running_suite_is_used_at_once_and_a_dead_ones_files_prove_nothing(
    tmp_path: Path, other: TextIO, ours: OurSuite
) -> None:
    THEIRS.save(tmp_path)
    assert used(tmp_path, ToldConsole()) == THEIRS
    fcntl.flock(other, fcntl.LOCK_UN)
    assert used(tmp_path, ToldConsole()) == OURS
    assert ours.calls == ["start", "stop"]


def test_a_suite_that_starts_takes_the_word_of_a_killed_one_back(tmp_path: Path) -> None:
    THEIRS.save(tmp_path)
    suite = Suite(tmp_path, postgres_url="postgresql://nobody@127.0.0.1:1/none")
    suite._take_state()
    try:
        assert not (tmp_path / FILE).exists()
        assert not session.is_running(tmp_path)
    finally:
        suite._leave_state()
