"""Housekeeping: rows that are kept only for a time are deleted after it, in small transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from chassis.clock import Clock
from chassis.telemetry import metrics
from chassis.telemetry.logs import get_logger

DELETED: Final = metrics.counter(
    "huitouke_housekeeping_rows_total",
    "Rows deleted because the time for which they are kept was over, by what they were.",
    ("chore",),
)
BATCH_ROWS: Final = 5_000
"""Rows a transaction deletes: some 50 ms, so that nobody waits for its locks."""
BATCHES_MAX: Final = 1_000
"""Batches of one round; a backlog of more than 5,000,000 rows goes on in the next."""
_log = get_logger("housekeeping")


Purge = Callable[[Connection, datetime, int], int]
"""`purge(connection, before, limit)` deletes at most `limit` rows from before an instant and
returns how many. It skips rows another replica is deleting (SKIP LOCKED), so that none waits."""


@dataclass(frozen=True, slots=True)
class Chore:
    """Rows of one kind, how long they are kept, and the statement that deletes them."""

    name: str
    kept: timedelta
    purge: Purge


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Does its chores now and every `interval_seconds`; in any number of replicas at once.

    Safe to stop or kill anywhere: each batch is a transaction of its own, and nothing is
    remembered of a round. An outage of the database is logged, and the next round does it.
    """

    engine: Engine
    clock: Clock
    chores: Sequence[Chore]
    interval_seconds: float
    batch_rows: int = BATCH_ROWS
    batches_max: int = BATCHES_MAX

    async def run_until(self, stop: asyncio.Future[None]) -> None:
        """Work until `stop` is done or this is cancelled; a batch that runs is finished."""
        while not stop.done():
            for chore in self.chores:
                try:
                    await self._do(chore, stop)
                except (SQLAlchemyError, psycopg.Error) as error:
                    _log.warning("chore_postponed", chore=chore.name, cause=type(error).__name__)
            await asyncio.wait({stop}, timeout=self.interval_seconds)

    async def _do(self, chore: Chore, stop: asyncio.Future[None]) -> None:
        deleted = 0
        for _ in range(self.batches_max):
            gone = await asyncio.to_thread(self.batch, chore)
            deleted += gone
            if gone < self.batch_rows or stop.done():
                break
        _log.info("chore_done", chore=chore.name, rows=deleted)

    def batch(self, chore: Chore) -> int:
        """Delete one batch of a chore in its own transaction. Blocks."""
        before = self.clock.now() - chore.kept
        with self.engine.begin() as connection:
            gone = chore.purge(connection, before, self.batch_rows)
        DELETED.prometheus.labels(chore.name).inc(gone)
        return gone
