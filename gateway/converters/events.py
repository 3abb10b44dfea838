"""Domain events as outbox rows; the member is the key."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from huitouke.gateway.v1 import events_pb2

from chassis.storage.outbox import OutboxEvent
from gateway.converters.instants import to_timestamp
from gateway.converters.wire import Embedded
from gateway.domain.checkouts import Till
from gateway.domain.events import (
    CheckoutCancelled,
    CheckoutCommitted,
    CheckoutOpened,
    CheckoutRefunded,
    Event,
)

Message = events_pb2.CheckoutOpened | events_pb2.CheckoutCancelled | events_pb2.CheckoutRefunded
_COMMITTED = events_pb2.CheckoutCommitted.DESCRIPTOR.full_name
_RECEIPT = Embedded(events_pb2.CheckoutCommitted.DESCRIPTOR.fields_by_name["receipt"].number)


def encode_event(event: Event, now: datetime) -> OutboxEvent:
    """Return the row that publishes `event`, which happened at `now`.

    A message's serialized parts, one after the other, are the message: what is encoded already (a
    receipt, a till) is put in as it is, because this runs for each checkout.
    """
    if isinstance(event, CheckoutCommitted):
        kind, payload = _COMMITTED, _committed(event)
    else:
        message = _to_message(event)
        kind, payload = message.DESCRIPTOR.full_name, message.SerializeToString()
    return OutboxEvent(
        key=event.member_id,
        aggregate_type="member",
        type=kind,
        payload=payload,
        version=event.version,
        occurred_at=now,
    )


def _committed(event: CheckoutCommitted) -> bytes:
    own = events_pb2.CheckoutCommitted(
        member_id=str(event.member_id),
        checkout_id=str(event.checkout_id),
        committed_at=to_timestamp(event.committed_at),
    )
    return own.SerializeToString() + _till_part(event.till) + _RECEIPT.part(event.receipt)


@lru_cache(maxsize=4096)
def _till_part(till: Till) -> bytes:
    part = events_pb2.CheckoutCommitted(
        merchant_id=str(till.merchant_id),
        outlet_id=str(till.outlet_id),
        terminal_id=str(till.terminal_id),
        property_code=till.property_code,
    )
    return part.SerializeToString()


def _to_message(event: CheckoutOpened | CheckoutCancelled | CheckoutRefunded) -> Message:
    member_id, checkout_id = str(event.member_id), str(event.checkout_id)
    till = event.till
    match event:
        case CheckoutOpened():
            opened = events_pb2.CheckoutOpened(
                member_id=member_id,
                checkout_id=checkout_id,
                merchant_id=str(till.merchant_id),
                outlet_id=str(till.outlet_id),
                terminal_id=str(till.terminal_id),
                property_code=till.property_code,
                opened_at=to_timestamp(event.opened_at),
                commit_by=to_timestamp(event.commit_by),
            )
            opened.held.ParseFromString(event.held)
            return opened
        case CheckoutCancelled():
            return events_pb2.CheckoutCancelled(
                member_id=member_id,
                checkout_id=checkout_id,
                merchant_id=str(till.merchant_id),
                reason=event.reason,
                cancelled_at=to_timestamp(event.cancelled_at),
            )
        case CheckoutRefunded():
            refunded = events_pb2.CheckoutRefunded(
                member_id=member_id, checkout_id=checkout_id, merchant_id=str(till.merchant_id)
            )
            refunded.refund.ParseFromString(event.refund)
            return refunded
