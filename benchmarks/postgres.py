"""A PostgreSQL server to measure on, and the reference of all that is written to it: pgbench."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from cli.local.ports import LOOPBACK, free_port
from cli.local.postgres import PostgresServer, programs

SCALE, CLIENTS, JOBS = 10, 16, 2


class PgBench:
    """The reference: pgbench on a database of its own."""

    def __init__(self, url: str) -> None:
        self._program = str(programs() / "pgbench")
        self._url = url
        self._run("-i", "-q", "-s", str(SCALE))

    def round(self, seconds: float) -> float:
        """Transactions a second."""
        options = ("-c", str(CLIENTS), "-j", str(JOBS), "-T", str(max(1, round(seconds))))
        found = re.search(r"tps = ([0-9.]+)", self._run(*options))
        assert found is not None
        return float(found[1])

    def _run(self, *options: str) -> str:
        command = [self._program, *options, self._url]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def roomy() -> dict[str, str]:
    """What an operator gives the server of a large ledger (docs/runbooks/size-postgresql.md)."""
    quarter = psutil.virtual_memory().total // 4 // 2**20
    return {"shared_buffers": f"{quarter}MB", "max_wal_size": "32GB"}


@contextmanager
def server(settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """The URL of a server: DATABASE_URL's, or one of our own with other `settings`."""
    if given := os.environ.get("DATABASE_URL"):
        yield given.rsplit("/", 1)[0]
        return
    with tempfile.TemporaryDirectory(prefix="huitouke-benchmark-") as folder:
        place = Path(folder)
        own = PostgresServer(place / "data", free_port(), place / "postgres.log", settings)
        own.start()
        try:
            yield own.url("").rstrip("/")
        finally:
            own.stop()


def server_pid(url: str) -> int | None:
    """The process that all backends are children of; None for a server on another machine."""
    with psycopg.connect(f"{url}/postgres") as connection:
        backend = connection.info.backend_pid
        if connection.info.hostaddr not in ("", LOOPBACK, "::1") or not psutil.pid_exists(backend):
            return None
        parent = psutil.Process(backend).parent()
    return parent.pid if parent else None
