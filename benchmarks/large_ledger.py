"""A large ledger against a small one: throughput, bytes a posting, and the share of HOT updates.

    python -m benchmarks.large_ledger [--members 100000] [--rounds 5] [--seconds 3]
                                                                       (full: --members 1000000)

The large ledger has ten lots and ten postings a member, the small one 10,000 members and as many of
each; both are filled by SQL, vacuumed and served by a process of their own on one server. The load
is `BatchPost` over TLS, 4 batches of 128 dinners of random members in flight, each redeeming 250
points out of three lots and earning. In turns; the medians are compared.

The server has room as an operator gives it: a quarter of the memory as shared buffers, and enough
WAL for checkpoints to come by time. After a checkpoint the first change of each page writes it to
the WAL whole, and commands of random members meet five such pages each; so both ledgers are
measured just after one, and again after a warm-up, as between checkpoints.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from uuid import UUID

from benchmarks.batch_posts import COMMANDS_A_SECOND
from benchmarks.calling import Client
from benchmarks.hot_member import rate
from benchmarks.ledger import Ledger, Service, points_service
from benchmarks.postgres import roomy, server
from chassis.identifiers import new_id

SMALL, LARGE = "small", "large"
LOTS_EACH, SMALL_MEMBERS = 10, 10_000
TARGET, HOT_TARGET = 0.9, 95.0
COLD_ROUNDS = 2
WARM_UP_CHUNK = 20_000
"""Commands that are made and sent at once."""


def filled(url: str, name: str, members: list[UUID]) -> Ledger:
    began = time.perf_counter()
    ledger = Ledger(url, f"{name}_{os.getpid()}")
    ledger.fill(members, LOTS_EACH)
    ledger.settle()
    print(
        f"{name}: {len(members)} members, {len(members) * LOTS_EACH} postings, filled in "
        f"{time.perf_counter() - began:.0f} s",
        flush=True,
    )
    return ledger


def report_bytes(ledger: Ledger) -> None:
    """Print what a posting and a lot take, and how updates went."""
    postings, lots = (
        ledger.number(f"SELECT pg_total_relation_size('{name}') / count(*) FROM {name}")
        for name in ("postings", "lots")
    )
    open_updates = ledger.number(
        "SELECT round(1000.0 * n_tup_hot_upd / greatest(1, n_tup_upd - (SELECT count(*) FROM lots "
        "WHERE NOT open))) FROM pg_stat_user_tables WHERE relname = 'lots'"
    )
    print(f"{postings} bytes a posting and {lots} bytes a lot, indexes included")
    print(
        f"updates HOT: members {ledger.hot_share('members'):.1f} %, lots that are not exhausted "
        f"{open_updates / 10:.1f} % (target {HOT_TARGET:g} %)"
    )


@dataclass(slots=True)
class Contest:
    """Rounds of both ledgers in turns, and what each command of a round wrote besides."""

    ledgers: dict[str, Ledger]
    services: dict[str, Service]
    members: dict[str, list[UUID]]
    client: Client
    random: Random
    rates: dict[str, list[float]] = field(default_factory=lambda: {SMALL: [], LARGE: []})

    def rounds(self, number: int, seconds: float) -> tuple[float, float]:
        """So many of each; answers the medians of the small and the large one."""
        self.rates = {SMALL: [], LARGE: []}
        for at in range(1, number + 1):
            shown = [self._round(name, seconds) for name in (SMALL, LARGE)]
            print(f"round {at}: {'; '.join(shown)}", flush=True)
        return statistics.median(self.rates[SMALL]), statistics.median(self.rates[LARGE])

    def warm_up(self, commands: int) -> None:
        """Send commands to the large ledger, unmeasured, as a checkpoint's cycle would bring."""
        began = time.perf_counter()
        for done in range(0, commands, WARM_UP_CHUNK):
            chunk = min(WARM_UP_CHUNK, commands - done)
            self._rate(LARGE, float(chunk), chunk)
            self.ledgers[LARGE].drop_events()
        print(f"{commands} commands of warm-up in {time.perf_counter() - began:.0f} s", flush=True)

    def _round(self, name: str, seconds: float) -> str:
        ledger = self.ledgers[name]
        images = ledger.number("SELECT wal_fpi FROM pg_stat_wal")
        rate = self._rate(name, seconds, int(seconds * COMMANDS_A_SECOND))
        images = ledger.number("SELECT wal_fpi FROM pg_stat_wal") - images
        self.rates[name].append(rate)
        ledger.drop_events()
        return f"{name} {rate:.0f}/s, {images / (rate * seconds):.1f} pages a command to the WAL"

    def _rate(self, name: str, seconds: float, most: int) -> float:
        members = self.members[name]
        return rate(self.client, self.services[name], members, self.random, seconds, most)


def measure(arguments: argparse.Namespace, url: str, folder: Path) -> None:
    members = {
        SMALL: [new_id() for _ in range(SMALL_MEMBERS)],
        LARGE: [new_id() for _ in range(arguments.members)],
    }
    ledgers = {name: filled(url, name, some) for name, some in members.items()}
    with ExitStack() as stack:
        services = {}
        for name, ledger in ledgers.items():
            (folder / name).mkdir()
            services[name] = stack.enter_context(points_service(ledger, folder / name))
        client = stack.enter_context(Client())
        contest = Contest(ledgers, services, members, client, Random(1))
        cold = contest.rounds(COLD_ROUNDS, arguments.seconds)
        contest.warm_up(arguments.warm_up or arguments.members // 4)
        warm = contest.rounds(arguments.rounds, arguments.seconds)
    size = f"{arguments.members * LOTS_EACH} postings and {arguments.members} members"
    for words, (quick, slow) in (("just after a checkpoint", cold), ("between checkpoints", warm)):
        print(
            f"{size}, {words}: {slow:.0f}/s = {slow / quick:.2f} x of {quick:.0f}/s with "
            f"{SMALL_MEMBERS * LOTS_EACH} postings (target {TARGET:g} x)"
        )
    report_bytes(ledgers[LARGE])


def main() -> None:
    parser = argparse.ArgumentParser(description="A large ledger against a small one.")
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--warm-up", type=int, default=0, help="commands")
    arguments = parser.parse_args()
    with (
        server(roomy()) as url,
        tempfile.TemporaryDirectory(prefix="huitouke-benchmark-") as folder,
    ):
        measure(arguments, url, Path(folder))


if __name__ == "__main__":
    main()
