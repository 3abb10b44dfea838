"""Postings a second through the points repository, against pgbench on the same server.

    python -m benchmarks.executor_postings [--rounds 5] [--seconds 5]

The reference is pgbench's TPC-B-like script, scale 10, `-c 16 -j 2`: five statements a transaction.
The subject is the whole write path from a validated request message to its answer: command,
fingerprint, executor, domain, repository, outbox, commit; 256 commands are always in flight. Both
run in turns on one server with fsync on, each on its own database; the medians are compared.

Checkouts: every third redeems 100 points for part of a dinner, all earn; half of the guests have a
tier, whose multiplier is a posting of its own. Outbox rows are deleted between rounds, as the relay
would. DATABASE_URL names a server to measure; without it one is started in a temporary folder.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from uuid import UUID

import psycopg
import uvloop
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1 import purchase_pb2
from huitouke.type.v1 import merchant_category_pb2, place_pb2

from benchmarks.postgres import CLIENTS, JOBS, SCALE, PgBench, server
from chassis.clock import SystemClock
from chassis.identifiers import new_id
from chassis.storage.engine import create_engine
from chassis.storage.executor import Submission
from chassis.storage.migrations import migrate
from chassis.storage.requests import fingerprint
from cli.local.postgres import ensure_database
from services.points.converters.requests import to_command
from services.points.domain.commands import Command
from services.points.main import MIGRATIONS, WRITERS, LedgerExecutor, ledger_executor

MEMBERS, IN_FLIGHT = 10_000, 256
OPENING_MINOR, DINNER_MINOR, REDEEMED = 10_000_000, 30_000, 100
TIERS = ("CLASSIC", "CLASSIC", "CLASSIC", "SILVER", "GOLD", "PLATINUM")
KEY = b"benchmark-request-key-of-32-bytes"
TARGET, AIM = 2.0, 3.0


@dataclass(frozen=True, slots=True)
class Rate:
    """What one round of the ledger came to, a second."""

    commands: float
    postings: float
    commands_a_batch: float


@dataclass(slots=True)
class Load:
    """256 callers that send one checkout after the other until the time is up."""

    executor: LedgerExecutor
    requests: Iterator[pb.PostRequest]
    postings: int = 0
    commands: int = 0

    async def run(self, seconds: float) -> float:
        """Returns how long it took, the last answers included."""
        began = time.perf_counter()
        until = began + seconds
        await asyncio.gather(*(self._call_until(until) for _ in range(IN_FLIGHT)))
        return time.perf_counter() - began

    async def send(self, requests: list[pb.PostRequest]) -> None:
        """Run all of `requests`, 256 at once."""
        for at in range(0, len(requests), IN_FLIGHT):
            chunk = requests[at : at + IN_FLIGHT]
            await self.executor.execute_many([submission(request) for request in chunk])

    async def _call_until(self, until: float) -> None:
        while time.perf_counter() < until:
            request = next(self.requests)
            done = await self.executor.execute(submission(request))
            assert isinstance(done.answer, pb.PostResponse)
            self.commands += 1


def submission(request: pb.PostRequest) -> Submission[Command]:
    """What the servicer does with a validated request."""
    return Submission(to_command(request), "gateway", request.request_id, fingerprint(request, KEY))


def checkouts(
    members: list[UUID], random: Random, *, redeem_every: int
) -> Iterator[pb.PostRequest]:
    """Checkouts of random members without end."""
    place = place_pb2.Place(
        merchant_id=str(new_id()),
        outlet_id=str(new_id()),
        terminal_id=str(new_id()),
        property_code="SHA01",
        time_zone="Asia/Shanghai",
    )
    for number in count():
        at = random.randrange(len(members))
        points = REDEEMED if redeem_every and number % redeem_every == 0 else 0
        yield checkout(
            members[at], place, TIERS[at % len(TIERS)], DINNER_MINOR + number % 997, points
        )


def checkout(
    member: UUID, place: place_pb2.Place, tier: str, amount: int, points: int
) -> pb.PostRequest:
    """One dinner."""
    request = pb.PostRequest(
        request_id=new_id().hex,
        checkout_id=str(new_id()),
        purchase=purchase_pb2.Purchase(
            member_id=str(member),
            place=place,
            currency="CNY",
            member=purchase_pb2.MemberFacts(tier=tier),
            lines=[
                purchase_pb2.Line(
                    category=merchant_category_pb2.MERCHANT_CATEGORY_DINING, amount_minor=amount
                )
            ],
            redeem_points=points,
        ),
    )
    request.purchase.occurred_at.GetCurrentTime()
    return request


class Ledger:
    """A migrated ledger with members who have points."""

    def __init__(self, url: str, random: Random) -> None:
        self._url = url
        self._random = random
        engine = create_engine(url, application_name="benchmark-migrate")
        migrate(engine, MIGRATIONS)
        engine.dispose()
        self._engine = create_engine(
            url, application_name="benchmark", pool_size=WRITERS + 1, index_plans=True
        )
        self.executor = ledger_executor(self._engine, SystemClock())
        self.members = [new_id() for _ in range(MEMBERS)]
        self._requests: dict[int, list[pb.PostRequest]] = {}

    def open(self) -> None:
        """Start the executor and give every member an opening lot."""
        self.executor.start()
        place = next(checkouts(self.members, self._random, redeem_every=0)).purchase.place
        opening = [checkout(each, place, "CLASSIC", OPENING_MINOR, 0) for each in self.members]
        uvloop.run(Load(self.executor, iter(())).send(opening))

    def round(self, seconds: float, redeem_every: int) -> Rate:
        """Run the load for `seconds`; requests are made beforehand."""
        stream = checkouts(self.members, self._random, redeem_every=redeem_every)
        ready = [next(stream) for _ in range(int(seconds * 20_000))]
        before = self.counted()
        load = Load(self.executor, iter(ready))
        took = uvloop.run(load.run(seconds))
        postings, batches = (new - old for new, old in zip(self.counted(), before, strict=True))
        return Rate(load.commands / took, postings / took, load.commands / max(batches, 1))

    def counted(self) -> tuple[int, int]:
        """Postings in the journal, and instants at which batches were posted."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT count(*), count(DISTINCT posted_at) FROM postings"
            ).fetchone()
            connection.execute("TRUNCATE outbox")
        assert row is not None
        return row[0], row[1]

    def size(self) -> str:
        """Rows and bytes, for the note."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM postings), (SELECT count(*) FROM checkouts), "
                "pg_total_relation_size('postings'), pg_database_size(current_database()), "
                "(SELECT round(100.0 * n_tup_hot_upd / greatest(n_tup_upd, 1), 1) "
                " FROM pg_stat_user_tables WHERE relname = 'members')"
            ).fetchone()
        assert row is not None
        return (
            f"{MEMBERS} members, {row[1]} checkouts, {row[0]} postings of "
            f"{row[2] / row[0]:.0f} bytes with index, "
            f"{row[3] / row[1]:.0f} bytes a checkout in all, "
            f"{row[4]} % of member updates HOT"
        )

    def close(self) -> None:
        self.executor.stop()
        self._engine.dispose()


def measure(url: str, rounds: int, seconds: float) -> None:
    """Run both in turns and print the medians and their ratio."""
    names = [f"{kind}_{os.getpid()}" for kind in ("ledger", "pgbench")]
    for name in names:
        ensure_database(f"{url}/postgres", name)
    ledger, pgbench = Ledger(f"{url}/{names[0]}", Random(1)), PgBench(f"{url}/{names[1]}")
    ledger.open()
    reference, mixed, earning = [], [], []
    for number in range(1, rounds + 1):
        reference.append(pgbench.round(seconds))
        mixed.append(ledger.round(seconds, redeem_every=3))
        earning.append(ledger.round(seconds, redeem_every=0))
        print(
            f"round {number}: pgbench {reference[-1]:.0f} tps; "
            f"checkouts {mixed[-1].commands:.0f}/s, "
            f"{mixed[-1].postings:.0f} postings/s, {mixed[-1].commands_a_batch:.0f} a batch; "
            f"earn-only {earning[-1].commands:.0f}/s, {earning[-1].postings:.0f} postings/s",
            flush=True,
        )
    tps = statistics.median(reference)
    print(f"pgbench TPC-B-like -c {CLIENTS} -j {JOBS}, scale {SCALE}: {tps:.0f} tps (median)")
    for what, rates in (("checkouts, every third redeems", mixed), ("earn-only", earning)):
        postings = statistics.median(rate.postings for rate in rates)
        commands = statistics.median(rate.commands for rate in rates)
        print(
            f"{what}: {postings:.0f} postings/s = {postings / tps:.2f} x pgbench "
            f"(target {TARGET:g} x, aim {AIM:g} x); {commands:.0f} commands/s = "
            f"{commands / tps:.2f} x"
        )
    print(ledger.size())
    ledger.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Postings a second against pgbench.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    arguments = parser.parse_args()
    with server() as url:
        measure(url, arguments.rounds, arguments.seconds)


if __name__ == "__main__":
    main()
