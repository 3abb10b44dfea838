"""Events on their way out: domain events as outbox rows of huitouke.member.v1."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.message import Message
from huitouke.member.v1 import events_pb2

from chassis.storage.outbox import OutboxEvent
from services.member.converters import enums
from services.member.converters.responses import to_timestamp
from services.member.domain.events import CardReplaced, CardStateChanged, Event, MemberEnrolled


def to_outbox(event: Event, now: datetime) -> OutboxEvent:
    """Return the outbox row of an event; the key is the member."""
    message = _message(event)
    return OutboxEvent(
        key=event.member_id,
        aggregate_type="member",
        type=message.DESCRIPTOR.full_name,
        payload=message.SerializeToString(),
        version=event.version,
        occurred_at=now,
    )


def _message(event: Event) -> Message:
    if isinstance(event, MemberEnrolled):
        return _enrolled(event)
    if isinstance(event, CardReplaced):
        return _replaced(event)
    return _state_changed(event)


def _enrolled(event: MemberEnrolled) -> events_pb2.MemberEnrolled:
    return events_pb2.MemberEnrolled(
        member_id=str(event.member_id),
        home_property=event.home_property,
        channel=enums.CHANNELS.to_wire(event.channel),
        language=enums.LANGUAGES.to_wire(event.language),
        tier=event.tier,
        enrolled_at=to_timestamp(event.enrolled_at),
        referred_by=str(event.referred_by or ""),
        card_id=str(event.card_id),
    )


def _replaced(event: CardReplaced) -> events_pb2.CardReplaced:
    return events_pb2.CardReplaced(
        member_id=str(event.member_id),
        old_card_id=str(event.old_card_id),
        new_card_id=str(event.new_card_id),
        reason=event.reason,
        replaced_at=to_timestamp(event.replaced_at),
    )


def _state_changed(event: CardStateChanged) -> events_pb2.CardStateChanged:
    return events_pb2.CardStateChanged(
        member_id=str(event.member_id),
        card_id=str(event.card_id),
        old_state=enums.CARD_STATES.to_wire(event.old_state),
        new_state=enums.CARD_STATES.to_wire(event.new_state),
        changed_at=to_timestamp(event.changed_at),
    )
