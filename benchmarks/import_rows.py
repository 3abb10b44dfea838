"""Opening balances streamed in: rows a second against pgbench, CPU by process, peak memory.

    python -m benchmarks.import_rows [--rounds 3] [--rows 20000]

The subject is `huitouke import`'s own sender: streams of 10,240 rows over TLS to a points service
in a process of its own, each row a member's first lot. The reference is pgbench's TPC-B-like script
on the same server, in turns; the medians are compared. DATABASE_URL names a server to measure.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
from huitouke.points.v1 import entry_pb2, import_pb2

from benchmarks.expiry_run import peak_megabytes
from benchmarks.ledger import Ledger, points_service
from benchmarks.postgres import PgBench, server, server_pid
from benchmarks.spending import spent, table
from chassis.identifiers import new_id
from cli.importing.rows import Readable
from cli.importing.sending import Importer, importer_over
from cli.local.postgres import ensure_database

REFERENCE_SECONDS = 3.0


def rows(count: int) -> Iterator[Readable]:
    """Rows of as many members."""
    for line in range(1, count + 1):
        balance = import_pb2.OpeningBalance(
            line=line,
            reference=f"OLD-{line}",
            member_id=str(new_id()),
            asset=entry_pb2.ASSET_POINTS,
            amount=100 + line,
        )
        balance.earned_at.FromJsonString("2024-05-01T00:00:00Z")
        balance.expires_at.FromJsonString("2099-05-01T00:00:00Z")
        yield Readable(line, balance)


def imported(importer: Importer, count: int) -> float:
    """Import rows of a new import; returns how many a second, making them included."""
    began = time.perf_counter()
    tally = importer.send(rows(count), lambda _: None)
    assert tally.imported == count
    return count / (time.perf_counter() - began)


def measure(arguments: argparse.Namespace, url: str, folder: Path) -> None:
    names = [f"{kind}_{os.getpid()}" for kind in ("imports", "pgbench")]
    ensure_database(f"{url}/postgres", names[1])
    pgbench, ledger = PgBench(f"{url}/{names[1]}"), Ledger(url, names[0])
    reference, rates, used = [], [], Counter[str]()
    with points_service(ledger, folder) as service:
        files = [service.certificates / name for name in ("ca.pem", "operator.key", "operator.pem")]
        credentials = grpc.ssl_channel_credentials(*(file.read_bytes() for file in files))
        postgres = server_pid(url)
        pids = {"points": service.pid, "sender": os.getpid()}
        pids |= {"PostgreSQL": postgres} if postgres else {}
        with grpc.secure_channel(service.address, credentials) as channel:
            for number in range(1, arguments.rounds + 1):
                reference.append(pgbench.round(REFERENCE_SECONDS))
                before = spent(pids)
                rates.append(imported(importer_over(channel, str(new_id())), arguments.rows))
                used.update(spent(pids).since(before))
                ledger.drop_events()
                print(f"round {number}: pgbench {reference[-1]:.0f} tps; {rates[-1]:.0f} rows/s")
        peak = peak_megabytes(service.pid)
    rate, tps = statistics.median(rates), statistics.median(reference)
    print(f"{arguments.rows} rows a round: {rate:.0f}/s = {rate / tps:.2f} x pgbench's {tps:.0f}")
    print(f"CPU of a row:\n{table(used, arguments.rows * arguments.rounds)}")
    print(f"peak memory of the service: {peak:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description="Imported rows a second against pgbench.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=20_000)
    arguments = parser.parse_args()
    with server() as url, tempfile.TemporaryDirectory(prefix="huitouke-benchmark-") as folder:
        measure(arguments, url, Path(folder))


if __name__ == "__main__":
    main()
