"""Events of the other services, about nobody in particular."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from huitouke.coupon.v1 import coupon_pb2
from huitouke.coupon.v1 import events_pb2 as coupon_events
from huitouke.member.v1 import events_pb2 as member_events
from huitouke.points.v1 import entry_pb2, purchase_pb2
from huitouke.points.v1 import events_pb2 as points_events


def enrolled(member_id: UUID) -> member_events.MemberEnrolled:
    return member_events.MemberEnrolled(member_id=str(member_id))


def paid(member_id: UUID, **posted: Any) -> points_events.CheckoutPosted:
    """A purchase of 436.00 that used points and stored value unless told otherwise."""
    fields: dict[str, Any] = {
        "points_redeemed": 1_000,
        "cash_paid_minor": 27_273,
        "bonus_paid_minor": 2_727,
        "points_earned": 398,
    }
    return points_events.CheckoutPosted(
        member_id=str(member_id),
        currency="CNY",
        bill_minor=43_600,
        posted=purchase_pb2.Posted(**(fields | posted)),
    )


def topped_up(member_id: UUID) -> points_events.StoredValueToppedUp:
    return points_events.StoredValueToppedUp(
        member_id=str(member_id),
        currency="CNY",
        cash_added_minor=100_000,
        bonus_added_minor=10_000,
    )


def points_expiring(member_id: UUID, **fields: Any) -> points_events.PointsExpiring:
    """500 points whose last day is 31 March 2028."""
    event = points_events.PointsExpiring(
        member_id=str(member_id), asset=entry_pb2.ASSET_POINTS, amount=500, days=30
    )
    event.expires_at.FromDatetime(datetime(2028, 3, 31, 16, tzinfo=UTC))
    for name, value in fields.items():
        setattr(event, name, value)
    return event


def coupon_issued(member_id: UUID) -> coupon_events.CouponIssued:
    coupon = coupon_pb2.Coupon(name_zh="晚餐立减50元", name_en="50 off dinner")
    coupon.expires_at.FromDatetime(datetime(2030, 5, 1, 16, tzinfo=UTC))
    return coupon_events.CouponIssued(member_id=str(member_id), coupon=coupon)
