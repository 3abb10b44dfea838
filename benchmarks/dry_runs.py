"""How fast recorded purchases earn again in a dry run: from member to member, and by time.

    python -m benchmarks.dry_runs [--checkouts 60000]

The programme tried is the one in force with a cap per member and day on every rule; by time it has
total budgets as well, of which a tenth of all purchases get something. Both run as the service runs
them, in one snapshot, without the stream to the caller. The reference is the history read by the
same statement, with nothing earned. DATABASE_URL names a server to measure.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Event

from sqlalchemy import Engine

from benchmarks.executor_postings import Ledger
from benchmarks.postgres import server
from benchmarks.verification import fill
from chassis.storage.engine import create_engine
from chassis.storage.reads import SNAPSHOT
from cli.local.postgres import ensure_database
from services.points.domain.programme import Programme, Programmes
from services.points.domain.rules import Caps
from services.points.storage import history, trials
from services.points.storage.programmes import read_newer

POINTS_A_CHECKOUT = 300
SHARE_WITH_BUDGET = 10


def trial_of(programme: Programme, budget_points: int) -> history.Trial:
    """All purchases by `programme`, each rule of it capped and, if said so, within a budget."""
    rules = tuple(
        replace(rule, caps=Caps(per_member_day=5_000), budget_points=budget_points)
        for rule in programme.earning_rules
    )
    now = datetime.now(UTC)
    return history.Trial(
        replace(programme, earning_rules=rules),
        now - timedelta(days=1),
        now + timedelta(days=1),
        history.FIRST_MEMBER,
        history.LAST_MEMBER,
        1_000_000,
    )


def tried(engine: Engine, trial: history.Trial) -> tuple[int, float]:
    """How many purchases were tried, and the seconds it took."""
    found: list[trials.Progress] = []
    with engine.connect().execution_options(**SNAPSHOT) as connection:
        began = time.perf_counter()
        trials.run(connection, trial, found.append, Event())
        seconds = time.perf_counter() - began
    assert found[-1].complete
    return found[-1].tally.checkouts, seconds


def measure(url: str, wanted: int) -> None:
    ledger = Ledger(url, Random(1))
    ledger.open()
    fill(ledger, url, wanted)
    engine = create_engine(url, application_name="benchmark-dry-run", pool_size=1)
    programmes = Programmes()
    with engine.connect().execution_options(**SNAPSHOT) as connection:
        read_newer(connection, programmes)
        programme = programmes.valid_at(datetime.now(UTC))
        began = time.perf_counter()
        read = sum(1 for _ in history.by_time(connection, trial_of(programme, 0)))
        reference = read / (time.perf_counter() - began)
    print(f"{read:,} checkouts read and decoded: {reference:,.0f}/s", flush=True)
    budget = read * POINTS_A_CHECKOUT // SHARE_WITH_BUDGET
    for name, points in (("from member to member, capped", 0), ("by time, budgets too", budget)):
        checkouts, seconds = tried(engine, trial_of(programme, points))
        rate = checkouts / seconds
        print(
            f"{name}: {checkouts:,} checkouts in {seconds:.1f} s, {rate:,.0f}/s = "
            f"{rate / reference:.2f} x of reading them; a million in {1e6 / rate / 60:.1f} minutes",
            flush=True,
        )
    engine.dispose()
    ledger.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Dry runs over recorded history.")
    parser.add_argument("--checkouts", type=int, default=60_000)
    arguments = parser.parse_args()
    with server() as url:
        name = f"dry_runs_{os.getpid()}"
        ensure_database(f"{url}/postgres", name)
        measure(f"{url}/{name}", arguments.checkouts)


if __name__ == "__main__":
    main()
