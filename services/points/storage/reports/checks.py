"""Checks: each compares one thing that is stored with the journal, for a range of members.

A further check is a further statement in CHECKS: it takes the range as `low` and `high` and
answers a row a difference, in the order of domain.verification.Difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chassis.storage import sets
from services.points.domain.assets import Asset
from services.points.domain.verification import Difference, DifferenceKind
from services.points.storage.reports.held import HELD_CHECKS
from services.points.storage.reports.ranges import Driver, KeyRange

_ACCOUNTS = """
WITH posted AS (
    SELECT member_id, asset, sum(amount) AS balance,
           coalesce(sum(amount) FILTER (WHERE house = 'DEBT'), 0) AS debt,
           coalesce(sum(amount) FILTER (WHERE lot_number IS NULL), 0) AS outside
    FROM postings WHERE member_id BETWEEN %(low)s AND %(high)s GROUP BY member_id, asset
), stored AS (
    SELECT member_id, account.* FROM members CROSS JOIN LATERAL (VALUES
        ('POINTS'::asset, points, points_debt), ('CASH', cash_minor, 0), ('BONUS', bonus_minor, 0)
    ) AS account(asset, balance, debt)
    WHERE member_id BETWEEN %(low)s AND %(high)s
)
SELECT kind, member_id, asset::text, NULL, NULL, found.stored, coalesce(found.posted, 0)
FROM stored FULL JOIN posted USING (member_id, asset) CROSS JOIN LATERAL (VALUES
    ('BALANCE', stored.balance, posted.balance), ('DEBT', coalesce(stored.debt, 0), posted.debt),
    ('OUTSIDE_LOTS', 0, posted.outside)
) AS found(kind, stored, posted)
WHERE found.stored IS DISTINCT FROM coalesce(found.posted, 0)
"""

# What a lot got is what was posted into it, but not what was given back after it had been spent.
_LOTS = """
WITH posted AS (
    SELECT member_id, lot_number, min(asset) AS asset, sum(amount)::bigint AS remaining,
           coalesce(sum(amount) FILTER (
               WHERE amount > 0 AND house NOT IN ('REDEEMED', 'SETTLEMENT')), 0)::bigint AS amount,
           -coalesce(sum(amount) FILTER (WHERE house = 'EXPIRED'), 0)::bigint AS expired
    FROM postings WHERE member_id BETWEEN %(low)s AND %(high)s AND lot_number IS NOT NULL
    GROUP BY member_id, lot_number
), stored AS (
    SELECT member_id, lot_number, asset, remaining, amount, expired
    FROM lots WHERE member_id BETWEEN %(low)s AND %(high)s
)
SELECT kind, member_id, coalesce(stored.asset, posted.asset)::text, lot_number, NULL,
       found.stored, found.posted
FROM stored FULL JOIN posted USING (member_id, lot_number) CROSS JOIN LATERAL (VALUES
    ('LOT', stored.remaining, posted.remaining), ('LOT_AMOUNT', stored.amount, posted.amount),
    ('LOT_EXPIRED', stored.expired, posted.expired),
    ('LOT_INVENTED', stored.remaining, NULL), ('LOT_MISSING', NULL, posted.remaining)
) AS found(kind, stored, posted)
WHERE (stored.remaining, stored.amount, stored.expired)
      IS DISTINCT FROM (posted.remaining, posted.amount, posted.expired)
  AND CASE found.kind WHEN 'LOT_INVENTED' THEN posted.amount IS NULL
                      WHEN 'LOT_MISSING' THEN stored.amount IS NULL
                      ELSE found.stored <> found.posted END
