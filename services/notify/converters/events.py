"""Events of other services as facts, and this service's own events for the outbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.coupon.v1 import events_pb2 as coupon_events
from huitouke.member.v1 import events_pb2 as member_events
from huitouke.notify.v1 import events_pb2 as notify_events
from huitouke.notify.v1 import message_pb2
from huitouke.points.v1 import entry_pb2, movement_pb2
from huitouke.points.v1 import events_pb2 as points_events

from chassis.storage.outbox import OutboxEvent
from services.notify.domain.events import Event, MessageDelivered, MessageFailed, MessageSent
from services.notify.domain.plans import Fact

CURRENCY: Final = "CNY"
"""What the ledger keeps stored value in; an event of expiry does not repeat it."""


def _enrolled(_event: Any) -> Fact:
    return Fact("ENROLLED", {})


def _topped_up(event: Any) -> Fact:
    return Fact(
        "TOPPED_UP",
        {
            "currency": event.currency,
            "cash_added_minor": event.cash_added_minor,
            "bonus_added_minor": event.bonus_added_minor,
            **_balances(event.balances),
        },
    )


def _posted(event: Any) -> Fact:
    posted = event.posted
    return Fact(
        "PAID",
        {
            "currency": event.currency,
            "bill_minor": event.bill_minor,
            "points_redeemed": posted.points_redeemed,
            "cash_paid_minor": posted.cash_paid_minor,
            "bonus_paid_minor": posted.bonus_paid_minor,
            "points_earned": posted.points_earned,
            **_balances(posted.balances),
        },
    )


def _reversed(event: Any) -> Fact:
    """A whole refund, or one that leaves something of the purchase."""
    return Fact(
        "REVERSED_IN_PART" if event.left_minor else "REVERSED",
        {
            "currency": event.currency,
            "refunded_minor": event.amount_minor,
            "money_refunded_minor": event.money_minor,
            "left_minor": event.left_minor,
            "points_restored": event.points_restored,
            "cash_restored_minor": event.cash_restored_minor,
            "bonus_restored_minor": event.bonus_restored_minor,
            "points_taken_back": event.points_taken_back,
            **_balances(event.balances),
        },
    )


def _points_expiring(event: Any) -> Fact:
    """Points and gift value are one fact; what is none of them is 0, and the text leaves it out."""
    gift = event.asset == entry_pb2.ASSET_BONUS
    return Fact(
        "POINTS_EXPIRING",
        {
            "currency": CURRENCY,
            "points_expiring": 0 if gift else event.amount,
            "bonus_expiring_minor": event.amount if gift else 0,
            "expires_at": event.expires_at.seconds,
            **_balances(event.balances),
        },
    )


def _coupon_issued(event: Any) -> Fact:
    return Fact(
        "COUPON_ISSUED",
        {
            "coupon_name_zh": event.coupon.name_zh,
            "coupon_name_en": event.coupon.name_en,
            "expires_at": event.coupon.expires_at.seconds,
        },
    )


def _withdrawn(event: Any) -> Fact:
    withdrawal = event.withdrawal
    return Fact(
        "WITHDRAWN",
        {
            "currency": event.currency,
            "paid_out_minor": withdrawal.paid_out_minor,
            "gift_deducted_minor": withdrawal.gift_deducted_minor,
            "bonus_taken_back_minor": withdrawal.bonus_taken_back_minor,
            **_balances(withdrawal.balances),
        },
    )


def _top_up_refunded(event: Any) -> Fact:
    return Fact(
        "TOP_UP_REFUNDED",
        {
            "currency": event.currency,
            "cash_refunded_minor": event.cash_refunded_minor,
            "bonus_taken_back_minor": event.bonus_taken_back_minor,
            **_balances(event.balances),
        },
    )


def _transferred(event: Any) -> Fact:
    given = event.direction == movement_pb2.TRANSFER_DIRECTION_OUT
    return Fact(
        "TRANSFERRED",
        {"points_given": event.points if given else 0, **_balances(event.balances)},
    )


def _balances(balances: Any) -> dict[str, int]:
    return {
        "points_balance": balances.points,
        "cash_balance_minor": balances.cash_minor,
        "bonus_balance_minor": balances.bonus_minor,
    }


_READERS: Final[Mapping[str, tuple[Callable[[], Message], Callable[[Any], Fact]]]] = {
    "huitouke.member.v1.MemberEnrolled": (member_events.MemberEnrolled, _enrolled),
    "huitouke.points.v1.StoredValueToppedUp": (points_events.StoredValueToppedUp, _topped_up),
    "huitouke.points.v1.CheckoutPosted": (points_events.CheckoutPosted, _posted),
    "huitouke.points.v1.CheckoutReversed": (points_events.CheckoutReversed, _reversed),
    "huitouke.points.v1.PointsExpiring": (points_events.PointsExpiring, _points_expiring),
    "huitouke.points.v1.StoredValueWithdrawn": (points_events.StoredValueWithdrawn, _withdrawn),
    "huitouke.points.v1.TopUpRefunded": (points_events.TopUpRefunded, _top_up_refunded),
    "huitouke.points.v1.PointsTransferred": (points_events.PointsTransferred, _transferred),
    "huitouke.coupon.v1.CouponIssued": (coupon_events.CouponIssued, _coupon_issued),
}

EVENT_TYPES: Final = tuple(_READERS)
"""Events that can ask for a message, by full name."""

SUBSCRIBED_SERVICES: Final = ("member", "points", "coupon")


def fact_of(event_type: str, payload: bytes) -> Fact:
    """What an event tells, without anything personal.

    Raises google.protobuf's DecodeError for a payload that is not one.
    """
    make, read = _READERS[event_type]
    event = make()
    event.ParseFromString(payload)
    return read(event)


def to_message(event: Event, now: datetime) -> Message:
    """The event as subscribers read it."""
    member_id, message_id = str(event.member_id), str(event.message_id)
    match event:
        case MessageSent():
            return notify_events.MessageSent(
                member_id=member_id,
                message_id=message_id,
                channel=message_pb2.Channel.ValueType(event.channel),
                template_code=event.template_code,
                sent_at=timestamp(now),
            )
        case MessageDelivered():
            return notify_events.MessageDelivered(
                member_id=member_id, message_id=message_id, delivered_at=timestamp(now)
            )
        case MessageFailed():
            return notify_events.MessageFailed(
                member_id=member_id,
                message_id=message_id,
                reason=event.reason,
                failed_at=timestamp(now),
            )


def to_outbox(event: Event, now: datetime) -> OutboxEvent:
    """The row that publishes the event under its member's key."""
    message = to_message(event, now)
    return OutboxEvent(
        key=event.member_id,
        aggregate_type="member",
        type=message.DESCRIPTOR.full_name,
        payload=message.SerializeToString(),
        version=event.version,
        occurred_at=now,
    )


def timestamp(moment: datetime) -> Timestamp:
    value = Timestamp()
    value.FromDatetime(moment)
    return value
