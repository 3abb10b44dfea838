"""One member with 10,000 open lots against the same load spread over many.

    python -m benchmarks.hot_member [--rounds 5] [--seconds 3] [--lots 10000] [--members 5000]

Both send `BatchPost` over TLS, 4 batches of 128 dinners in flight, each redeeming 250 points out of
three lots of 100 and earning. The hot one sends all of them for a single member, who is given new
lots before each round, so that it begins with as many open ones; the other spreads them over
members with 60 lots each. In turns; the medians are compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from uuid import UUID

from benchmarks.batch_posts import BATCH, BATCHES_IN_FLIGHT, COMMANDS_A_SECOND, REDEEMED
from benchmarks.calling import Client
from benchmarks.dinners import batches, check_batches, dinners
from benchmarks.ledger import Ledger, Service, points_service
from benchmarks.postgres import server
from chassis.identifiers import new_id

TARGET, SPREAD_LOTS = 0.7, 60


def rate(
    client: Client,
    service: Service,
    members: Sequence[UUID],
    random: Random,
    seconds: float,
    commands_max: int,
) -> float:
    """Commands a second."""
    count = min(int(seconds * COMMANDS_A_SECOND), commands_max) // BATCH
    requests = batches(dinners(members, random, REDEEMED), count, BATCH)
    target = service.target("BatchPost")
    done = client.send(target, requests, seconds=seconds, in_flight=BATCHES_IN_FLIGHT)
    check_batches(done.answers)
    return done.rate * BATCH


def measure(arguments: argparse.Namespace, url: str, folder: Path) -> None:
    ledger = Ledger(url, f"hot_{os.getpid()}")
    members = [new_id() for _ in range(arguments.members)]
    ledger.fill(members, SPREAD_LOTS)
    hot = [new_id() for _ in range(arguments.rounds)]
    for member in hot:
        ledger.fill([member], arguments.lots)
    ledger.settle()
    payable = arguments.lots * 100 // REDEEMED
    spread_rates, hot_rates, random = [], [], Random(1)
    with points_service(ledger, folder) as service, Client() as client:
        for number, member in enumerate(hot, 1):
            spread = rate(
                client, service, members, random, arguments.seconds, arguments.members * 20
            )
            alone = rate(client, service, [member], random, arguments.seconds, payable)
            spread_rates.append(spread)
            hot_rates.append(alone)
            ledger.drop_events()
            print(f"round {number}: spread {spread:.0f}/s; one member {alone:.0f}/s", flush=True)
    spread, alone = statistics.median(spread_rates), statistics.median(hot_rates)
    print(
        f"one member with {arguments.lots} open lots: {alone:.0f}/s = {alone / spread:.2f} x of "
        f"{spread:.0f}/s over {arguments.members} members with {SPREAD_LOTS} lots "
        f"(target {TARGET:g} x)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="One hot member against spread load.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--lots", type=int, default=10_000)
    parser.add_argument("--members", type=int, default=5_000)
    arguments = parser.parse_args()
    with server() as url, tempfile.TemporaryDirectory(prefix="huitouke-benchmark-") as folder:
        measure(arguments, url, Path(folder))


if __name__ == "__main__":
    main()
