"""The liability at an instant, recomputed from postings: lots as they stood, by who gave them.

Lots don't know who funds them; the postings that put something into them do, and for what was
transferred those of the lot that was first issued. What a lot holds is divided among those by
largest remainder, as domain.shares.allocate does it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg
from sqlalchemy import Connection

from services.points.domain import errors
from services.points.domain.assets import Asset, Funder, House
from services.points.domain.breakage import Cohort, Flow
from services.points.domain.calendar import month_of
from services.points.domain.liability import Figures, Liability, LotGroup, Source
from services.points.domain.programme import Programmes
from services.points.storage.programmes import read_newer
from services.points.storage.reports.ranges import (
    RANGE_ROWS,
    Driver,
    Proceed,
    begin,
    go_on,
    member_ranges,
)
from services.points.storage.reports.set_aside import add_set_aside
from services.points.storage.reports.transferred import inherited

_SPENT: Final = "('REDEEMED', 'SETTLEMENT')"
"""House accounts that what is spent goes to, and what is given back comes from."""


def _month(instant: str) -> str:
    """SQL for the first instant of the month of an instant, in the report's zone."""
    return f"date_trunc('month', {instant}, %(zone)s)"


def _shared(figure: str) -> str:
    """SQL for a source's share of a lot's `figure`, by largest remainder.

    That is the exact part rounded down, and one more for the largest remainders: the earlier
    posting's where they are equal.
    """
    exact = f"{figure}::numeric * weight"
    return f"""(div({exact}, whole) + CASE WHEN row_number() OVER (
            PARTITION BY member_id, lot_number ORDER BY mod({exact}, whole) DESC, place
        ) <= {figure} - sum(div({exact}, whole)) OVER lot THEN 1 ELSE 0 END)::bigint"""


_LOTS: Final = f"""
WITH moved AS (
    SELECT member_id, lot_number, sum(amount)::bigint AS outstanding,
           -coalesce(sum(amount) FILTER (WHERE house IN {_SPENT}), 0)::bigint AS redeemed,
           -coalesce(sum(amount) FILTER (WHERE house = 'EXPIRED'), 0)::bigint AS expired
    FROM postings
    WHERE member_id BETWEEN %(low)s AND %(high)s AND lot_number IS NOT NULL
      AND coalesce(posted_at <= %(as_of)s, true)
    GROUP BY member_id, lot_number
), pinned AS (
    SELECT member_id, lot_number, sum(amount)::bigint AS held
    FROM hold_lots CROSS JOIN LATERAL (
        SELECT state, timeout_at FROM holds
        WHERE holds.member_id = hold_lots.member_id AND holds.hold_id = hold_lots.hold_id OFFSET 0
    ) AS hold
    WHERE member_id BETWEEN %(low)s AND %(high)s AND %(as_of)s::timestamptz IS NULL
      AND state = 'OPEN' AND coalesce(timeout_at > %(now)s, true)
    GROUP BY member_id, lot_number
), given AS (
    SELECT member_id, lot_number, house, funder, merchant_id, rule,
           sum(amount)::bigint AS weight, sum(amount)::bigint AS earned, min(line) AS place
    FROM postings
    WHERE member_id BETWEEN %(low)s AND %(high)s AND lot_number IS NOT NULL
      AND coalesce(posted_at <= %(as_of)s, true)
      AND amount > 0 AND house NOT IN {_SPENT} AND house <> 'TRANSFER'
    GROUP BY member_id, lot_number, house, funder, merchant_id, rule
    UNION ALL
    SELECT member_id, lot_number, house, funder, merchant_id, rule, weight, 0, place
    FROM unnest(%(member_id)s::uuid[], %(lot_number)s::integer[], %(house)s::house_account[],
                %(funder)s::funder[], %(merchant_id)s::uuid[], %(rule)s::text[],
                %(weight)s::bigint[], %(place)s::smallint[])
         AS inherited (member_id, lot_number, house, funder, merchant_id, rule, weight, place)
), weighed AS (
    SELECT given.*, outstanding, redeemed, expired, coalesce(held, 0) AS held,
           sum(weight) OVER lot AS whole, count(*) OVER lot AS sources
    FROM given JOIN moved USING (member_id, lot_number)
    LEFT JOIN pinned USING (member_id, lot_number)
    WINDOW lot AS (PARTITION BY member_id, lot_number)
), shared AS (
    SELECT member_id, lot_number, house, funder, merchant_id, rule, earned, redeemed,
           expired, outstanding, held
    FROM weighed WHERE sources = 1
    UNION ALL
    SELECT member_id, lot_number, house, funder, merchant_id, rule, earned,
           {_shared("redeemed")}, {_shared("expired")}, {_shared("outstanding")},
           {_shared("held")}
    FROM weighed WHERE sources > 1 WINDOW lot AS (PARTITION BY member_id, lot_number)
)
SELECT lots.asset::text, house::text, funder::text, merchant_id, rule,
       {_month("earned_at")}, {_month("(expires_at - interval '1 microsecond')")},
       sum(earned)::bigint, sum(redeemed)::bigint, sum(shared.expired)::bigint,
       sum(outstanding)::bigint, sum(shared.held)::bigint,
       coalesce(sum(outstanding - shared.held)
                FILTER (WHERE expires_at <= %(now)s), 0)::bigint
FROM shared JOIN lots USING (member_id, lot_number)
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""

_FLOWS: Final = f"""
SELECT postings.asset, {_month("earned_at")},
       {_month("(expires_at - interval '1 microsecond')")}, {_month("posted_at")},
       coalesce(sum(postings.amount) FILTER (
           WHERE house NOT IN {_SPENT} AND house <> 'EXPIRED' AND postings.amount > 0), 0)::bigint,
       -coalesce(sum(postings.amount) FILTER (WHERE house IN {_SPENT}), 0)::bigint,
       -coalesce(sum(postings.amount) FILTER (WHERE house = 'EXPIRED'), 0)::bigint,
       -coalesce(sum(postings.amount) FILTER (
           WHERE house NOT IN {_SPENT} AND house <> 'EXPIRED' AND postings.amount < 0), 0)::bigint
