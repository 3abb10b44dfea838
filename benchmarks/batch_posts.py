"""BatchPost over gRPC with everything included, against pgbench; and Post against a bare echo.

    python -m benchmarks.batch_posts [--rounds 5] [--seconds 3] [--members 5000] [--lots 60]

The subject is a points service in a process of its own, called over TLS by one client process:
`BatchPost` with 4 batches of 128 dinners in flight. Earn-only dinners make one lot each; the
others redeem 250 points out of three lots of 100 and earn as well. Included: validation,
fingerprints, idempotency, lots, postings, balances, versions, events in the outbox, answers. The
reference is pgbench's TPC-B-like script (`-c 16 -j 2`, scale 10) on the same server, fsync on.

Unary `Post`, 64 in flight, is held against a bare grpc.aio echo of the same bytes by the same
client. All run in turns; medians are compared, and what each cost in CPU is printed, which a busy
machine can't falsify. DATABASE_URL names a server to measure.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from uuid import UUID

from huitouke.points.v1 import points_service_pb2 as pb

from benchmarks.calling import Client, Target
from benchmarks.dinners import batches, check_batches, check_singles, dinners, singles
from benchmarks.echo import METHOD, echo_server
from benchmarks.ledger import Ledger, Service, points_service
from benchmarks.postgres import CLIENTS, JOBS, SCALE, PgBench, server, server_pid
from benchmarks.spending import spent, table
from chassis.identifiers import new_id
from cli.local.postgres import ensure_database

BATCH, BATCHES_IN_FLIGHT = 128, 4
REDEEMED, LOTS_SPENT = 250, 3
COMMANDS_A_SECOND, CALLS_A_SECOND = 12_000, 6_000
"""More than will be needed: requests are made before a round."""
TARGETS = {"earn-only": (2.5, 4.0), "checkouts": (1.2, 2.0), "unary": (0.3, 0.4)}

Run = Callable[[float], tuple[float, int]]
"""Runs so many seconds; answers a rate and how many were done in all."""


@dataclass(slots=True)
class Contest:
    """Rounds of all that is compared, in turns, and the CPU that each process spent on them."""

    ledger: Ledger
    service: Service
    client: Client
    echo: Target
    pgbench: PgBench
    pids: Mapping[str, int]
    members: Sequence[UUID]
    random: Random
    rates: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, Counter[str]] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)

    def round(self, seconds: float) -> None:
        """One of each."""
        self._measure("pgbench", seconds, self._transactions)
        self._measure("earn-only", seconds, lambda some: self._batches(some, 0))
        self._measure("checkouts", seconds, lambda some: self._batches(some, REDEEMED))
        self._measure("unary", seconds, self._posts)
        self._measure("echo", seconds, self._echoes)
        self.ledger.drop_events()

    def median(self, what: str) -> float:
        return statistics.median(self.rates[what])

    def _measure(self, what: str, seconds: float, run: Run) -> None:
        """Note the rate that `run` answers, and what its work cost every process."""
        before = spent(self.pids)
        rate, count = run(seconds)
        self.rates.setdefault(what, []).append(rate)
        self.cpu.setdefault(what, Counter()).update(spent(self.pids).since(before))
        self.done[what] += count

    def _transactions(self, seconds: float) -> tuple[float, int]:
        rate = self.pgbench.round(seconds)
        return rate, round(rate * seconds)

    def _batches(self, seconds: float, points: int) -> tuple[float, int]:
        count = int(seconds * COMMANDS_A_SECOND) // BATCH + 2 * BATCHES_IN_FLIGHT
        done = self.client.send(
            self.service.target("BatchPost"),
            batches(self._stream(points), count, BATCH),
            seconds=seconds,
            in_flight=BATCHES_IN_FLIGHT,
        )
        check_batches(done.answers)
        return done.rate * BATCH, len(done.answers) * BATCH

    def _posts(self, seconds: float) -> tuple[float, int]:
        requests = singles(self._stream(0), int(seconds * CALLS_A_SECOND))
        done = self.client.send(self.service.target("Post"), requests, seconds=seconds)
        check_singles(done.answers)
        return done.rate, len(done.answers)

    def _echoes(self, seconds: float) -> tuple[float, int]:
        requests = singles(self._stream(0), 1_000) * round(seconds * 12)
        done = self.client.send(self.echo, requests, seconds=seconds)
        return done.rate, len(done.answers)

    def _stream(self, points: int) -> Iterator[pb.PostRequest]:
        return dinners(self.members, self.random, points)


def report(contest: Contest, sizes: str) -> None:
    """Print the ratios of the medians, and what it was measured on."""
    tps, echoes = contest.median("pgbench"), contest.median("echo")
    print(f"pgbench TPC-B-like -c {CLIENTS} -j {JOBS}, scale {SCALE}: {tps:.0f} tps (median)")
    print(f"echo, 64 in flight: {echoes:.0f} calls/s (median)")
    for what, reference, words in (
        ("earn-only", tps, "BatchPost, earn-only"),
        ("checkouts", tps, f"BatchPost, spending from {LOTS_SPENT} lots and earning"),
        ("unary", echoes, "Post, 64 in flight"),
    ):
        target, aim = TARGETS[what]
        rate = contest.median(what)
        print(
            f"{words}: {rate:.0f}/s = {rate / reference:.2f} x (target {target:g} x, aim {aim:g} x)"
        )
    for what, count in contest.done.items():
        print(f"CPU of one of {what}:\n{table(contest.cpu[what], count)}")
    ledger = contest.ledger
    postings, checkouts = (
        ledger.number(f"SELECT count(*) FROM {table}") for table in ("postings", "checkouts")
    )
    size = ledger.number("SELECT pg_total_relation_size('postings')")
    print(
        f"{sizes}; at the end {checkouts} checkouts, {postings} postings of "
        f"{size / postings:.0f} bytes with index; updates HOT: members "
        f"{ledger.hot_share('members'):.1f} %, lots {ledger.hot_share('lots'):.1f} % (those that "
        "exhaust a lot included)"
    )


def measure(arguments: argparse.Namespace, url: str, folder: Path) -> None:
    names = [f"{kind}_{os.getpid()}" for kind in ("ledger", "pgbench")]
    ensure_database(f"{url}/postgres", names[1])
    pgbench, ledger = PgBench(f"{url}/{names[1]}"), Ledger(url, names[0])
    members = [new_id() for _ in range(arguments.members)]
    ledger.fill(members, arguments.lots)
    ledger.settle()
    with (
        points_service(ledger, folder) as service,
        echo_server(service.certificates, folder / "echo.log") as (address, pid),
        Client() as client,
    ):
        postgres = server_pid(url)
        pids = {"points": service.pid, "client": client.pid, "echo": pid}
        pids |= {"PostgreSQL": postgres} if postgres else {}
        authority = (service.certificates / "ca.pem").read_bytes()
        echo = Target(address, METHOD, authority)
        contest = Contest(ledger, service, client, echo, pgbench, pids, members, Random(1))
        for number in range(1, arguments.rounds + 1):
            contest.round(arguments.seconds)
            shown = "; ".join(f"{what} {rates[-1]:.0f}/s" for what, rates in contest.rates.items())
            print(f"round {number}: {shown}", flush=True)
        report(contest, f"{arguments.members} members with {arguments.lots} lots each")


def main() -> None:
    parser = argparse.ArgumentParser(description="BatchPost against pgbench, Post against an echo.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--members", type=int, default=5_000)
    parser.add_argument("--lots", type=int, default=60)
    arguments = parser.parse_args()
    with server() as url, tempfile.TemporaryDirectory(prefix="huitouke-benchmark-") as folder:
        measure(arguments, url, Path(folder))


if __name__ == "__main__":
    main()
