"""A large ledger against a small one: throughput, bytes a posting, and the share of HOT updates.

    python -m benchmarks.large_ledger [--members 100000] [--rounds 5] [--seconds 3]
                                                                       (full: --members 1000000)

The large ledger has ten lots and ten postings a member, the small one 10,000 members and as many of
each; both are filled by SQL, vacuumed and served by a process of their own on one server. The load
is `BatchPost` over TLS, 4 batches of 128 dinners of random members in flight, each redeeming 250
points out of three lots and earning. In turns; the medians are compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from random import Random
from uuid import UUID

from benchmarks.calling import Client
from benchmarks.hot_member import rate
from benchmarks.ledger import Ledger, Service, points_service
from benchmarks.postgres import server
from chassis.identifiers import new_id

LOTS_EACH, SMALL_MEMBERS = 10, 10_000
TARGET, HOT_TARGET = 0.9, 95.0
CHECKOUTS_EACH = 3
"""What 1,000 points pay, on average over random members."""


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


def measure(arguments: argparse.Namespace, url: str, folder: Path) -> None:
    few = [new_id() for _ in range(SMALL_MEMBERS)]
    many = [new_id() for _ in range(arguments.members)]
    small, large = filled(url, "small", few), filled(url, "large", many)
    random = Random(1)
    rates: dict[str, list[float]] = {"small": [], "large": []}
    (folder / "small").mkdir()
    (folder / "large").mkdir()
    with (
        points_service(small, folder / "small") as one,
        points_service(large, folder / "large") as other,
        Client() as client,
    ):
        for number in range(1, arguments.rounds + 1):
            contestants: list[tuple[str, Service, list[UUID]]] = [
                ("small", one, few),
                ("large", other, many),
            ]
            for name, service, members in contestants:
                most = len(members) * CHECKOUTS_EACH // arguments.rounds
                rates[name].append(rate(client, service, members, random, arguments.seconds, most))
            small.drop_events()
            large.drop_events()
            shown = "; ".join(f"{name} {each[-1]:.0f}/s" for name, each in rates.items())
            print(f"round {number}: {shown}", flush=True)
    slow, quick = statistics.median(rates["large"]), statistics.median(rates["small"])
    print(
        f"{arguments.members * LOTS_EACH} postings and {arguments.members} members: {slow:.0f}/s = "
        f"{slow / quick:.2f} x of {quick:.0f}/s with {SMALL_MEMBERS * LOTS_EACH} postings "
        f"(target {TARGET:g} x)"
    )
    report_bytes(large)


def main() -> None:
    parser = argparse.ArgumentParser(description="A large ledger against a small one.")
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    arguments = parser.parse_args()
    with server() as url, tempfile.TemporaryDirectory(prefix="huitouke-benchmark-") as folder:
        measure(arguments, url, Path(folder))


if __name__ == "__main__":
    main()
