"""Events into messages, as they will be published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from google.protobuf.message import Message
from huitouke.points.v1 import events_pb2, movement_pb2
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.type.v1 import place_pb2

from chassis.storage.outbox import OutboxEvent
from services.points.converters import lives
from services.points.converters.answers import to_balances, to_taken_back, to_withdrawal
from services.points.converters.lives import member_event
from services.points.converters.values import TO_ASSET, to_stamp, to_tender
from services.points.domain.events import (
    BalanceImported,
    CheckoutPosted,
    CheckoutReversed,
    Event,
    HoldAuthorized,
    HoldCaptured,
    HoldExpired,
    HoldReleased,
    PointsExpiring,
    PointsExtended,
    PointsMatured,
    ProgrammeEvent,
    ProgrammePublished,
    ProgrammeRetired,
    StoredValueToppedUp,
    ValueExpired,
)
from services.points.domain.movement_events import (
    BalanceAdjusted,
    PointsTransferred,
    StoredValueWithdrawn,
    TopUpRefunded,
)
from services.points.domain.purchases import Place

PROGRAMME_ID: Final = UUID("01900000-0000-7000-8000-000000000001")
"""The key of the programme's events: there is one programme."""

PROGRAMME: Final = "programme"


def to_outbox(event: Event, response: Message) -> OutboxEvent:
    """The event as it will be published; a checkout's shares what was answered."""
    return _EVENTS[type(event)](event, response)


def _checkout_posted(event: CheckoutPosted, response: Message) -> OutboxEvent:
    assert isinstance(response, pb.PostResponse), "a checkout is posted by Post"
    answer = event.answer
    message = _posted(event, response)
    return member_event(event.member_id, message, answer.posted.balances, answer.posted_at)


def _checkout_reversed(event: CheckoutReversed, _response: Message) -> OutboxEvent:
    answer = event.answer
    return member_event(event.member_id, _reversed(event), answer.balances, answer.reversed_at)


def _stored_value_topped_up(event: StoredValueToppedUp, _response: Message) -> OutboxEvent:
    answer = event.answer
    return member_event(event.member_id, _topped_up(event), answer.balances, answer.posted_at)


def _balance_imported(event: BalanceImported, _response: Message) -> OutboxEvent:
    return member_event(event.row.member_id, _imported(event), event.balances, event.imported_at)


def _posted(event: CheckoutPosted, response: pb.PostResponse) -> events_pb2.CheckoutPosted:
    message = events_pb2.CheckoutPosted()
    message.member_id = str(event.member_id)
    message.checkout_id = response.checkout_id
    message.place.CopyFrom(to_place(event.place))
    message.posted_at.CopyFrom(response.posted_at)
    message.currency = event.currency
    message.bill_minor = event.bill_minor
    message.posted.CopyFrom(response.posted)
    if event.hold_id is not None:
        message.hold_id = str(event.hold_id)
    return message


@lru_cache(maxsize=4096)
def to_place(place: Place) -> place_pb2.Place:
    """The message of a till; shared, so it is copied into others and never changed."""
    return place_pb2.Place(
        merchant_id=str(place.merchant_id),
        outlet_id=str(place.outlet_id),
        terminal_id=str(place.terminal_id),
        property_code=place.property_code,
        time_zone=place.zone.key,
    )


def _imported(event: BalanceImported) -> events_pb2.BalanceImported:
    row = event.row
    return events_pb2.BalanceImported(
        member_id=str(row.member_id),
        import_id=str(row.import_id),
        reference=row.reference,
        imported_at=to_stamp(event.imported_at),
        asset=TO_ASSET[row.asset],
        amount=row.amount,
        earned_at=to_stamp(row.earned_at),
        expires_at=None if row.expires_at is None else to_stamp(row.expires_at),
        balances=to_balances(event.balances),
    )


