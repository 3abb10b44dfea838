"""Remembered requests of any service's database, and the `work` role that forgets them."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg

from tests.waiting import wait_until


def remember(database_url: str, request_id: str, at: datetime) -> None:
    """A request that was answered at that instant."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO requests (caller, request_id, method, field_macs, outcome, created_at)"
            " VALUES ('gateway', %s, 'm', '', '', %s)",
            (request_id, at),
        )


def remembered(database_url: str) -> list[str]:
    """The request ids that are remembered, in order."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT request_id FROM requests ORDER BY request_id")
        return [row[0] for row in rows.fetchall()]


def remember_an_old_and_a_young_one(database_url: str) -> None:
    """A request past the 30 days that are promised, `old`, and one just within, `young`."""
    now = datetime.now(UTC)
    remember(database_url, "old", now - timedelta(days=30, minutes=1))
    remember(database_url, "young", now - timedelta(days=29, hours=23))


@contextmanager
def two_replicas_at_work(
    program: Sequence[str], settings: Mapping[str, str], *chores: str
) -> Iterator[None]:
    """Two `work` processes, each through the chores named once; asked to stop, both end well."""
    with tempfile.TemporaryDirectory() as folder:
        logs = [Path(folder) / f"{number}.log" for number in range(2)]
        workers = [_worker(program, settings, log) for log in logs]
        try:
            for log in logs:
                wait_until(partial(_has_done, log, chores), 30, "a round is over")
            yield
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
            assert [worker.wait(30) for worker in workers] == [0, 0], logs[0].read_text()
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


def _worker(
    program: Sequence[str], settings: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    with log.open("wb") as written:
        return subprocess.Popen([*program, "work"], env=dict(settings), stderr=written)


def _has_done(log: Path, chores: Sequence[str]) -> bool:
    lines = [line for line in log.read_text().splitlines() if "chore_done" in line]
    return all(any(f'"{chore}"' in line for line in lines) for chore in chores)
