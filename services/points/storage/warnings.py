"""Expiry warnings: whom they concern, what was told before, and keeping what is told now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from chassis.storage import sets
from services.points.domain.assets import Asset
from services.points.domain.records import Warned
from services.points.storage import tables
from services.points.storage.queries import DuePage

# Members are looked at by what they hold next; only of those that lose it soon are lots probed.
_UNWARNED = """
WITH page AS (
    SELECT member_id, coalesce(points_next_expiry <= %(until)s, false)
                      OR coalesce(bonus_next_expiry <= %(until)s, false) AS soon
    FROM members WHERE member_id > %(after)s ORDER BY member_id LIMIT %(limit)s
), unwarned AS (
    SELECT member_id, soon AND EXISTS (
        SELECT FROM lots AS l
        WHERE l.member_id = page.member_id AND l.open AND l.asset IN ('POINTS', 'BONUS')
          AND l.remaining > l.held AND l.expires_at > %(now)s AND l.expires_at <= %(until)s
          AND NOT EXISTS (
              SELECT FROM expiry_warnings AS w
              WHERE w.member_id = l.member_id AND w.asset = l.asset
                AND w.last_day
                    = ((l.expires_at - interval '1 microsecond') AT TIME ZONE %(zone)s)::date
                AND w.days <= (
                    SELECT min(h.days) FROM unnest(%(days)s::smallint[], %(reach)s::timestamptz[])
                        AS h(days, reach) WHERE l.expires_at <= h.reach
                )
          )
    ) AS concerned
    FROM page
)
SELECT count(*), (array_agg(member_id ORDER BY member_id DESC))[1],
       array_agg(member_id ORDER BY member_id) FILTER (WHERE concerned)
FROM unwarned
"""


def unwarned_members(
    connection: Connection,
    after: UUID,
    limit: int,
    now: datetime,
    horizons: Mapping[int, datetime],
    zone: ZoneInfo,
) -> DuePage:
    """Look through the next `limit` members for those with something to be warned of.

    `horizons` gives until which expiry each warning reaches.
    """
    values = {
        "after": after,
        "limit": limit,
        "now": now,
        "until": max(horizons.values()),
        "zone": zone.key,
        "days": list(horizons),
        "reach": list(horizons.values()),
    }
    row = sets.driver(connection).execute(_UNWARNED, values, prepare=True).fetchone()
    assert row is not None, "an aggregate has one row"
    looked_at, last, concerned = row
    return DuePage(concerned or [], last if looked_at == limit else None)


def told(connection: Connection, members: Iterable[UUID]) -> set[Warned]:
    """Return every warning that `members` were given."""
    keys = {"member_id": ("uuid", sorted(set(members)))}
    columns = ("member_id", "asset::text", "last_day", "days")
    rows = sets.select_by_keys(connection, "expiry_warnings", keys, select=columns)
    return {Warned(row[0], Asset(row[1]), row[2], row[3]) for row in rows}


def insert_warned(connection: Connection, warned: Sequence[Warned]) -> None:
    """Keep what was told, for ever: nothing else explains the versions of its events."""
    values: Sequence[Sequence[object]] = list(zip(*warned, strict=True)) if warned else [()] * 5
    types = tables.EXPIRY_WARNINGS.items()
    columns = {name: (kind, column) for (name, kind), column in zip(types, values, strict=True)}
    sets.insert_columns(connection, "expiry_warnings", columns)
