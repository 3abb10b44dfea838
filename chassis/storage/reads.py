"""Reads: blocking queries in a bounded thread pool, one statement or one snapshot each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg
import sqlalchemy.exc
from sqlalchemy import Connection, Engine

from chassis.kernel.refusals import Category, Refusal
from chassis.storage.failures import give_back, passes_by_itself, root_cause

P = ParamSpec("P")
T = TypeVar("T")

RETRY_AFTER_SECONDS = 0.2
ATTEMPTS_MAX = 2
"""A read that lost its connection is safe to repeat; the second one gets a fresh connection."""

STATEMENT: Mapping[str, Any] = {"isolation_level": "AUTOCOMMIT"}
SNAPSHOT: Mapping[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


class Reads:
    """Runs `fn(connection, *args)` off the event loop; nothing it reads is locked or decided on.

    Uses `threads` connections of `engine` at most; `queue_limit` counts running and waiting reads.
    """

    def __init__(self, engine: Engine, *, threads: int = 4, queue_limit: int = 1024) -> None:
        self._engine = engine
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reads")
        self._places = threading.BoundedSemaphore(queue_limit)

    async def run(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run one statement; raises Refusal EXHAUSTED or UNAVAILABLE, or what `fn` raises."""
        return await self._submit(
            lambda: self._answer(lambda connection: fn(connection, *args, **kwargs), STATEMENT)
        )

    async def run_snapshot(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run several statements in one REPEATABLE READ read-only transaction."""
        return await self._submit(
            lambda: self._answer(lambda connection: fn(connection, *args, **kwargs), SNAPSHOT)
        )

    def close(self) -> None:
        """Wait for what runs and end the threads. Blocks."""
        self._pool.shutdown(wait=True)

    async def _submit(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise Refusal(
                Category.EXHAUSTED,
                "OVERLOADED",
                "too many reads are waiting; try again later",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def _answer(self, fn: Callable[[Connection], T], options: Mapping[str, Any]) -> T:
        attempts = 0
        while True:
            attempts += 1
            connection = self._connect()
            try:
                answer = fn(connection.execution_options(**options))
            except Exception as error:
                lost = give_back(self._engine, connection, error)
                if lost and attempts < ATTEMPTS_MAX:
                    continue
                wrote = isinstance(root_cause(error), psycopg.errors.ReadOnlySqlTransaction)
                if passes_by_itself(error) and not wrote:
                    raise _unavailable() from error
                raise
            connection.close()
            return answer

    def _connect(self) -> Connection:
        try:
            return self._engine.connect()
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise _unavailable() from error


def _unavailable() -> Refusal:
    return Refusal(
        Category.UNAVAILABLE,
        "UNAVAILABLE",
        "the database cannot answer now; try again",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )
