"""Failures of a batch: which pass by themselves, and how long to wait for that."""

from __future__ import annotations

import random
from dataclasses import dataclass

import psycopg
import sqlalchemy.exc
from sqlalchemy import Connection, Engine

from chassis.failpoints import FailpointError
from chassis.storage.sets import driver


class BlamedError(Exception):
    """An unexpected error that arose while one known command of the batch was handled."""

    def __init__(self, index: int, cause: Exception) -> None:
        """Blame the command at `index` of the batch."""
        super().__init__(f"command {index}: {type(cause).__name__}")
        self.index = index
        self.cause = cause


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a batch is run, and the pauses between: doubling, with jitter.

    The defaults wait about 5 seconds in all: as long as PostgreSQL needs to restart.
    """

    attempts_max: int = 12
    first_pause_seconds: float = 0.005
    pause_seconds_max: float = 1.0

    def pause_seconds(self, attempts: int) -> float:
        """Return the pause after `attempts` failed ones, between half and all of its length."""
        longest = min(self.pause_seconds_max, self.first_pause_seconds * 2.0 ** (attempts - 1))
        # Jitter keeps replicas from meeting again; no secret depends on it.
        return longest * random.uniform(0.5, 1.0)  # noqa: S311


def root_cause(error: Exception) -> Exception:
    """Return the driver's or command's own error from what wraps it."""
    if isinstance(error, BlamedError):
        return root_cause(error.cause)
    if isinstance(error, sqlalchemy.exc.DBAPIError) and isinstance(error.orig, Exception):
        return error.orig
    return error


def passes_by_itself(error: Exception) -> bool:
    """True when running the same batch again may succeed.

    Lost connections, restarts and fail-overs, deadlocks, serialization failures, time-outs, an
    exhausted pool, and another replica that has just remembered one of the request ids.
    """
    cause = root_cause(error)
    if isinstance(cause, psycopg.errors.UniqueViolation):
        return cause.diag.constraint_name == "requests_pkey"
    if isinstance(cause, psycopg.OperationalError):
        too_big = (cause.sqlstate or "").startswith("54")  # program_limit_exceeded
        return not too_big
    return isinstance(
        cause,
        psycopg.errors.ReadOnlySqlTransaction
        | psycopg.errors.IdleInTransactionSessionTimeout
        | sqlalchemy.exc.TimeoutError
        | FailpointError,
    )


def without_row(error: Exception) -> Exception:
    """Return `error` with what PostgreSQL tells of the row taken off: logs hold no one's data."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary is not None:
        error.args = (error.diag.message_primary,)
    return error


def give_back(engine: Engine, connection: Connection, error: BaseException) -> bool:
    """Return a connection to its pool after `error`: rolled back, or dropped and True if lost.

    A lost connection takes the pool's idle ones with it, because a restart ended them too. The
    driver itself rolls back: SQLAlchemy has not seen the statements that went past it.
    """
    lost = connection.invalidated or _ends_the_session(error)
    try:
        if not lost:
            driver(connection).rollback()
    except psycopg.Error:  # what mattered is `error`, which the caller raises
        lost = True
    if lost:
        connection.invalidate()
        engine.dispose()
    connection.close()
    return lost


def _ends_the_session(error: BaseException) -> bool:
    """True for the server's farewell, which can come before the socket is seen as closed."""
    cause = root_cause(error) if isinstance(error, Exception) else error
    if not isinstance(cause, psycopg.OperationalError):
        return False
    return cause.sqlstate is None or cause.sqlstate.startswith(("08", "57P"))
