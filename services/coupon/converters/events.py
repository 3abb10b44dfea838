"""Events as outbox rows: key, version and the message that subscribers read."""

from datetime import datetime

from google.protobuf.message import Message
from huitouke.coupon.v1 import events_pb2

from chassis.storage.outbox import OutboxEvent
from services.coupon.converters.responses import to_coupon, to_discount, to_place
from services.coupon.converters.values import texts, to_stamp
from services.coupon.domain.events import (
    CampaignCreated,
    CouponIssued,
    CouponReservationCancelled,
    CouponsRedeemed,
    CouponsReserved,
    CouponsRolledBack,
    Event,
)


def to_outbox(event: Event, now: datetime) -> OutboxEvent:
    """Return the row that publishes `event`, which happened at `now`."""
    message = to_message(event)
    if isinstance(event, CampaignCreated):
        key, aggregate = event.campaign.campaign_id, "campaign"
    else:
        key, aggregate = event.member_id, "member"
    return OutboxEvent(
        key=key,
        aggregate_type=aggregate,
        type=message.DESCRIPTOR.full_name,
        payload=message.SerializeToString(),
        version=event.version,
        occurred_at=now,
    )


def to_message(event: Event) -> Message:
    match event:
        case CampaignCreated():
            return events_pb2.CampaignCreated(
                campaign_id=str(event.campaign.campaign_id),
                campaign_code=event.campaign.code,
                created_at=to_stamp(event.campaign.created_at),
            )
        case CouponIssued():
            return events_pb2.CouponIssued(
                member_id=str(event.member_id),
                coupon=to_coupon(event.coupon, event.campaign, event.coupon.state),
            )
        case CouponsReserved():
            return events_pb2.CouponsReserved(
                member_id=str(event.member_id),
                checkout_id=str(event.checkout_id),
                coupon_ids=texts(event.coupon_ids),
                reserved_at=to_stamp(event.reserved_at),
            )
        case CouponReservationCancelled():
            return events_pb2.CouponReservationCancelled(
                member_id=str(event.member_id),
                checkout_id=str(event.checkout_id),
                coupon_ids=texts(event.coupon_ids),
                cancelled_at=to_stamp(event.cancelled_at),
            )
        case CouponsRedeemed():
            return _redeemed(event)
        case CouponsRolledBack():
            return _rolled_back(event)


def _redeemed(event: CouponsRedeemed) -> events_pb2.CouponsRedeemed:
    return events_pb2.CouponsRedeemed(
        member_id=str(event.member_id),
        checkout_id=str(event.checkout_id),
        discounts=map(to_discount, event.discounts),
        place=to_place(event.place),
        redeemed_at=to_stamp(event.redeemed_at),
        currency=event.currency,
    )


def _rolled_back(event: CouponsRolledBack) -> events_pb2.CouponsRolledBack:
    return events_pb2.CouponsRolledBack(
        member_id=str(event.member_id),
        checkout_id=str(event.checkout_id),
        refund_id=str(event.refund_id),
        restored_coupon_ids=texts(event.restored_coupon_ids),
        expired_coupon_ids=texts(event.expired_coupon_ids),
        rolled_back_at=to_stamp(event.rolled_back_at),
    )
