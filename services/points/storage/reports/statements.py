"""A member's statement, posting by posting, a page at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from chassis.storage import sets
from services.points.domain.assets import Asset, EntryKind, House
from services.points.domain.statements import StatementFrame, StatementLine

PAGE_LINES: Final = 500

_FRAME = """
SELECT asset::text, coalesce(sum(amount) FILTER (WHERE posted_at < %(since)s), 0)::bigint,
       sum(amount)::bigint,
       min(version) FILTER (WHERE coalesce(posted_at >= %(since)s, true)), max(version)
FROM postings
WHERE member_id = %(member_id)s AND coalesce(posted_at < %(before)s, true) GROUP BY asset
"""

_LINES = """
SELECT version, line, kind::text, posted_at, asset::text, amount, balance_after, house::text, rule,
       merchant_id, reference_id
FROM postings
WHERE member_id = %(member_id)s AND (version, line) > (%(version)s, %(line)s)
  AND version <= %(last)s AND coalesce(posted_at >= %(since)s, true)
  AND coalesce(posted_at < %(before)s, true)
ORDER BY version, line LIMIT %(limit)s
"""


def statement_frame(
    connection: Connection, member_id: UUID, since: datetime | None, before: datetime | None
) -> StatementFrame:
    """The period's balances and versions, in one statement."""
    parameters = {"member_id": member_id, "since": since, "before": before}
    rows = sets.driver(connection).execute(_FRAME, parameters).fetchall()
    none = dict.fromkeys(Asset, 0)
    return StatementFrame(
        member_id,
        since,
        before,
        min((row[3] for row in rows if row[3] is not None), default=0),
        max((row[4] for row in rows), default=0),
        none | {Asset(row[0]): row[1] for row in rows},
        none | {Asset(row[0]): row[2] for row in rows},
    )


def statement_lines(
    connection: Connection,
    frame: StatementFrame,
    after: StatementLine | None,
    limit: int = PAGE_LINES,
) -> list[StatementLine]:
    """Up to `limit` lines that follow `after`, or the first ones; fewer at the end."""
    place = (after.version, after.line) if after else (frame.first, 0)
    parameters = {
        "member_id": frame.member_id,
        "version": place[0],
        "line": place[1],
        "last": frame.last,
        "since": frame.since,
        "before": frame.before,
        "limit": limit,
    }
    return [
        StatementLine(
            row[0], row[1], EntryKind(row[2]), row[3], Asset(row[4]), row[5], row[6], House(row[7]),
            row[8], row[9], row[10],
        )
        for row in sets.driver(connection).execute(_LINES, parameters)
    ]  # fmt: skip