FROM postings JOIN lots USING (member_id, lot_number)
WHERE member_id BETWEEN %(low)s AND %(high)s AND expires_at IS NOT NULL
  AND coalesce(posted_at <= %(as_of)s, true)
GROUP BY 1, 2, 3, 4
"""


def liability(
    connection: Connection,
    as_of: datetime | None,
    zone: ZoneInfo,
    now: datetime,
    proceed: Proceed = go_on,
    range_rows: int = RANGE_ROWS,
) -> Liability:
    """Recompute what was outstanding at `as_of`; None for now and all that is posted.

    One REPEATABLE READ transaction is the caller's. Refuses INVALID_FIELD for a zone the database
    doesn't know, PROGRAMME_NOT_FOUND where none was valid.
    """
    driver = begin(connection)
    _check_zone(driver, zone)
    programmes = Programmes()
    read_newer(connection, programmes)
    at = as_of or now
    found = Liability(at, zone, programmes.valid_at(at), past=as_of is not None)
    asked = {"as_of": as_of, "now": at, "zone": zone.key}
    for keys in member_ranges(driver, range_rows):
        proceed()
        bounds = keys.parameters | asked
        _add_lots(driver, bounds | inherited(driver, keys.parameters, as_of), found)
        _add_flows(driver, bounds, found)
        add_set_aside(driver, bounds, found)
    return found


def _check_zone(driver: Driver, zone: ZoneInfo) -> None:
    """Python and PostgreSQL carry the zones each in an edition of its own."""
    try:
        driver.execute("SELECT date_trunc('month', now(), %s)", (zone.key,))
    except psycopg.errors.InvalidParameterValue:
        raise errors.invalid_field(
            "time_zone", "must be an IANA time zone that the database knows, Asia/Shanghai say"
        ) from None


def _add_lots(driver: Driver, parameters: dict[str, Any], found: Liability) -> None:
    for (
        asset, house, funder, merchant_id, rule, earned_month, expiry_month, *figures, due,
    ) in driver.execute(_LOTS, parameters):  # fmt: skip
        found.assets[Asset(asset)].add(
            LotGroup(
                Asset(asset),
                Source(House(house), Funder(funder) if funder else None, merchant_id),
                rule,
                month_of(earned_month, found.zone),
                month_of(expiry_month, found.zone) if expiry_month else None,
                Figures(*figures),
                due,
            )
        )


def _add_flows(driver: Driver, parameters: dict[str, Any], found: Liability) -> None:
    for asset, earned_month, expiry_month, month, *moved in driver.execute(_FLOWS, parameters):
        cohort = Cohort(month_of(earned_month, found.zone), month_of(expiry_month, found.zone))
        found.assets[Asset(asset)].add_flow(cohort, month_of(month, found.zone), Flow(*moved))
