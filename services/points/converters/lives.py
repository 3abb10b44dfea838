"""Events on how long value lives, as they will be published: maturing, extension, warning, end."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from google.protobuf.message import Message
from huitouke.points.v1 import events_pb2, purchase_pb2

from chassis.storage.outbox import OutboxEvent
from services.points.converters.answers import to_balances
from services.points.converters.values import TO_ASSET, TO_FUNDER, to_stamp
from services.points.domain.accounts import Balances
from services.points.domain.events import (
    PointsExpiring,
    PointsExtended,
    PointsMatured,
    ValueExpired,
)

MEMBER: Final = "member"


def member_event(
    member_id: UUID, message: Message, balances: Balances, occurred_at: datetime
) -> OutboxEvent:
    """The event of a member, under the version that its balances carry."""
    return OutboxEvent(
        member_id,
        MEMBER,
        message.DESCRIPTOR.full_name,
        message.SerializeToString(),
        balances.member_version,
        occurred_at,
    )


def value_expired(event: ValueExpired, _response: Message) -> OutboxEvent:
    message = events_pb2.ValueExpired(
        member_id=str(event.member_id),
        expired_at=to_stamp(event.expired_at),
        points=event.points,
        bonus_minor=event.bonus_minor,
        balances=to_balances(event.balances),
    )
    return member_event(event.member_id, message, event.balances, event.expired_at)


def points_expiring(event: PointsExpiring, _response: Message) -> OutboxEvent:
    message = events_pb2.PointsExpiring(
        member_id=str(event.member_id),
        warned_at=to_stamp(event.warned_at),
        asset=TO_ASSET[event.asset],
        amount=event.amount,
        expires_at=to_stamp(event.expires_at),
        days=event.days,
        balances=to_balances(event.balances),
    )
    return member_event(event.member_id, message, event.balances, event.warned_at)


def points_extended(event: PointsExtended, _response: Message) -> OutboxEvent:
    extension = event.extension
    message = events_pb2.PointsExtended(
        member_id=str(extension.member_id),
        extended_at=to_stamp(extension.extended_at),
        checkout_id=str(extension.checkout_id),
        points=extension.points,
        expires_at=to_stamp(extension.expires_at),
        programme_version=extension.programme_version,
        balances=to_balances(event.balances),
    )
    return member_event(extension.member_id, message, event.balances, extension.extended_at)


def points_matured(event: PointsMatured, _response: Message) -> OutboxEvent:
    message = events_pb2.PointsMatured(
        member_id=str(event.member_id),
        checkout_id=str(event.checkout_id),
        merchant_id=str(event.merchant_id),
        matured_at=to_stamp(event.matured_at),
        points=event.points,
        debt_collected=event.debt_collected,
        earned_by=[
            purchase_pb2.EarnedBy(
                rule_code=by.rule,
                points=by.points,
                eligible_minor=by.eligible_minor,
                funder=TO_FUNDER[by.funder],
            )
            for by in event.earned_by
        ],
        programme_version=event.programme_version,
        expires_at=to_stamp(event.expires_at) if event.expires_at else None,
        balances=to_balances(event.balances),
    )
    return member_event(event.member_id, message, event.balances, event.matured_at)
