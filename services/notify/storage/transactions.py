"""Transactions of the sender, off its event loop."""

import asyncio
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine

from chassis.storage.failures import give_back

P = ParamSpec("P")
T = TypeVar("T")


class Transactions:
    """Runs `fn(connection, *args)` in a transaction of its own in a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def run(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `fn` returns, committed; raises what it raises, rolled back."""
        return await asyncio.to_thread(
            self._run, lambda connection: fn(connection, *args, **kwargs)
        )

    def _run(self, fn: Callable[[Connection], T]) -> T:
        connection = self._engine.connect()
        try:
            with connection.begin():
                answer = fn(connection)
        except BaseException as error:
            give_back(self._engine, connection, error)
            raise
        connection.close()
        return answer