"""

_NEXT_EXPIRY = """
WITH stored AS (
    SELECT member_id, account.* FROM members CROSS JOIN LATERAL (VALUES
        ('POINTS'::asset, points_next_expiry), ('BONUS', bonus_next_expiry)
    ) AS account(asset, next_expiry)
    WHERE member_id BETWEEN %(low)s AND %(high)s
), in_lots AS (
    SELECT member_id, asset, min(expires_at) AS next_expiry FROM lots
    WHERE open AND remaining > held AND asset <> 'CASH' AND member_id BETWEEN %(low)s AND %(high)s
    GROUP BY member_id, asset
)
SELECT 'NEXT_EXPIRY', member_id, asset::text, NULL, NULL, stored.next_expiry, in_lots.next_expiry
FROM stored LEFT JOIN in_lots USING (member_id, asset)
WHERE stored.next_expiry IS DISTINCT FROM in_lots.next_expiry
"""

_BALANCES_AFTER = """
SELECT 'BALANCE_AFTER', member_id, asset::text, lot_number, version, balance_after, following
FROM (
    SELECT member_id, asset, lot_number, version, balance_after,
           amount + coalesce(lag(balance_after) OVER earlier, 0) AS following
    FROM postings WHERE member_id BETWEEN %(low)s AND %(high)s
    WINDOW earlier AS (PARTITION BY member_id, asset ORDER BY version, line)
) AS chain
WHERE balance_after <> following
"""

_ENTRIES = """
SELECT found.kind, member_id, asset::text, NULL, version, found.stored, found.expected
FROM (
    SELECT member_id, asset, version, line, posted_at,
           CASE version WHEN lag(version) OVER earlier THEN lag(line) OVER earlier + 1 ELSE 1 END
               AS following,
           coalesce(lag(posted_at) OVER earlier, posted_at) AS earlier_at
    FROM postings WHERE member_id BETWEEN %(low)s AND %(high)s
    WINDOW earlier AS (PARTITION BY member_id ORDER BY version, line)
) AS journal CROSS JOIN LATERAL (VALUES
    ('LINE', line::text, following::text, line <> following),
    ('ORDER', posted_at::text, earlier_at::text, posted_at < earlier_at)
) AS found(kind, stored, expected, differs)
WHERE (line <> following OR posted_at < earlier_at) AND found.differs
"""

_PENDING = """
WITH stored AS (
    SELECT member_id, points_pending, next_maturing_at
    FROM members WHERE member_id BETWEEN %(low)s AND %(high)s
), waiting AS (
    SELECT member_id, sum(points - cancelled) AS points, min(matures_at) AS matures_at
    FROM pending_points WHERE state = 'PENDING' AND member_id BETWEEN %(low)s AND %(high)s
    GROUP BY member_id
)
SELECT 'PENDING', member_id, 'POINTS', NULL, NULL,
       concat_ws(' until ', coalesce(stored.points_pending, 0), stored.next_maturing_at),
       concat_ws(' until ', coalesce(waiting.points, 0), waiting.matures_at)
FROM stored FULL JOIN waiting USING (member_id)
WHERE coalesce(stored.points_pending, 0) <> coalesce(waiting.points, 0)
   OR stored.next_maturing_at IS DISTINCT FROM waiting.matures_at
"""

_MATURED = """
WITH waited AS (
    SELECT member_id, resolved_version AS version, lot_number, sum(points - cancelled) AS points
    FROM pending_points WHERE state = 'MATURED' AND member_id BETWEEN %(low)s AND %(high)s
    GROUP BY member_id, resolved_version, lot_number
), posted AS (
    SELECT member_id, version, lot_number, sum(amount) AS points
    FROM postings WHERE kind = 'MATURING' AND house IN ('ISSUED', 'FUNDING')
      AND member_id BETWEEN %(low)s AND %(high)s
    GROUP BY member_id, version, lot_number
)
SELECT 'PENDING', member_id, 'POINTS', lot_number, version, waited.points, posted.points
FROM waited FULL JOIN posted USING (member_id, version, lot_number)
WHERE waited.points IS DISTINCT FROM posted.points
"""

CHECKS: Final = (
    _ACCOUNTS,
    _LOTS,
    _NEXT_EXPIRY,
    _BALANCES_AFTER,
    _ENTRIES,
    _PENDING,
    _MATURED,
    *HELD_CHECKS,
)


def differences(driver: Driver, statement: str, keys: KeyRange) -> Iterator[Difference]:
    """What one check finds in one range, a row at a time."""
    for row in driver.execute(statement, keys.parameters):
        yield to_difference(row)


def to_difference(row: sets.Row) -> Difference:
    """A row of a check as the difference it stands for."""
    kind, member_id, asset, lot_number, version, stored, recomputed = row
    return Difference(
        DifferenceKind(kind),
        member_id,
        Asset(asset) if asset else None,
        lot_number,
        version,
        "" if stored is None else str(stored),
        "" if recomputed is None else str(recomputed),
    )
