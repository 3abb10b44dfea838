"""Round trips: prepared statements sent as they come, answered together, on libpq itself.

psycopg's own pipeline asks the socket at each statement whether it may write or read: three system
calls a statement, each of which gives the interpreter away to whoever wants it. Here a statement is
one write, and all answers of a trip are waited for once: a third of the client's CPU for a batch of
a dozen statements, and a twentieth of the fights for the interpreter. What psycopg knows stays its
own: adapters, errors, the transaction's state, waiting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from typing import Any, cast

import psycopg
from psycopg import pq
from psycopg.abc import PQGen, Transformer
from psycopg.adapt import Transformer as MakeTransformer
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait
from sqlalchemy import Connection

Row = tuple[Any, ...]
Key = tuple[bytes, tuple[int, ...]]
"""A statement and the types of its parameters, as psycopg registers it."""

_OURS = (-1,)
_BINARY, _TEXT = pq.Format.BINARY, pq.Format.TEXT
_INFO_KEY = "huitouke.round_trips"


class Answer:
    """What one statement came to; asking for it before the trip has ended ends the trip."""

    __slots__ = ("_connection", "_result")

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._result: PGresult | None = None

    def rows(self) -> list[Row]:
        """Return the rows, none for a statement that has none."""
        result = self._there()
        if result.status != pq.ExecStatus.TUPLES_OK:
            return []
        return self._connection.load(result)

    @property
    def tag(self) -> str:
        """The command tag, such as "UPDATE 3" or "COMMIT"."""
        return (self._there().command_status or b"").decode()

    def row_count(self) -> int:
        """Return how many rows were read or changed; -1 while the trip is under way."""
        if self._result is None:
            return -1
        return self._result.command_tuples or 0

    def arrive(self, result: PGresult) -> None:
        self._result = result

    def _there(self) -> PGresult:
        if self._result is None:
            self._connection.settle()
        assert self._result is not None, "the trip failed: its error was raised before"
        return self._result


Parameter = str | bytes | None
"""A value's text, its binary form, or NULL."""


def ask(connection: Connection, sql: str, parameters: Sequence[Parameter]) -> Answer:
    """Run a statement whose `%s` take the parameters in order, prepared at its first use.

    Begins the transaction where there is none. Inside `together` it is only sent; outside, it has
    run, and raises psycopg.Error when it failed.
    """
    session = _session(connection)
    answer = session.send(sql, parameters)
    if not session.open:
        session.settle()
    return answer


def commit(connection: Connection) -> Answer:
    """Commit as `ask` would; its tag is ROLLBACK where a failed statement was hidden."""
    session = _session(connection)
    answer = session.send_commit()
    if not session.open:
        session.settle()
    return answer


@contextmanager
def together(connection: Connection) -> Iterator[None]:
    """Make one trip of the block's statements; the first error is raised at its end.

    A block inside a block is part of it.
    """
    session = _session(connection)
    if session.open:
        yield
        return
    session.open = True
    try:
        yield
    except BaseException:
        session.abandon()
        raise
    finally:
        session.open = False
    session.settle()


def settle(connection: Connection) -> None:
    """End the trip under way, so that the driver can be used by itself."""
    session: _Connection | None = connection.info.get(_INFO_KEY)
    if session is not None:
        session.settle()


