"""Recounting the books: every coupon and redemption, in the caller's snapshot."""

import sqlalchemy as sa
from sqlalchemy import Connection

from services.coupon.domain.books import CampaignTally

_TALLIES = sa.text(
    """
    WITH per_member AS (
        SELECT c.campaign_id, c.member_id,
            count(*) AS issued,
            count(*) FILTER (WHERE c.state = 'RESERVED') AS reserved,
            count(*) FILTER (WHERE c.state = 'REDEEMED') AS redeemed,
            count(*) FILTER (
                WHERE c.state IN ('RESERVED', 'REDEEMED')
                AND (r.checkout_id IS NULL OR r.member_id <> c.member_id)
            ) AS held_apart
        FROM coupons AS c
        LEFT JOIN reservations AS r ON r.checkout_id = c.checkout_id AND r.state = c.state
        GROUP BY c.campaign_id, c.member_id
    ), counted AS (
        SELECT campaign_id, sum(issued) AS issued, sum(reserved) AS reserved,
            sum(redeemed) AS redeemed, sum(held_apart) AS held_apart,
            max(issued) AS most_per_member
        FROM per_member GROUP BY campaign_id
    ), used AS (
        SELECT f.campaign_id, count(*) AS open, count(c.coupon_id) AS matched
        FROM redemptions AS f
        LEFT JOIN coupons AS c ON c.member_id = f.member_id AND c.coupon_id = f.coupon_id
            AND c.checkout_id = f.checkout_id AND c.state = 'REDEEMED'
        WHERE NOT EXISTS (
            SELECT FROM roll_backs AS b WHERE b.member_id = f.member_id
            AND b.coupon_id = f.coupon_id AND b.checkout_id = f.checkout_id
        )
        GROUP BY f.campaign_id
    )
    SELECT coalesce(k.quantity, 0), coalesce(k.per_member, 0),
        coalesce(k.issued, 0), coalesce(k.reserved, 0), coalesce(k.redeemed, 0),
        coalesce(counted.issued, 0)::bigint, coalesce(counted.reserved, 0)::bigint,
        coalesce(counted.redeemed, 0)::bigint, coalesce(counted.held_apart, 0)::bigint,
        coalesce(used.open, 0), coalesce(used.matched, 0), coalesce(counted.most_per_member, 0)
    FROM campaigns AS k
    FULL JOIN counted USING (campaign_id)
    FULL JOIN used USING (campaign_id)
    """
)


def tally_campaigns(connection: Connection) -> list[CampaignTally]:
    """Return each campaign's counters beside what is counted from rows.

    Scans every coupon and redemption. Rows whose campaign is missing come as a tally of their own,
    whose counters are 0.
    """
    return [CampaignTally(*row) for row in connection.execute(_TALLIES)]
