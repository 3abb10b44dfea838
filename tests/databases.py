"""Migrated databases, lent to one test after the other, each time as the migrations left it.

To make one and to drop it takes longer than most tests: the tables, the write-ahead log, and a
checkpoint of all that other tests have under way. So what a test has written is taken out instead:
its tables get new files, seeds and sequences are put back. A database that can't be as new (its
shape has changed, the planner has learnt of its rows, somebody connects again whom a test has left
behind) goes out of use.
"""

from __future__ import annotations

import os
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import psycopg
from psycopg import sql

from chassis.storage.engine import create_engine
from chassis.storage.migrations import migrate
from tests.waiting import wait_until

_SHAPE = """
SELECT md5(string_agg(line, chr(10) ORDER BY line)) FROM (
    SELECT concat_ws(' ', 'class', oid, relname, relnamespace, relkind, relnatts, relchecks,
                     relhasrules, relhastriggers, relrowsecurity, relispartition, reloptions)
        FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT concat_ws(' ', 'column', attrelid, attnum, xmin)
        FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT concat_ws(' ', 'default', oid, xmin) FROM pg_attrdef
    UNION ALL SELECT concat_ws(' ', 'constraint', oid, xmin) FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT concat_ws(' ', 'index', indexrelid, indisvalid)
        FROM pg_index WHERE indexrelid >= 16384
    UNION ALL SELECT concat_ws(' ', 'trigger', oid, xmin) FROM pg_trigger
    UNION ALL SELECT concat_ws(' ', 'rule', oid, xmin) FROM pg_rewrite WHERE oid >= 16384
    UNION ALL SELECT concat_ws(' ', 'function', oid, xmin) FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT concat_ws(' ', 'type', oid, xmin) FROM pg_type WHERE oid >= 16384
    UNION ALL SELECT concat_ws(' ', 'schema', oid, xmin) FROM pg_namespace WHERE oid >= 16384
    UNION ALL SELECT concat_ws(' ', 'setting', setrole, setconfig)
        FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
        WHERE datname = current_database()
) AS lines (line)
"""
_LEARNT = "SELECT EXISTS (SELECT FROM pg_statistic WHERE starelid >= 16384)"
_OTHERS = """
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'
"""
_END_OTHERS = f"SELECT bool_and(pg_terminate_backend(pid, 10000)) {_OTHERS}"
_GOODBYE_SECONDS = 5.0
_ALONE = f"SELECT count(*) = 0 {_OTHERS}"
_WRITTEN = """
SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
"""
_SEQUENCES = "SELECT sequencename, start_value, last_value FROM pg_sequences ORDER BY 1"

_lent: set[tuple[str, str]] = set()
"""URL and package of every database that is lent now, migrated already."""


def migrated(url: str, package: str) -> str:
    """The URL of a database brought to the newest of the package's versions."""
    if (url, package) not in _lent:
        engine = create_engine(url, application_name="test-migrate")
        migrate(engine, package)
        engine.dispose()
    return url


class Lender:
    """Databases on one server, kept by what has migrated them; for one thread."""

    def __init__(self, postgres_url: str) -> None:
        self._postgres_url = postgres_url
        self._free: dict[str, list[_Database]] = defaultdict(list)
        self._spent: list[_Database] = []

    @contextmanager
    def lend(self, package: str) -> Iterator[str]:
        """The URL of a database that `package` has migrated, and nobody has used since."""
        database = self._take(package)
        _lent.add((database.url, package))
        try:
            yield database.url
        finally:
            _lent.discard((database.url, package))
            (self._free[package] if database.renew() else self._spent).append(database)

    def close(self) -> None:
        """Drop all; not before, because each time PostgreSQL writes down what others are doing.

        The run's own server goes with all it has.
        """
        if not outlive_the_run():
            return
        for database in [*self._spent, *chain.from_iterable(self._free.values())]:
            database.drop()

    def _take(self, package: str) -> _Database:
        while self._free[package]:
            database = self._free[package].pop()
            if database.is_as_new():
                return database
            self._spent.append(database)
        return _Database(self._postgres_url, package)


def outlive_the_run() -> bool:
    """Whether databases are on a server that is there afterwards, and must be dropped."""
    return bool(os.environ.get("DATABASE_URL"))


