"""The expiry job over very many due lots: lots a second, its memory, and what guests notice.

    python -m benchmarks.expiry_run [--lots 50000] [--calls-per-second 50]    (full: --lots 1000000)

A ledger is filled with members of ten lots each that all are due, and with 2,000 others who are
served meanwhile: `Post`, evenly paced, over TLS, first without the job and then during it. The job
is the `work` role in a process of its own, as in production; its peak memory is the kernel's
account. DATABASE_URL names a server to measure.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import psutil

from benchmarks.calling import Client, Round
from benchmarks.dinners import check_singles, dinners, singles
from benchmarks.ledger import Ledger, Service, environment, points_service, role
from benchmarks.postgres import server
from chassis.identifiers import new_id

LOTS_EACH, SERVED = 10, 2_000
QUIET_SECONDS, CHUNK_SECONDS = 10.0, 2.0
RUN_SECONDS_MAX = 3_600.0
MEMORY_TARGET_MB, P99_TARGET = 300, 2.0
DUE = "SELECT count(*) FROM lots WHERE open AND expires_at < now()"


def serve(client: Client, service: Service, requests: list[bytes], per_second: float) -> Round:
    """Post evenly paced, and check that everything was posted."""
    done = client.send(service.target("Post"), requests, per_second=per_second, in_flight=16)
    check_singles(done.answers)
    return done


def peak_megabytes(pid: int) -> float:
    """The most memory that a process ever had, by the kernel's account (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def percentile(rounds: list[Round], share: float) -> float:
    milliseconds = sorted(each for some in rounds for each in some.milliseconds)
    return milliseconds[min(int(len(milliseconds) * share), len(milliseconds) - 1)]


def measure(arguments: argparse.Namespace, url: str, folder: Path) -> None:
    ledger = Ledger(url, f"expiry_{os.getpid()}")
    idle = [new_id() for _ in range(arguments.lots // LOTS_EACH)]
    served = [new_id() for _ in range(SERVED)]
    ledger.fill(idle, LOTS_EACH, expires_at=datetime(2022, 1, 1, tzinfo=UTC))
    ledger.fill(served, LOTS_EACH)
    ledger.settle()
    lots = len(idle) * LOTS_EACH
    stream = dinners(served, Random(1), 0)
    rate = arguments.calls_per_second
    with points_service(ledger, folder) as service, Client() as client:
        quiet = [serve(client, service, singles(stream, int(QUIET_SECONDS * rate)), rate)]
        settings = environment(ledger.url, service.certificates, EXPIRY_INTERVAL_SECONDS="3600")
        began, seen, memory = time.perf_counter(), lots, []
        job = role("work", folder, settings)
        busy: list[Round] = []
        while seen:
            busy.append(serve(client, service, singles(stream, int(CHUNK_SECONDS * rate)), rate))
            seen = ledger.number(DUE)
            memory.append((lots - seen, psutil.Process(job.pid).memory_info().rss / 2**20))
            assert time.perf_counter() - began < RUN_SECONDS_MAX, "the job does not come to an end"
        took = time.perf_counter() - began
        peak = peak_megabytes(job.pid)
        job.stop()
    quarters = [memory[len(memory) * at // 4][1] for at in range(4)] + [memory[-1][1]]
    calm, during = percentile(quiet, 0.99), percentile(busy, 0.99)
    print(f"{lots} lots of {len(idle)} members expired in {took:.1f} s: {lots / took:.0f} lots/s")
    print(
        f"memory of the job: peak {peak:.0f} MB (target below {MEMORY_TARGET_MB} MB); by quarters "
        f"of the run {', '.join(f'{each:.0f}' for each in quarters)} MB"
    )
    print(
        f"Post at {rate:g}/s: p50 {percentile(quiet, 0.5):.1f} ms, p99 {calm:.1f} ms without the "
        f"job; p50 {percentile(busy, 0.5):.1f} ms, p99 {during:.1f} ms during it: "
        f"{during / calm:.2f} x (target at most {P99_TARGET:g} x)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Expiry of many lots while guests are served.")
    parser.add_argument("--lots", type=int, default=50_000)
    parser.add_argument("--calls-per-second", type=float, default=50)
    arguments = parser.parse_args()
    with server() as url, tempfile.TemporaryDirectory(prefix="huitouke-benchmark-") as folder:
        measure(arguments, url, Path(folder))


if __name__ == "__main__":
    main()
