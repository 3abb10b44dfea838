"""How fast the whole ledger is verified and reported, and that the memory for it stays flat.

    python -m benchmarks.verification [--postings 200000]

`huitouke-points verify` runs as an operator starts it, beside an idle ledger of a quarter of the
postings and then of all of them. The reference is one grouped scan of all postings into balances,
with nothing compared: the least that any verification must do. Checkouts as in
benchmarks.executor_postings. DATABASE_URL names a server to measure.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import psycopg
import uvloop
from sqlalchemy import Connection

from benchmarks.executor_postings import KEY, Ledger, Load, checkouts
from benchmarks.postgres import server
from chassis.storage.engine import create_engine
from cli.local.certificates import ensure_certificates
from cli.local.postgres import ensure_database
from services.points.storage.reports.liability import liability
from services.points.storage.reports.trial_balance import trial_balance

REFERENCE = "SELECT member_id, asset, sum(amount) FROM postings GROUP BY member_id, asset"
CHUNK = 5_000
PROGRAM = "from services.points.main import main; main()"


def fill(ledger: Ledger, url: str, postings: int) -> int:
    """Post checkouts until there are so many postings; returns how many there are."""
    stream = checkouts(ledger.members, Random(2), redeem_every=3)
    while (have := ledger.counted()[0]) < postings:
        uvloop.run(Load(ledger.executor, iter(())).send(list(islice(stream, CHUNK))))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return have


def verify(url: str, certificates: Path) -> tuple[float, int]:
    """Seconds and peak bytes of the console role, its start included."""
    environment = {
        "PATH": os.environ["PATH"],
        "HUITOUKE_MODE": "development",
        "HUITOUKE_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "HUITOUKE_POINTS_DATABASE_URL": url,
        "HUITOUKE_POINTS_TLS_CERTIFICATE_FILE": str(certificates / "points.pem"),
        "HUITOUKE_POINTS_TLS_KEY_FILE": str(certificates / "points.key"),
        "HUITOUKE_POINTS_TLS_CA_FILE": str(certificates / "ca.pem"),
        "HUITOUKE_POINTS_REQUEST_KEY": b64encode(KEY).decode(),
    }
    began = time.perf_counter()
    program = [sys.executable, "-c", PROGRAM, "verify"]
    pid = os.posix_spawn(sys.executable, program, environment)
    _, status, usage = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit("the books don't balance")
    return time.perf_counter() - began, usage.ru_maxrss * 1024


def timed(url: str, report: Callable[[Connection], object]) -> float:
    engine = create_engine(url, application_name="benchmark-report")
    began = time.perf_counter()
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        report(connection)
    engine.dispose()
    return time.perf_counter() - began


def scanned(url: str) -> float:
    began = time.perf_counter()
    with psycopg.connect(url) as connection:
        connection.execute(f"SELECT count(*) FROM ({REFERENCE}) AS balances").fetchone()
    return time.perf_counter() - began


def measure(url: str, certificates: Path, postings: int) -> None:
    ledger = Ledger(url, Random(1))
    ledger.open()
    now, zone = datetime.now(UTC), ZoneInfo("Asia/Shanghai")
    for size in (postings // 4, postings):
        have = fill(ledger, url, size)
        reference = scanned(url)
        seconds, peak = verify(url, certificates)
        owed = timed(url, lambda connection: liability(connection, None, zone, now))
        balance = timed(url, lambda connection: trial_balance(connection, None, None, now))
        print(
            f"{have:,} postings: grouped scan {reference:.2f} s; verify {seconds:.1f} s with its "
            f"start, {have / seconds:,.0f} postings/s, peak {peak / 2**20:.0f} MB; "
            f"liability {owed:.1f} s, trial balance {balance:.1f} s",
            flush=True,
        )
    print(re.sub(r", [0-9]+ bytes a checkout.*", "", ledger.size()))
    ledger.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Verifying and reporting the whole ledger.")
    parser.add_argument("--postings", type=int, default=200_000)
    arguments = parser.parse_args()
    with server() as url, tempfile.TemporaryDirectory(prefix="huitouke-benchmark-") as folder:
        name = f"verification_{os.getpid()}"
        ensure_database(f"{url}/postgres", name)
        certificates = Path(folder)
        ensure_certificates(certificates)
        measure(f"{url}/{name}", certificates, arguments.postings)


if __name__ == "__main__":
    main()