def _topped_up(event: StoredValueToppedUp) -> events_pb2.StoredValueToppedUp:
    answer = event.answer
    return events_pb2.StoredValueToppedUp(
        member_id=str(event.member_id),
        top_up_id=str(answer.top_up_id),
        place=to_place(event.place),
        posted_at=to_stamp(answer.posted_at),
        currency=event.currency,
        cash_added_minor=answer.cash_added_minor,
        bonus_added_minor=answer.bonus_added_minor,
        balances=to_balances(answer.balances),
    )


def _reversed(event: CheckoutReversed) -> events_pb2.CheckoutReversed:
    answer = event.answer
    return events_pb2.CheckoutReversed(
        member_id=str(event.member_id),
        checkout_id=str(event.checkout_id),
        reversal_id=str(answer.reversal_id),
        place=to_place(event.place),
        reversed_at=to_stamp(answer.reversed_at),
        points_restored=answer.points_restored,
        cash_restored_minor=answer.cash_restored_minor,
        bonus_restored_minor=answer.bonus_restored_minor,
        points_taken_back=answer.points_taken_back,
        debt_recorded=answer.debt_recorded,
        balances=to_balances(answer.balances),
        currency=event.currency,
        amount_minor=answer.amount_minor,
        points_value_minor=answer.points_value_minor,
        money_minor=answer.money_minor,
        left_minor=answer.left_minor,
        whole=answer.whole,
        taken_back_by=to_taken_back(answer.taken_back_by),
        pending_cancelled=answer.pending_cancelled,
    )


def _hold_authorized(event: HoldAuthorized, _response: Message) -> OutboxEvent:
    answer = event.answer
    message = events_pb2.HoldAuthorized(
        member_id=str(event.member_id),
        hold_id=str(answer.hold_id),
        place=to_place(event.place),
        authorized_at=to_stamp(answer.authorized_at),
        timeout_at=to_stamp(answer.timeout_at) if answer.timeout_at else None,
        checkout_id=str(event.checkout_id or ""),
        currency=event.currency,
        points=answer.held.points,
        cash_minor=answer.held.cash_minor,
        bonus_minor=answer.held.bonus_minor,
        balances=to_balances(answer.balances),
    )
    return member_event(event.member_id, message, answer.balances, answer.authorized_at)


def _hold_captured(event: HoldCaptured, _response: Message) -> OutboxEvent:
    answer = event.answer
    message = events_pb2.HoldCaptured(
        member_id=str(event.member_id),
        hold_id=str(answer.hold_id),
        place=to_place(event.place),
        captured_at=to_stamp(answer.captured_at),
        currency=event.currency,
        points_captured=answer.captured.points,
        cash_captured_minor=answer.captured.cash_minor,
        bonus_captured_minor=answer.captured.bonus_minor,
        points_released=answer.released.points,
        cash_released_minor=answer.released.cash_minor,
        bonus_released_minor=answer.released.bonus_minor,
        balances=to_balances(answer.balances),
    )
    return member_event(event.member_id, message, answer.balances, answer.captured_at)


def _hold_released(event: HoldReleased, _response: Message) -> OutboxEvent:
    message = events_pb2.HoldReleased(
        member_id=str(event.member_id),
        hold_id=str(event.hold_id),
        released_at=to_stamp(event.released_at),
        checkout_id=str(event.checkout_id or ""),
        points=event.released.points,
        cash_minor=event.released.cash_minor,
        bonus_minor=event.released.bonus_minor,
        balances=to_balances(event.balances),
    )
    return member_event(event.member_id, message, event.balances, event.released_at)


def _hold_expired(event: HoldExpired, _response: Message) -> OutboxEvent:
    message = events_pb2.HoldExpired(
        member_id=str(event.member_id),
        hold_id=str(event.hold_id),
        timeout_at=to_stamp(event.timeout_at),
        expired_at=to_stamp(event.expired_at),
        points=event.released.points,
        cash_minor=event.released.cash_minor,
        bonus_minor=event.released.bonus_minor,
        balances=to_balances(event.balances),
    )
    return member_event(event.member_id, message, event.balances, event.expired_at)


