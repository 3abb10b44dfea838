"""Checks of holds: what members, lots and open holds say is held, against the pins."""

from __future__ import annotations

from typing import Final

_MEMBERS = """
WITH pinned AS (
    SELECT pin.member_id, lots.asset, sum(pin.amount) AS held
    FROM hold_lots AS pin JOIN lots USING (member_id, lot_number)
    WHERE pin.member_id BETWEEN %(low)s AND %(high)s GROUP BY pin.member_id, lots.asset
), stored AS (
    SELECT member_id, account.* FROM members CROSS JOIN LATERAL (VALUES
        ('POINTS'::asset, points_held), ('CASH', cash_held_minor), ('BONUS', bonus_held_minor)
    ) AS account(asset, held)
    WHERE member_id BETWEEN %(low)s AND %(high)s
)
SELECT 'HELD', member_id, asset::text, NULL, NULL, stored.held, coalesce(pinned.held, 0)
FROM stored FULL JOIN pinned USING (member_id, asset)
WHERE stored.held IS DISTINCT FROM coalesce(pinned.held, 0)
"""

_LOTS = """
WITH pinned AS (
    SELECT member_id, lot_number, sum(amount) AS held FROM hold_lots
    WHERE member_id BETWEEN %(low)s AND %(high)s GROUP BY member_id, lot_number
), stored AS (
    SELECT member_id, lot_number, asset, held FROM lots
    WHERE held <> 0 AND member_id BETWEEN %(low)s AND %(high)s
)
SELECT 'LOT_HELD', member_id, stored.asset::text, lot_number, NULL,
       coalesce(stored.held, 0), coalesce(pinned.held, 0)
FROM stored FULL JOIN pinned USING (member_id, lot_number)
WHERE stored.held IS DISTINCT FROM pinned.held
"""

_HOLDS = """
WITH pinned AS (
    SELECT pin.member_id, pin.hold_id, concat_ws('/',
               coalesce(sum(pin.amount) FILTER (WHERE asset = 'POINTS'), 0),
               coalesce(sum(pin.amount) FILTER (WHERE asset = 'CASH'), 0),
               coalesce(sum(pin.amount) FILTER (WHERE asset = 'BONUS'), 0)) AS held
    FROM hold_lots AS pin LEFT JOIN lots USING (member_id, lot_number)
    WHERE pin.member_id BETWEEN %(low)s AND %(high)s GROUP BY pin.member_id, pin.hold_id
), open AS (
    SELECT member_id, hold_id, concat_ws('/', points, cash_minor, bonus_minor) AS held FROM holds
    WHERE state = 'OPEN' AND member_id BETWEEN %(low)s AND %(high)s
)
SELECT 'HOLD', member_id, NULL, NULL, NULL,
       concat('hold ', hold_id, ': points/cash/bonus ', coalesce(open.held, '0/0/0')),
       coalesce(pinned.held, '0/0/0')
FROM open FULL JOIN pinned USING (member_id, hold_id)
WHERE open.held IS DISTINCT FROM pinned.held
"""

_REMEMBERED = """
WITH open AS (
    SELECT member_id, count(*) AS holds, min(timeout_at) AS timeout_at FROM holds
    WHERE state = 'OPEN' AND member_id BETWEEN %(low)s AND %(high)s GROUP BY member_id
), stored AS (
    SELECT member_id, open_holds AS holds, next_hold_timeout AS timeout_at FROM members
    WHERE open_holds > 0 AND member_id BETWEEN %(low)s AND %(high)s
)
SELECT 'OPEN_HOLDS', member_id, NULL, NULL, NULL,
       concat_ws(' until ', coalesce(stored.holds, 0), stored.timeout_at),
       concat_ws(' until ', coalesce(open.holds, 0), open.timeout_at)
FROM stored FULL JOIN open USING (member_id)
WHERE stored.holds IS DISTINCT FROM open.holds OR stored.timeout_at IS DISTINCT FROM open.timeout_at
"""

HELD_CHECKS: Final = (_MEMBERS, _LOTS, _HOLDS, _REMEMBERED)
