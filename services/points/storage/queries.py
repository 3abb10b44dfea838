"""Questions: statements, members with something due, and the books recomputed."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from chassis.storage import sets
from services.points.domain.assets import EntryKind
from services.points.domain.verification import Verification
from services.points.storage.reports.verification import verify as recompute

_STATEMENT = """
SELECT version, min(kind)::text, min(posted_at),
       coalesce(sum(amount) FILTER (WHERE asset = 'POINTS'), 0)::bigint,
       coalesce(sum(amount) FILTER (WHERE asset = 'CASH'), 0)::bigint,
       coalesce(sum(amount) FILTER (WHERE asset = 'BONUS'), 0)::bigint,
       (array_agg(merchant_id))[1], (array_agg(reference_id))[1]
FROM postings
WHERE member_id = %(member_id)s AND version < %(before)s
  AND (%(since)s::timestamptz IS NULL OR posted_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR posted_at <= %(until)s)
GROUP BY version ORDER BY version DESC LIMIT %(limit)s
"""

_DUE = """
WITH page AS (
    SELECT member_id, coalesce(points_next_expiry <= %(now)s, false)
                      OR coalesce(bonus_next_expiry <= %(now)s, false)
                      OR coalesce(next_maturing_at <= %(now)s, false)
                      OR coalesce(next_hold_timeout <= %(now)s, false) AS due
    FROM members WHERE member_id > %(after)s ORDER BY member_id LIMIT %(limit)s
)
SELECT count(*), (array_agg(member_id ORDER BY member_id DESC))[1],
       array_agg(member_id ORDER BY member_id) FILTER (WHERE due)
FROM page
"""


class StatementEntry(NamedTuple):
    """One entry of a statement, as a guest would read it; its version names it."""

    version: int
    kind: EntryKind
    posted_at: datetime
    points: int
    cash_minor: int
    bonus_minor: int
    merchant_id: UUID | None
    reference_id: UUID | None


class DuePage(NamedTuple):
    """Members with something due in one page by id, and the page's last id; None at the end."""

    due: list[UUID]
    last: UUID | None


def due_members(connection: Connection, after: UUID, limit: int, now: datetime) -> DuePage:
    """Look through the next `limit` members after an id for those with something due at `now`."""
    row = (
        sets.driver(connection)
        .execute(_DUE, {"after": after, "limit": limit, "now": now}, prepare=True)
        .fetchone()
    )
    assert row is not None, "an aggregate has one row"
    looked_at, last, due = row
    return DuePage(due or [], last if looked_at == limit else None)


def statement(
    connection: Connection,
    member_id: UUID,
    before: int,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> list[StatementEntry]:
    """Return up to `limit` entries of versions below `before`, newest first, since and until given.

    Entries are derived from postings, so a purchase that moved nothing is not among them.
    """
    rows = sets.driver(connection).execute(
        _STATEMENT,
        {
            "member_id": member_id,
            "before": before,
            "since": since,
            "until": until,
            "limit": limit,
        },
    )
    return [StatementEntry(row[0], EntryKind(row[1]), *row[2:]) for row in rows]


def verify(connection: Connection) -> Verification:
    """Recompute the whole ledger; see reports.verification, of which this is the short form."""
    return recompute(connection)