def to_programme_event(event: ProgrammeEvent, now: datetime) -> OutboxEvent:
    """An event of the programme as it will be published; its sequence is the key's version."""
    message = _published(event) if isinstance(event, ProgrammePublished) else _retired(event)
    return OutboxEvent(
        PROGRAMME_ID,
        PROGRAMME,
        message.DESCRIPTOR.full_name,
        message.SerializeToString(),
        event.sequence,
        now,
    )


def _published(event: ProgrammePublished) -> Message:
    return events_pb2.ProgrammePublished(
        version=event.version, valid_from=to_stamp(event.valid_from)
    )


def _retired(event: ProgrammeRetired) -> Message:
    return events_pb2.ProgrammeRetired(
        version=event.version, valid_until=to_stamp(event.valid_until)
    )


def _points_transferred(event: PointsTransferred, _response: Message) -> OutboxEvent:
    message = events_pb2.PointsTransferred(
        member_id=str(event.member_id),
        transfer_id=str(event.transfer_id),
        direction=movement_pb2.TransferDirection.Value(f"TRANSFER_DIRECTION_{event.direction}"),
        counterpart_member_id=str(event.counterpart_id),
        points=event.points,
        transferred_at=to_stamp(event.transferred_at),
        balances=to_balances(event.balances),
    )
    return member_event(event.member_id, message, event.balances, event.transferred_at)


def _balance_adjusted(event: BalanceAdjusted, _response: Message) -> OutboxEvent:
    message = events_pb2.BalanceAdjusted(
        member_id=str(event.member_id),
        adjustment_id=str(event.adjustment_id),
        adjusted_at=to_stamp(event.adjusted_at),
        asset=TO_ASSET[event.asset],
        amount=event.amount,
        reason_code=event.reason_code,
        requested_by=event.requested_by,
        approved_by=event.approved_by or "",
        currency=event.currency,
        balances=to_balances(event.balances),
    )
    return member_event(event.member_id, message, event.balances, event.adjusted_at)


def _stored_value_withdrawn(event: StoredValueWithdrawn, _response: Message) -> OutboxEvent:
    answer = event.answer
    message = events_pb2.StoredValueWithdrawn(
        member_id=str(event.member_id),
        withdrawal_id=str(answer.withdrawal_id),
        place=to_place(event.place),
        withdrawn_at=to_stamp(answer.withdrawn_at),
        currency=event.currency,
        tender=to_tender(event.tender),
        withdrawal=to_withdrawal(answer),
    )
    return member_event(event.member_id, message, answer.balances, answer.withdrawn_at)


def _top_up_refunded(event: TopUpRefunded, _response: Message) -> OutboxEvent:
    answer = event.answer
    message = events_pb2.TopUpRefunded(
        member_id=str(event.member_id),
        top_up_id=str(answer.top_up_id),
        refund_id=str(answer.refund_id),
        place=to_place(event.place),
        refunded_at=to_stamp(answer.refunded_at),
        currency=event.currency,
        tender=to_tender(answer.tender),
        cash_refunded_minor=answer.cash_refunded_minor,
        bonus_taken_back_minor=answer.bonus_taken_back_minor,
        balances=to_balances(answer.balances),
    )
    return member_event(event.member_id, message, answer.balances, answer.refunded_at)


_EVENTS: Final[Mapping[type[Event], Callable[[Any, Message], OutboxEvent]]] = {
    CheckoutPosted: _checkout_posted,
    CheckoutReversed: _checkout_reversed,
    StoredValueToppedUp: _stored_value_topped_up,
    ValueExpired: lives.value_expired,
    HoldAuthorized: _hold_authorized,
    HoldCaptured: _hold_captured,
    HoldReleased: _hold_released,
    HoldExpired: _hold_expired,
    PointsMatured: lives.points_matured,
    PointsTransferred: _points_transferred,
    BalanceAdjusted: _balance_adjusted,
    StoredValueWithdrawn: _stored_value_withdrawn,
    TopUpRefunded: _top_up_refunded,
    PointsExtended: lives.points_extended,
    PointsExpiring: lives.points_expiring,
    BalanceImported: _balance_imported,
}
