"""Migrations: a service's numbered Alembic scripts, run by one process at a time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from chassis.storage.tables import create_chassis_tables

__all__ = ["create_chassis_tables", "migrate"]

LOCK_NAMESPACE = 0x48_75_69  # distinguishes the suite's advisory locks from an operator's own


def migrate(
    engine: Engine,
    package: str,
    *,
    lock_timeout_seconds: float = 5.0,
    statement_timeout_seconds: float = 300.0,
    wait_seconds: float = 120.0,
) -> list[str]:
    """Upgrade to the newest of `package`'s versions; returns the revisions it ran.

    `package` is imported by name ("services.points.storage.migrations") and has a folder
    `versions/` of scripts `0001_name.py`; it needs no env.py and no ini file. Each script runs
    in a transaction of its own. A script waits for a table lock at most `lock_timeout_seconds`,
    so that it never queues the service's traffic behind itself; then it fails, and is run again
    by an operator. Another process that migrates is waited for up to `wait_seconds`.
    """
    ran: list[str] = []
    with _alone(engine, package, wait_seconds), _own_session(engine) as connection:
        _limit(connection, lock_timeout_seconds, statement_timeout_seconds)
        _upgrade(connection, _scripts(package), ran)
    return ran


def _scripts(package: str) -> ScriptDirectory:
    folder = next(iter(import_module(package).__path__))
    return ScriptDirectory(folder, version_locations=[f"{folder}/versions"])


def _upgrade(connection: Connection, scripts: ScriptDirectory, ran: list[str]) -> None:
    def steps(revision: Any, _context: MigrationContext) -> Any:
        return scripts._upgrade_revs("head", revision)  # noqa: SLF001 - as alembic.command does

    # Alembic passes all four by name.
    def note(ctx: object, step: MigrationInfo, heads: object, run_args: object) -> None:  # noqa: ARG001
        ran.extend(step.up_revision_ids)

    with EnvironmentContext(Config(), scripts, fn=steps) as environment:
        environment.configure(
            connection=connection, transaction_per_migration=True, on_version_apply=note
        )
        with environment.begin_transaction():
            environment.run_migrations()


@contextmanager
def _own_session(engine: Engine) -> Iterator[Connection]:
    """Give a connection that never returns to the pool, whose settings may be changed."""
    with engine.connect() as connection:
        connection.detach()
        yield connection


@contextmanager
def _alone(engine: Engine, package: str, wait_seconds: float) -> Iterator[None]:
    """Hold the database's advisory lock for `package`; raises OperationalError after the wait.

    Closing the session gives the lock back, as the end of the process does.
    """
    lock = {"space": LOCK_NAMESPACE, "name": zlib.crc32(package.encode()) - 2**31}
    with _own_session(engine) as connection:
        _limit(connection, wait_seconds, wait_seconds)
        connection.execute(sa.text("SELECT pg_advisory_lock(:space, :name)"), lock)
        connection.commit()
        yield


def _limit(connection: Connection, lock_seconds: float, statement_seconds: float) -> None:
    """Set the session's time-outs, as its own transaction."""
    settings = {"lock_timeout": lock_seconds, "statement_timeout": statement_seconds}
    for name, seconds in settings.items():
        value = f"{int(seconds * 1000)}"
        connection.execute(sa.select(sa.func.set_config(name, value, sa.false())))
    connection.commit()
