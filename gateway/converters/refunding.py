"""A refund's first record, with the exact bytes that each participant will get."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from huitouke.coupon.v1 import coupon_service_pb2
from huitouke.gateway.v1 import checkout_pb2
from huitouke.points.v1 import points_service_pb2

from gateway.converters.purchases import place_of
from gateway.domain.checkouts import Record, RefundOpening
from gateway.domain.principals import Principal


def to_refund_opening(
    checkout: Record,
    principal: Principal,
    refund_id: UUID,
    request_id: str,
    fingerprint: bytes,
    opened_at: datetime,
) -> RefundOpening:
    """Return the first record of refunding a committed checkout wholly, at this till."""
    member_id, checkout_id = str(checkout.opening.member_id), str(checkout.checkout_id)
    reverse = points_service_pb2.ReverseRequest(
        request_id=f"reverse/{refund_id}",
        member_id=member_id,
        checkout_id=checkout_id,
        reversal_id=str(refund_id),
        place=place_of(principal),
    )
    roll_back = coupon_service_pb2.RollBackRequest(
        request_id=f"roll-back/{refund_id}",
        member_id=member_id,
        checkout_id=checkout_id,
        refund_id=str(refund_id),
    )
    with_coupons = checkout.opening.coupon_count > 0
    receipt = checkout_pb2.Receipt.FromString(checkout.receipt)
    return RefundOpening(
        refund_id=refund_id,
        request_id=request_id,
        till=principal.till,
        fingerprint=fingerprint,
        checkout_id=checkout.checkout_id,
        member_id=checkout.opening.member_id,
        opened_at=opened_at,
        reverse=reverse.SerializeToString(),
        roll_back=roll_back.SerializeToString() if with_coupons else b"",
        money_minor=receipt.to_pay_minor,
    )
