"""What a liability report tells beside the balances: holds, pending points, and members' debts."""

from __future__ import annotations

from typing import Any, Final

from services.points.domain.assets import Asset, Funder, House
from services.points.domain.calendar import month_of
from services.points.domain.liability import Figures, Liability, LotGroup, Source
from services.points.storage.reports.ranges import Driver

# Pins go with their hold, but the hold itself is kept: what it set aside is known for ever.
_HELD: Final = """
SELECT coalesce(sum(points), 0)::bigint, coalesce(sum(cash_minor), 0)::bigint,
       coalesce(sum(bonus_minor), 0)::bigint
FROM holds
WHERE member_id BETWEEN %(low)s AND %(high)s AND authorized_at <= %(now)s
  AND CASE WHEN %(as_of)s::timestamptz IS NULL THEN state = 'OPEN'
           ELSE coalesce(resolved_at > %(now)s, true) END
  AND coalesce(timeout_at > %(now)s, true)
"""

_DEBT: Final = """
SELECT asset::text, sum(amount)::bigint FROM postings
WHERE member_id BETWEEN %(low)s AND %(high)s AND house = 'DEBT'
  AND coalesce(posted_at <= %(as_of)s, true)
GROUP BY asset
"""

# A row knows how much of it was cancelled in all. Between two refunds of its checkout that is
# divided by what each refunded; the row's end and every instant after its last refund are exact.
_PENDING: Final = """
WITH waiting AS (
    SELECT p.*, (CASE WHEN %(as_of)s::timestamptz IS NULL THEN p.cancelled ELSE coalesce(
                     div(p.cancelled * undone.by_then, nullif(undone.whole, 0)), p.cancelled
                 ) END)::bigint AS gone
    FROM pending_points AS p
    CROSS JOIN LATERAL (
        SELECT posted_at FROM checkouts WHERE checkout_id = p.checkout_id OFFSET 0
    ) AS c
    LEFT JOIN LATERAL (
        SELECT sum(r.amount_minor) AS whole,
               coalesce(sum(r.amount_minor) FILTER (WHERE r.reversed_at <= %(as_of)s), 0) AS by_then
        FROM reversals AS r WHERE r.checkout_id = p.checkout_id
          AND coalesce(r.version <= p.resolved_version, true)
    ) AS undone ON p.cancelled > 0
    WHERE p.member_id BETWEEN %(low)s AND %(high)s
      AND coalesce(c.posted_at <= %(as_of)s, true)
      AND CASE p.state
          WHEN 'PENDING' THEN true
          WHEN 'CANCELLED' THEN %(as_of)s::timestamptz IS NOT NULL
          ELSE EXISTS (SELECT FROM postings AS matured
                       WHERE matured.member_id = p.member_id
                         AND matured.version = p.resolved_version
                         AND matured.posted_at > %(as_of)s) END
)
SELECT funder::text, merchant_id, rule, date_trunc('month', earned_at, %(zone)s),
       date_trunc('month', expires_at - interval '1 microsecond', %(zone)s),
       sum(points - gone)::bigint
FROM waiting WHERE points > gone GROUP BY 1, 2, 3, 4, 5
"""


def add_set_aside(driver: Driver, parameters: dict[str, Any], found: Liability) -> None:
    """Add what the members of a range have on hold, pending, and owe."""
    held = driver.execute(_HELD, parameters).fetchone()
    assert held is not None, "a sum is always answered"
    for asset, amount in zip((Asset.POINTS, Asset.CASH, Asset.BONUS), held, strict=True):
        found.assets[asset].held += amount
    for asset, amount in driver.execute(_DEBT, parameters):
        found.assets[Asset(asset)].debt += amount
    for funder, merchant_id, rule, earned, expiry, points in driver.execute(_PENDING, parameters):
        house = House.ISSUED if funder == Funder.ISSUER else House.FUNDING
        found.assets[Asset.POINTS].add(
            LotGroup(
                Asset.POINTS,
                Source(house, Funder(funder), merchant_id),
                rule,
                month_of(earned, found.zone),
                month_of(expiry, found.zone) if expiry else None,
                Figures(pending=points),
                due=0,
            )
        )
