"""Set-based statements with one array parameter per column, on the psycopg cursor.

SQLAlchemy Core spends more on compiling a 256-row statement than PostgreSQL on running it; these
functions use the psycopg connection under the same SQLAlchemy connection and transaction, with
prepared statements (`round_trips`). A set is a mapping of column name to `(PostgreSQL type,
values)`, all values lists of one length:

    {"member_id": ("uuid", ids), "balance": ("bigint", balances), "note": ("text", notes)}

Types: uuid, smallint, integer, bigint, numeric, boolean, text, bytea, timestamptz, date, jsonb
(values are JSON text), any other type whose text form `str(value)` gives. None is NULL. Table and
column names come from code, never from input. A set of no rows runs nothing. A set kept in a
variable is annotated: `rows: sets.Columns = {...}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import cast

import psycopg
from sqlalchemy import Connection

from chassis.storage import round_trips
from chassis.storage.arrays import array_parameter

Columns = Mapping[str, tuple[str, Sequence[object]]]
Row = round_trips.Row
Rows = Callable[[], list[Row]]
"""Gives a statement's rows; inside `pipelined` it waits for them, after it they are there."""


def driver(connection: Connection) -> psycopg.Connection[Row]:
    """Return the psycopg connection under `connection`, in the same transaction.

    Inside `pipelined` it first waits for what was sent.
    """
    round_trips.settle(connection)
    return cast("psycopg.Connection[Row]", connection.connection.driver_connection)


def insert_columns(
    connection: Connection,
    table: str,
    columns: Columns,
    *,
    on_conflict: str = "",
    returning: Sequence[str] = (),
) -> list[Row]:
    """Insert one row per position, in order (identities and sequences follow it).

    `on_conflict` is what follows ON CONFLICT: `"DO NOTHING"`, `"(member_id) DO UPDATE SET ..."`.
    Returns the rows of `returning`, or [].
    """
    rows = insert_later(connection, table, columns, on_conflict=on_conflict, returning=returning)
    return rows() if returning else []


def insert_later(
    connection: Connection,
    table: str,
    columns: Columns,
    *,
    on_conflict: str = "",
    returning: Sequence[str],
    also: str = "",
) -> Rows:
    """Do the same for a `pipelined` block: its rows are asked for at the block's end.

    `also` is a statement on the inserted rows, named `added` with the columns of `returning`:
    `"INSERT INTO queue (id) SELECT id FROM added"`. It costs less than one of its own.
    """
    if not _length(columns):
        return _no_rows
    sql = _insert_sql(table, _shape(columns), on_conflict, tuple(returning), also)
    return _run(connection, sql, columns).rows


def update_from_columns(
    connection: Connection, table: str, *, keys: Columns, values: Columns
) -> int:
    """Set `values` on the row that each position's `keys` name; returns how many rows changed.

    A caller that must not lose an update compares the number with what it sent. Inside
    `pipelined` the number is not known yet: -1.
    """
    if not _length({**keys, **values}):
        return 0
    sql = _update_sql(table, _shape(keys), _shape(values))
    return _run(connection, sql, {**keys, **values}).row_count()


def delete_by_keys(connection: Connection, table: str, keys: Columns) -> int:
    """Delete the rows that `keys` name; returns how many there were (-1 inside `pipelined`)."""
    if not _length(keys):
        return 0
    return _run(connection, _delete_sql(table, _shape(keys)), keys).row_count()


def select_by_keys(
    connection: Connection,
    table: str,
    keys: Columns,
    *,
    select: Sequence[str],
    where: str = "",
    order_by: str = "",
    lock: bool = False,
) -> list[Row]:
    """Return the rows whose key columns equal a position of `keys`.

    Keys must be without duplicates, or rows come once per duplicate. `where` is a further
    condition on the table, named `t` (`"t.remaining > 0"`). Rows come in `order_by`
    (`"t.expires_at, t.id"`), by the keys when `lock` is set (rows are then locked FOR UPDATE in
    that order), else in no order.
    """
    return select_later(
        connection, table, keys, select=select, where=where, order_by=order_by, lock=lock
    )()


def select_later(
    connection: Connection,
    table: str,
    keys: Columns,
    *,
    select: Sequence[str],
    where: str = "",
    order_by: str = "",
    lock: bool = False,
) -> Rows:
    """Do the same for a `pipelined` block: several questions in one round trip.

    Each statement still has a snapshot of its own, taken when the one before it is done.
    """
    if not _length(keys):
        return _no_rows
    sql = _select_sql(table, _shape(keys), tuple(select), where, order_by, lock)
    return _run(connection, sql, keys).rows


