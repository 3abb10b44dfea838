"""Imports: rows that are in for ever, rows that were rejected, and how far each import has come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from chassis.clock import Clock
from chassis.storage import sets
from services.points.domain import errors
from services.points.domain.assets import Asset
from services.points.domain.commands import ImportBalance
from services.points.domain.progress import Acknowledge, Progress
from services.points.domain.records import ImportedRow, RejectedRow
from services.points.storage import tables
from services.points.storage.tables import columns_of

_ROW = "reference, line, member_id, asset::text, amount, earned_at, expires_at"

_ADVANCE = """
INSERT INTO imports AS i (import_id, acknowledged_line, started_at, updated_at)
SELECT v.import_id, max(v.line), min(v.at), max(v.at)
FROM unnest(%s::uuid[], %s::bigint[], %s::timestamptz[]) AS v(import_id, line, at)
GROUP BY v.import_id
ON CONFLICT (import_id) DO UPDATE
SET acknowledged_line = greatest(i.acknowledged_line, excluded.acknowledged_line),
    updated_at = excluded.updated_at
"""
_PROGRESS = "SELECT acknowledged_line, started_at, updated_at FROM imports WHERE import_id = %s"
_TOTALS = """
SELECT asset::text, count(*), sum(amount)::bigint FROM imported_rows WHERE import_id = %s
GROUP BY asset ORDER BY asset
"""
_COUNT_REJECTED = "SELECT count(*) FROM rejected_rows WHERE import_id = %s"
_REJECTED = """
SELECT line, reference, reason, message FROM rejected_rows
WHERE import_id = %s AND line > %s ORDER BY line LIMIT %s
"""
_REPLACE = (
    "(import_id, line) DO UPDATE SET reference = excluded.reference, reason = excluded.reason, "
    "message = excluded.message"
)


class ImportTotals(NamedTuple):
    """What an import has brought in of one asset."""

    asset: Asset
    rows: int
    amount: int


class ImportProgress(NamedTuple):
    """How far an import has come, counted from its rows."""

    import_id: UUID
    acknowledged_line: int
    started_at: datetime
    updated_at: datetime
    rejected: int
    totals: Sequence[ImportTotals]


def known_rows(
    connection: Connection, commands: Sequence[ImportBalance]
) -> dict[tuple[UUID, str], ImportBalance]:
    """Return those of `commands` whose import and reference are known, as they were brought in."""
    keys = sorted({(each.import_id, each.reference) for each in commands})
    rows = sets.select_by_keys(
        connection,
        "imported_rows",
        {
            "import_id": ("uuid", [import_id for import_id, _ in keys]),
            "reference": ("text", [reference for _, reference in keys]),
        },
        select=("import_id", *_ROW.split(", ")),
    )
    return {(row[0], row[1]): _command(row) for row in rows}


def _command(row: sets.Row) -> ImportBalance:
    import_id, reference, line, member_id, asset, amount, earned_at, expires_at = row
    return ImportBalance(
        import_id, line, reference, member_id, Asset(asset), amount, earned_at, expires_at
    )


def insert_imported(connection: Connection, imported: Sequence[ImportedRow]) -> None:
    rows = [
        (
            row.import_id,
            row.reference,
            row.line,
            row.member_id,
            version,
            lot_number,
            row.asset,
            row.amount,
            row.earned_at,
            row.expires_at,
        )
        for row, version, lot_number in imported
    ]
    sets.insert_columns(connection, "imported_rows", columns_of(tables.IMPORTED_ROWS, rows))


class ProgressRepository:
    """Repository[Acknowledge, Progress]: nothing is locked before its own row is written."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def lock(self, connection: Connection, commands: Sequence[Acknowledge]) -> Progress:
        del connection, commands
        return Progress()

    def load(
        self, connection: Connection, state: Progress, commands: Sequence[Acknowledge]
    ) -> None:
        """Nothing is decided here, so nothing is read."""

    def save(self, connection: Connection, state: Progress) -> None:
        """Move each import's line on; keep what was rejected, forget what was mended."""
        done, now = state.acknowledged, self._clock.now()
        with sets.pipelined(connection):
            advanced: sets.Columns = {
                "import_id": ("uuid", [each.import_id for each in done]),
                "line": ("bigint", [each.line for each in done]),
                "at": ("timestamptz", [now] * len(done)),
            }
            sets.execute(connection, _ADVANCE, advanced)
            for each in done:
                _replace_rejected(connection, each)


def _replace_rejected(connection: Connection, done: Acknowledge) -> None:
    mended: sets.Columns = {
        "import_id": ("uuid", [done.import_id] * len(done.accepted)),
        "line": ("bigint", done.accepted),
    }
    sets.delete_by_keys(connection, "rejected_rows", mended)
    rows = [(done.import_id, *each) for each in done.rejected]
    rejected = columns_of(tables.REJECTED_ROWS, rows)
    sets.insert_columns(connection, "rejected_rows", rejected, on_conflict=_REPLACE)


def progress_of(connection: Connection, import_id: UUID) -> ImportProgress:
    """Return how far an import has come, from its rows; for one snapshot.

    Refuses IMPORT_NOT_FOUND.
    """
    driver = sets.driver(connection)
    row = driver.execute(_PROGRESS, (import_id,)).fetchone()
    if row is None:
        raise errors.import_not_found(import_id)
    found = driver.execute(_TOTALS, (import_id,)).fetchall()
    totals = [ImportTotals(Asset(asset), rows, amount) for asset, rows, amount in found]
    (rejected,) = driver.execute(_COUNT_REJECTED, (import_id,)).fetchone() or (0,)
    return ImportProgress(import_id, row[0], row[1], row[2], rejected, totals)


def rejected_rows(
    connection: Connection, import_id: UUID, after_line: int, limit: int
) -> list[RejectedRow]:
    """Return up to `limit` rejected rows behind a line."""
    rows = sets.driver(connection).execute(_REJECTED, (import_id, after_line, limit))
    return [RejectedRow(*row) for row in rows]
