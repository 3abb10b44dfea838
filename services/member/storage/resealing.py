"""Resealing: stored ciphertext of retired keys is sealed anew with the active one, in small steps.

Each step locks at most STEP_ROWS rows of one table for a few milliseconds, so it runs beside the
service's writers; it may be stopped and started again at any time. Remembered answers are left
alone: they are deleted by age, so an old key stays in the ring until they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Engine

from chassis.security import FieldCipher, KeyRing
from chassis.security.fields import key_id_of
from chassis.storage import sets
from services.member.storage.tables import ROW_ID, SEALED

STEP_ROWS: Final = 500
_FIRST: Final = UUID(int=0)


def reseal(engine: Engine, ring: KeyRing) -> Iterator[tuple[str, int]]:
    """Go through all sealed tables; yields table and rows sealed anew after each step. Blocks.

    Raises UnreadableFieldError for a value whose key isn't in the ring.
    """
    for table in SEALED:
        cipher = FieldCipher(ring, table)
        last = (_FIRST, _FIRST)
        while True:
            with engine.begin() as connection:
                rows = _next_rows(connection, table, last)
                sealed = [row for row in rows if _is_stale(row[2:], ring)]
                _write(connection, table, [_sealed_anew(row, table, cipher) for row in sealed])
            if not rows:
                break
            last = (rows[-1][0], rows[-1][1])
            yield table, len(sealed)


def _next_rows(
    connection: Connection, table: str, last: tuple[UUID, UUID]
) -> list[tuple[Any, ...]]:
    """Lock and return the next rows by primary key: member id, row id, then the sealed columns."""
    row_id = ROW_ID[table]
    sql = (
        f"SELECT member_id, {row_id}, {', '.join(SEALED[table])} FROM {table} "
        f"WHERE (member_id, {row_id}) > (%s, %s) ORDER BY member_id, {row_id} "
        f"LIMIT {STEP_ROWS} FOR UPDATE"
    )
    cursor = sets.driver(connection).execute(sql.encode(), last, binary=True)
    return cursor.fetchall()


def _is_stale(values: tuple[bytes | None, ...], ring: KeyRing) -> bool:
    return any(value is not None and key_id_of(value) != ring.active for value in values)


def _sealed_anew(row: tuple[Any, ...], table: str, cipher: FieldCipher) -> tuple[Any, ...]:
    member_id, row_id, *values = row
    return (
        member_id,
        row_id,
        *(
            value and cipher.seal(column, row_id, cipher.open_bytes(column, row_id, value))
            for column, value in zip(SEALED[table], values, strict=True)
        ),
    )


def _write(connection: Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    sets.update_from_columns(
        connection,
        table,
        # One column twice where the member id is the row id: the dictionary keeps one of them.
        keys={
            "member_id": ("uuid", [row[0] for row in rows]),
            ROW_ID[table]: ("uuid", [row[1] for row in rows]),
        },
        values={
            column: ("bytea", [row[place] for row in rows])
            for place, column in enumerate(SEALED[table], 2)
        },
    )
