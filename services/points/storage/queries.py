"""Questions: statements, and the books recomputed from the journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from chassis.storage import sets
from services.points.domain.assets import Asset, EntryKind

VERIFY_TIMEOUT_SECONDS = 600

_STATEMENT = """
SELECT version, min(kind)::text, min(posted_at),
       coalesce(sum(amount) FILTER (WHERE asset = 'POINTS'), 0)::bigint,
       coalesce(sum(amount) FILTER (WHERE asset = 'CASH'), 0)::bigint,
       coalesce(sum(amount) FILTER (WHERE asset = 'BONUS'), 0)::bigint,
       (array_agg(merchant_id))[1], (array_agg(reference_id))[1]
FROM postings
WHERE member_id = %(member_id)s AND version < %(before)s
  AND (%(until)s::timestamptz IS NULL OR posted_at <= %(until)s)
GROUP BY version ORDER BY version DESC LIMIT %(limit)s
"""

_TOTALS = """
SELECT a.asset::text,
       (SELECT coalesce(sum(CASE a.asset WHEN 'POINTS' THEN points WHEN 'CASH' THEN cash_minor
                            ELSE bonus_minor END), 0)::bigint FROM members),
       (SELECT coalesce(sum(remaining), 0)::bigint FROM lots WHERE open AND asset = a.asset),
       (SELECT coalesce(sum(points_debt), 0)::bigint FROM members WHERE a.asset = 'POINTS'),
       (SELECT coalesce(sum(points_pending), 0)::bigint FROM members WHERE a.asset = 'POINTS')
FROM unnest(enum_range(NULL::asset)) AS a(asset)
"""

_HOUSES = """
SELECT asset::text, house::text, -sum(amount)::bigint
FROM postings GROUP BY asset, house ORDER BY asset, house
"""

# Each stored balance against the member's postings and open lots, each lot against its own
# postings, each debt against what was posted as one, what is pending against its own table, and
# what has matured against its posting.
_DIFFERING = """
WITH posted AS (
    SELECT member_id, asset, sum(amount) AS amount,
           sum(amount) FILTER (WHERE house = 'DEBT') AS debt
    FROM postings GROUP BY member_id, asset
), in_lots AS (
    SELECT member_id, asset, sum(remaining) AS remaining FROM lots WHERE open
    GROUP BY member_id, asset
), stored AS (
    SELECT m.member_id, a.asset,
           CASE a.asset WHEN 'POINTS' THEN points WHEN 'CASH' THEN cash_minor
                        ELSE bonus_minor END AS balance,
           CASE a.asset WHEN 'POINTS' THEN points_debt ELSE 0 END AS debt
    FROM members AS m CROSS JOIN unnest(enum_range(NULL::asset)) AS a(asset)
), by_lot AS (
    SELECT member_id, lot_number, sum(amount) AS amount FROM postings
    WHERE lot_number IS NOT NULL GROUP BY member_id, lot_number
)
SELECT asset::text, member_id
FROM stored FULL JOIN posted USING (member_id, asset) FULL JOIN in_lots USING (member_id, asset)
WHERE coalesce(balance, -1) <> coalesce(amount, 0)
   OR coalesce(balance, -1) <> coalesce(remaining, 0)
   OR coalesce(stored.debt, -1) <> coalesce(posted.debt, 0)
UNION
SELECT coalesce(lots.asset, 'POINTS')::text, member_id
FROM lots FULL JOIN by_lot USING (member_id, lot_number)
WHERE coalesce(lots.remaining, -1) <> coalesce(by_lot.amount, 0)
UNION
SELECT 'POINTS', member_id
FROM members FULL JOIN (
    SELECT member_id, sum(points) AS points, min(matures_at) AS matures_at
    FROM pending_points WHERE state = 'PENDING' GROUP BY member_id
) AS waiting USING (member_id)
WHERE coalesce(members.points_pending, -1) <> coalesce(waiting.points, 0)
   OR members.next_maturing_at IS DISTINCT FROM waiting.matures_at
UNION
SELECT 'POINTS', waited.member_id
FROM pending_points AS waited LEFT JOIN (
    SELECT member_id, version, lot_number, rule, sum(amount) AS amount FROM postings
    WHERE kind = 'MATURING' AND house IN ('ISSUED', 'FUNDING')
    GROUP BY member_id, version, lot_number, rule
) AS matured ON matured.member_id = waited.member_id
    AND matured.version = waited.resolved_version AND matured.lot_number = waited.lot_number
    AND matured.rule = waited.rule
WHERE waited.state = 'MATURED' AND coalesce(matured.amount, 0) <> waited.points
ORDER BY 1, 2
"""

_CHECKOUTS = """
SELECT count(*) FILTER (WHERE state <> 'CANCELLED'), count(*) FILTER (WHERE state = 'REVERSED'),
       count(*) FILTER (WHERE state = 'CANCELLED')
FROM checkouts
"""

_DUE = """
WITH page AS (
    SELECT member_id, coalesce(points_next_expiry <= %(now)s, false)
                      OR coalesce(bonus_next_expiry <= %(now)s, false)
                      OR coalesce(next_maturing_at <= %(now)s, false) AS due
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


@dataclass(slots=True)
class AssetTotals:
    """One asset's books, recomputed; house accounts in the order of their names' type."""

    asset: Asset
    member_balances: int
    open_lots: int
    debt: int
    pending: int = 0
    house_totals: dict[str, int] = field(default_factory=dict)
    differing: list[UUID] = field(default_factory=list)

    @property
    def member_postings(self) -> int:
        """What all postings say that members have."""
        return -sum(self.house_totals.values())

    @property
    def balanced(self) -> bool:
        return (
            not self.differing
            and self.member_balances == self.member_postings
            and self.member_balances == self.open_lots
        )


@dataclass(slots=True)
class Verification:
    """What `verify` found, in one snapshot."""

    assets: list[AssetTotals]
    checkouts_posted: int
    checkouts_reversed: int
    checkouts_cancelled: int


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
    connection: Connection, member_id: UUID, before: int, until: datetime | None, limit: int
) -> list[StatementEntry]:
    """Return up to `limit` entries of versions below `before`, newest first.

    Entries are derived from postings, so a purchase that moved nothing is not among them.
    """
    rows = sets.driver(connection).execute(
        _STATEMENT,
        {"member_id": member_id, "before": before, "until": until, "limit": limit},
    )
    return [StatementEntry(row[0], EntryKind(row[1]), *row[2:]) for row in rows]


def verify(connection: Connection) -> Verification:
    """Recompute every balance, lot, debt and house account from postings and compare.

    Scans the whole ledger; the caller gives one REPEATABLE READ transaction, so that services may
    go on writing.
    """
    driver = sets.driver(connection)
    driver.execute(f"SET LOCAL statement_timeout = '{VERIFY_TIMEOUT_SECONDS:d}s'")
    assets = {
        row[0]: AssetTotals(Asset(row[0]), row[1], row[2], row[3], row[4])
        for row in driver.execute(_TOTALS)
    }
    for asset, house, total in driver.execute(_HOUSES):
        assets[asset].house_totals[house] = total
    for asset, member_id in driver.execute(_DIFFERING):
        assets[asset].differing.append(member_id)
    counted = driver.execute(_CHECKOUTS).fetchone() or (0, 0, 0)
    return Verification(list(assets.values()), *counted)