@contextmanager
def empty_database(postgres_url: str) -> Iterator[str]:
    """The URL of a fresh, empty database, dropped afterwards with whoever is still connected."""
    name = _create(postgres_url)
    try:
        yield in_database(postgres_url, name)
    finally:
        _drop(postgres_url, name)


def in_database(url: str, name: str) -> str:
    """The same server's URL, for another database."""
    address, _, query = url.partition("?")
    server = address.rsplit("/", 1)[0] if address.count("/") > 2 else address
    return f"{server}/{name}" + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class _Fresh:
    """What a database is like before anybody uses it. `seeds` are COPY's text by table."""

    shape: str
    seeds: dict[str, bytes]
    sequences: dict[str, tuple[int, int | None]]


class _Database:
    def __init__(self, postgres_url: str, package: str) -> None:
        self._postgres_url = postgres_url
        self._name = _create(postgres_url)
        self.url = migrated(in_database(postgres_url, self._name), package)
        with psycopg.connect(self.url) as connection:
            written = _written(connection)
            self._fresh = _Fresh(
                _shape(connection),
                {table: _content(connection, table) for table in written},
                _sequences(connection),
            )

    def renew(self) -> bool:
        """Make it as new; False when it can't be."""
        try:
            with psycopg.connect(self.url) as connection:
                connection.execute(_END_OTHERS)
                if _shape(connection) != self._fresh.shape or _one(connection, _LEARNT):
                    return False
                self._put_back(connection)
                connection.commit()
                connection.execute("SELECT pg_stat_reset()")
        except psycopg.Error:
            return False
        return True

    def is_as_new(self) -> bool:
        """Whether it is still what `renew` has made: nobody there, nothing written."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            try:  # a session that has been closed may be seen for a moment
                wait_until(lambda: _one(connection, _ALONE), _GOODBYE_SECONDS, "nobody is there")
            except AssertionError:
                return False
            return set(_written(connection)) == set(self._fresh.seeds)

    def drop(self) -> None:
        _drop(self._postgres_url, self._name)

    def _put_back(self, connection: psycopg.Connection) -> None:
        # Neither foreign keys nor the triggers that keep the books from being changed.
        connection.execute("SET LOCAL session_replication_role = replica")
        seeds = self._fresh.seeds
        changed = [
            table
            for table in _written(connection)
            if table not in seeds or _content(connection, table) != seeds[table]
        ]
        if changed:
            tables = sql.SQL(", ").join(map(sql.Identifier, changed))
            connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(tables))
        for table, rows in seeds.items():
            if _content(connection, table) != rows:
                _fill(connection, table, rows)
        for name, (start, last) in self._fresh.sequences.items():
            value = start if last is None else last
            connection.execute("SELECT setval(%s, %s, %s)", (name, value, last is not None))


def _create(postgres_url: str) -> str:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 STRATEGY wal_log").format(
                sql.Identifier(name)
            )
        )
    return name


def _drop(postgres_url: str, name: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _one(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def _shape(connection: psycopg.Connection) -> str:
    return str(_one(connection, _SHAPE))


def _written(connection: psycopg.Connection) -> list[str]:
    """The tables that have a file with something in it, be it only what was rolled back."""
    return [str(name) for (name,) in connection.execute(_WRITTEN)]


def _sequences(connection: psycopg.Connection) -> dict[str, tuple[int, int | None]]:
    return {name: (start, last) for name, start, last in connection.execute(_SEQUENCES)}


def _columns(connection: psycopg.Connection, table: str) -> sql.Composable:
    """The columns that can be written, as a list for COPY."""
    found = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        (f'public."{table}"',),
    )
    return sql.SQL(", ").join(sql.Identifier(name) for (name,) in found)


def _content(connection: psycopg.Connection, table: str) -> bytes:
    statement = sql.SQL("COPY {} ({}) TO STDOUT").format(
        sql.Identifier(table), _columns(connection, table)
    )
    with connection.cursor().copy(statement) as copy:
        return b"".join(bytes(block) for block in copy)


def _fill(connection: psycopg.Connection, table: str, rows: bytes) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), _columns(connection, table)
    )
    with connection.cursor().copy(statement) as copy:
        copy.write(rows)
