"""Key ranges: how a report walks through a table whose size nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
from sqlalchemy import Connection

from chassis.kernel import Category, Refusal
from chassis.storage import sets

RANGE_ROWS: Final = 2_000
"""Keys of a range: for members of 50 postings a statement of some tenths of a second."""
RANGE_TIMEOUT_SECONDS: Final = 60
RANGE_MEMORY_MB: Final = 64
FIRST: Final = UUID(int=0)
LAST: Final = UUID(int=2**128 - 1)

Driver = psycopg.Connection[sets.Row]
Proceed = Callable[[], None]
"""Called before each range; raises to give the report up (a deadline, a signal)."""


class KeyRange(NamedTuple):
    """The keys from `low` to `high`, both included."""

    low: UUID
    high: UUID

    @property
    def parameters(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high}


def go_on() -> None:
    """Never give up."""


def stop_at(deadline_monotonic: float) -> Proceed:
    """Give up when the caller has stopped waiting; a refusal that says so."""

    def check() -> None:
        if monotonic() > deadline_monotonic:
            raise Refusal(
                Category.TOO_LATE,
                "DEADLINE_PASSED",
                "the deadline passed before the whole ledger was looked at; give it more time",
            )

    return check


def begin(connection: Connection) -> Driver:
    """Prepare the snapshot for ranges and return its driver.

    A range is read by its index whatever the statistics say: on a table that was never analysed a
    plan might else scan the whole of it for each range. It fits into memory, and takes one core
    and no more, since the services that go on writing need the others.
    """
    driver = sets.driver(connection)
    driver.execute(f"SET LOCAL statement_timeout = '{RANGE_TIMEOUT_SECONDS:d}s'")
    driver.execute("SET LOCAL enable_seqscan = off")
    driver.execute(f"SET LOCAL work_mem = '{RANGE_MEMORY_MB:d}MB'")
    driver.execute("SET LOCAL max_parallel_workers_per_gather = 0")
    return driver


def member_ranges(driver: Driver, rows: int = RANGE_ROWS) -> Iterator[KeyRange]:
    """Ranges of `rows` members that together hold every possible member id."""
    return key_ranges(driver, "members", "member_id", rows)


def key_ranges(driver: Driver, table: str, key: str, rows: int = RANGE_ROWS) -> Iterator[KeyRange]:
    """Ranges of `rows` rows of `table` by its unique `key`, without a hole between or around.

    So what is keyed like it but has no row in it is in a range, too.
    """
    last_of_range = (
        f"SELECT {key} FROM {table} WHERE {key} >= %(low)s ORDER BY {key} "
        f"OFFSET %(rows)s - 1 LIMIT 1"
    )
    low = FIRST
    while True:
        found = driver.execute(last_of_range, {"low": low, "rows": rows}).fetchone()
        if found is None or found[0] == LAST:
            yield KeyRange(low, LAST)
            return
        yield KeyRange(low, found[0])
        low = UUID(int=found[0].int + 1)
