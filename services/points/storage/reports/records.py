"""Records against the journal: what a checkout, reversal or top-up says of its own entry."""

from __future__ import annotations

from typing import Final, NamedTuple


class RecordCheck(NamedTuple):
    """One table of records by its `key`, and a check as those in `checks`, by ranges of the key."""

    table: str
    key: str
    statement: str


# Of points a checkout remembers what they were worth, so only that some were redeemed can be held
# against the journal; of stored value every fen.
_CHECKOUTS = """
WITH said AS (
    SELECT checkout_id, member_id, version, bill_minor - points_value_minor - to_pay_minor AS paid,
           points_value_minor > 0 AS redeems
    FROM checkouts
    WHERE checkout_id BETWEEN %(low)s AND %(high)s AND version IS NOT NULL
), posted AS (
    SELECT checkout_id, -coalesce(sum(amount) FILTER (WHERE house = 'SETTLEMENT'), 0) AS paid,
           bool_or(house = 'REDEEMED') AS redeems
    FROM said JOIN postings USING (member_id, version)
    WHERE reference_id = checkout_id GROUP BY checkout_id
)
SELECT 'RECORD', member_id, NULL, NULL, version,
       concat('checkout ', checkout_id, ': paid ', said.paid,
              CASE WHEN said.redeems THEN ' and points' END),
       concat('paid ', coalesce(posted.paid, 0), CASE WHEN posted.redeems THEN ' and points' END)
FROM said LEFT JOIN posted USING (checkout_id)
WHERE said.paid <> coalesce(posted.paid, 0) OR said.redeems <> coalesce(posted.redeems, false)
"""

_REVERSALS = """
WITH said AS (
    SELECT reversal_id, member_id, version,
           concat_ws('/', points_restored, cash_restored_minor, bonus_restored_minor, debt_recorded)
               AS restored
    FROM reversals WHERE reversal_id BETWEEN %(low)s AND %(high)s
), posted AS (
    SELECT reversal_id, concat_ws('/',
               coalesce(sum(amount) FILTER (WHERE house = 'REDEEMED'), 0),
               coalesce(sum(amount) FILTER (WHERE house = 'SETTLEMENT' AND asset = 'CASH'), 0),
               coalesce(sum(amount) FILTER (WHERE house = 'SETTLEMENT' AND asset = 'BONUS'), 0),
               coalesce(sum(amount) FILTER (WHERE house = 'DEBT'), 0)) AS restored
    FROM said JOIN postings USING (member_id, version)
    WHERE reference_id = reversal_id GROUP BY reversal_id
)
SELECT 'RECORD', member_id, NULL, NULL, version,
       concat('reversal ', reversal_id, ': points/cash/bonus/debt ', said.restored),
       coalesce(posted.restored, '0/0/0/0')
FROM said LEFT JOIN posted USING (reversal_id)
WHERE said.restored <> coalesce(posted.restored, '0/0/0/0')
"""

_TOP_UPS = """
WITH said AS (
    SELECT top_up_id, member_id, version, concat_ws('/', cash_minor, bonus_minor) AS added
    FROM top_ups WHERE top_up_id BETWEEN %(low)s AND %(high)s
), posted AS (
    SELECT top_up_id, concat_ws('/', coalesce(sum(amount) FILTER (WHERE asset = 'CASH'), 0),
                                     coalesce(sum(amount) FILTER (WHERE asset = 'BONUS'), 0))
               AS added
    FROM said JOIN postings USING (member_id, version)
    WHERE reference_id = top_up_id GROUP BY top_up_id
)
SELECT 'RECORD', member_id, NULL, NULL, version,
       concat('top-up ', top_up_id, ': cash/bonus ', said.added), coalesce(posted.added, '0/0')
FROM said LEFT JOIN posted USING (top_up_id)
WHERE said.added <> coalesce(posted.added, '0/0')
"""

_CAPTURES = """
WITH said AS (
    SELECT hold_id, member_id, resolved_version AS version,
           concat_ws('/', points_captured, cash_captured_minor, bonus_captured_minor) AS captured
    FROM holds WHERE hold_id BETWEEN %(low)s AND %(high)s AND state = 'CAPTURED'
), posted AS (
    SELECT hold_id, concat_ws('/',
               -coalesce(sum(amount) FILTER (WHERE house = 'REDEEMED'), 0),
               -coalesce(sum(amount) FILTER (WHERE house = 'SETTLEMENT' AND asset = 'CASH'), 0),
               -coalesce(sum(amount) FILTER (WHERE house = 'SETTLEMENT' AND asset = 'BONUS'), 0))
               AS captured
    FROM said JOIN postings USING (member_id, version) GROUP BY hold_id
)
SELECT 'RECORD', member_id, NULL, NULL, version,
       concat('hold ', hold_id, ': points/cash/bonus ', said.captured),
       coalesce(posted.captured, '0/0/0')
FROM said LEFT JOIN posted USING (hold_id)
WHERE said.captured <> coalesce(posted.captured, '0/0/0')
"""

RECORD_CHECKS: Final = (
    RecordCheck("checkouts", "checkout_id", _CHECKOUTS),
    RecordCheck("reversals", "reversal_id", _REVERSALS),
    RecordCheck("top_ups", "top_up_id", _TOP_UPS),
    RecordCheck("holds", "hold_id", _CAPTURES),
)
"""A further table of records is a further line."""