def execute(connection: Connection, sql: str, columns: Columns) -> list[Row]:
    """Run `sql`, whose `%s` take the arrays of `columns` in order, and return its rows.

    For what the functions above cannot say: write `unnest(%s::uuid[], %s::bigint[])` yourself.
    Inside `pipelined` it returns no rows and waits for none.
    """
    if not _length(columns):
        return []
    answer = _run(connection, sql, columns)
    return [] if answer.row_count() < 0 else answer.rows()


def commit(connection: Connection) -> round_trips.Answer:
    """Commit the transaction; as the last statement of `pipelined` it needs no trip of its own."""
    return round_trips.commit(connection)


@contextmanager
def pipelined(connection: Connection) -> Iterator[None]:
    """Send the statements of the block without waiting for each; errors come at its end.

    PostgreSQL works on one while Python writes the next, and each round trip saved is one less
    fight for the interpreter with the event loop. For inserts, updates, deletes and the
    `..._later` functions above. `driver` inside waits for what was sent; SQLAlchemy Core does not,
    and must not be used.
    """
    with round_trips.together(connection):
        yield


def _no_rows() -> list[Row]:
    return []


Shape = tuple[tuple[str, str], ...]


def _shape(columns: Columns) -> Shape:
    return tuple((name, kind) for name, (kind, _) in columns.items())


def _length(columns: Columns) -> int:
    lengths = {len(values) for _, values in columns.values()}
    if len(lengths) != 1:
        raise ValueError(f"columns of different lengths: {sorted(lengths)}")
    return lengths.pop()


def _run(connection: Connection, sql: str, columns: Columns) -> round_trips.Answer:
    arrays = [array_parameter(kind, values) for kind, values in columns.values()]
    return round_trips.ask(connection, sql, arrays)


def _unnest(shape: Shape) -> str:
    return "unnest(" + ", ".join(f"%s::{kind}[]" for _, kind in shape) + ")"


def _names(shape: Shape, prefix: str = "") -> str:
    return ", ".join(f"{prefix}{name}" for name, _ in shape)


def _matches(shape: Shape) -> str:
    return " AND ".join(f"t.{name} = v.{name}" for name, _ in shape)


@lru_cache(maxsize=1024)
def _insert_sql(
    table: str, shape: Shape, on_conflict: str, returning: tuple[str, ...], also: str
) -> str:
    conflict = f" ON CONFLICT {on_conflict}" if on_conflict else ""
    back = f" RETURNING {', '.join(returning)}" if returning else ""
    insert = (
        f"INSERT INTO {table} ({_names(shape)}) SELECT {_names(shape, 'v.')} "
        f"FROM {_unnest(shape)} WITH ORDINALITY AS v({_names(shape)}, position_) "
        f"ORDER BY v.position_{conflict}{back}"
    )
    return f"WITH added AS ({insert}), also AS ({also}) TABLE added" if also else insert


@lru_cache(maxsize=1024)
def _update_sql(table: str, keys: Shape, values: Shape) -> str:
    assignments = ", ".join(f"{name} = v.{name}" for name, _ in values)
    return (
        f"UPDATE {table} AS t SET {assignments} "
        f"FROM {_unnest(keys + values)} AS v({_names(keys + values)}) WHERE {_matches(keys)}"
    )


@lru_cache(maxsize=1024)
def _delete_sql(table: str, keys: Shape) -> str:
    source = f"{_unnest(keys)} AS v({_names(keys)})"
    return f"DELETE FROM {table} AS t USING {source} WHERE {_matches(keys)}"


@lru_cache(maxsize=1024)
def _select_sql(
    table: str, keys: Shape, select: tuple[str, ...], where: str, order_by: str, lock: bool
) -> str:
    order = order_by or (_names(keys, "t.") if lock else "")
    source = f"{_unnest(keys)} AS v({_names(keys)})"
    condition = _matches(keys) + (f" AND ({where})" if where else "")
    joined = f"JOIN {table} AS t ON {condition}"
    if not lock:
        # OFFSET keeps the planner from turning the join round: on a table that was analysed while
        # empty it would take all of its rows for each set, and keep to that plan as it grows.
        joined = f"CROSS JOIN LATERAL (SELECT * FROM {table} AS t WHERE {condition} OFFSET 0) AS t"
    return (
        f"SELECT {', '.join('t.' + name for name in select)} FROM {source} {joined}"
        + (f" ORDER BY {order}" if order else "")
        + (" FOR UPDATE OF t" if lock else "")
    )