class _Connection:
    """What a database connection has prepared, and the trip it is on."""

    def __init__(self, driver: psycopg.Connection[Row]) -> None:
        self.open = False
        self._driver = driver
        self._pgconn: PGconn = driver.pgconn
        # psycopg's own register, which it empties when it deallocates all after a rollback.
        self._names = driver._prepared._names  # noqa: SLF001 - see above
        self._numbers = count(1)
        self._loading: Transformer = MakeTransformer(driver)
        self._preparing: dict[Key, bytes] = {}
        self._waiting: list[Answer | None] = []

    def send(self, sql: str, parameters: Sequence[Parameter]) -> Answer:
        if not self._waiting:
            self._depart()
        key = _key(sql)
        name = self._names.get(key) or self._preparing.get(key) or self._prepare(key)
        self._pgconn.send_query_prepared(
            name,
            [each.encode() if isinstance(each, str) else each for each in parameters],
            param_formats=[_BINARY if isinstance(each, bytes) else _TEXT for each in parameters],
            result_format=_BINARY,
        )
        return self._sent()

    def send_commit(self) -> Answer:
        """Unprepared: a transaction that has failed takes no named statement, not even this."""
        if not self._waiting:
            self._depart()
        self._pgconn.send_query_params(b"COMMIT", None)
        return self._sent()

    def settle(self) -> None:
        """Wait for all answers; raises the first error. Afterwards psycopg may go on."""
        if not self._waiting:
            return
        waiting, preparing = self._waiting, self._preparing
        self._waiting, self._preparing = [], {}
        try:
            self._pgconn.pipeline_sync()
            results = self._driver.wait(_results(self._pgconn))
        finally:
            self._arrive()
        for answer, result in zip(waiting, results, strict=False):
            _check(result)
            if answer is not None:
                answer.arrive(result)
        self._names.update(preparing)

    def abandon(self) -> None:
        """End the trip after an error of its caller's, which is the one to be told."""
        try:
            self.settle()
        except psycopg.Error:
            return

    def load(self, result: PGresult) -> list[Row]:
        self._loading.set_pgresult(result)
        return self._loading.load_rows(0, result.ntuples, tuple)

    def _sent(self) -> Answer:
        answer = Answer(self)
        self._waiting.append(answer)
        self._pgconn.flush()  # PostgreSQL begins while the next statement is being written
        return answer

    def _depart(self) -> None:
        """Begin a trip, and the transaction where there is none, as psycopg itself would."""
        idle = self._pgconn.transaction_status == pq.TransactionStatus.IDLE
        self._pgconn.enter_pipeline_mode()
        if idle and not self._driver.autocommit:
            begin = self._driver._get_tx_start_command()  # noqa: SLF001 - there is no public way
            self._pgconn.send_query_params(begin, None)
            self._waiting.append(None)

    def _prepare(self, key: Key) -> bytes:
        name = b"huitouke_%d" % next(self._numbers)
        self._pgconn.send_prepare(name, key[0])
        self._preparing[key] = name
        self._waiting.append(None)
        return name

    def _arrive(self) -> None:
        if self._pgconn.status == pq.ConnStatus.OK:
            self._pgconn.exit_pipeline_mode()


def _session(connection: Connection) -> _Connection:
    info = connection.info
    session = info.get(_INFO_KEY)
    if session is None:
        driver = cast("psycopg.Connection[Row]", connection.connection.driver_connection)
        session = info[_INFO_KEY] = _Connection(driver)
    return cast("_Connection", session)


def _results(pgconn: PGconn) -> PQGen[list[PGresult]]:
    """Collect one result a command until the trip's end, for psycopg's `Connection.wait`."""
    results: list[PGresult] = []
    try:
        while pgconn.flush():
            if (yield Wait.RW) & Ready.R:
                pgconn.consume_input()
        while True:
            while pgconn.is_busy():
                yield Wait.R
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                continue  # the end of one command's results
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                return results
            results.append(result)
    except psycopg.OperationalError:
        # The server's farewell says more than the closed socket after it.
        if any(result.status == pq.ExecStatus.FATAL_ERROR for result in results):
            return results
        raise


def _check(result: PGresult) -> None:
    if result.status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
        return
    raise psycopg.errors.error_from_result(result, encoding="utf-8")


@lru_cache(maxsize=1024)
def _key(sql: str) -> Key:
    """Return the statement with `$1`, `$2` for each `%s`, marked as none of psycopg's own."""
    first, *rest = sql.split("%s")
    numbered = first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))
    return numbered.replace("%%", "%").encode(), _OURS
