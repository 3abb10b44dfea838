"""Answers and events into messages: what a caller gets, what is remembered, what is published."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Final, TypeVar
from uuid import UUID

from google.protobuf.message import Message
from huitouke.points.v1 import events_pb2, purchase_pb2
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.type.v1 import place_pb2

from chassis.kernel import Decision
from chassis.storage.outbox import OutboxEvent
from services.points.converters.values import TO_FUNDER, to_stamp
from services.points.domain.accounts import Balances
from services.points.domain.answers import (
    Answer,
    CancelAnswer,
    ExpireAnswer,
    PostAnswer,
    Posted,
    PublishAnswer,
    ReverseAnswer,
    TopUpAnswer,
)
from services.points.domain.books import Books
from services.points.domain.commands import Command, PublishProgramme
from services.points.domain.events import (
    CheckoutPosted,
    CheckoutReversed,
    Event,
    ProgrammePublished,
    StoredValueToppedUp,
    ValueExpired,
)
from services.points.domain.publishing import Shelf
from services.points.domain.purchases import Place

Response = (
    pb.PostResponse
    | pb.CancelPostResponse
    | pb.ReverseResponse
    | pb.TopUpResponse
    | events_pb2.ValueExpired
)
RESPONSE_TYPES: Final = (
    pb.PostResponse,
    pb.CancelPostResponse,
    pb.ReverseResponse,
    pb.TopUpResponse,
    events_pb2.ValueExpired,
)
PROGRAMME_ID: Final = UUID("01900000-0000-7000-8000-000000000001")
"""The key of the programme's events: there is one programme."""

MEMBER, PROGRAMME = "member", "programme"
S = TypeVar("S")
Deciding = Callable[[Books, Command, datetime], Decision[Answer, Event]]


def answering(
    decide: Deciding,
) -> Callable[[Books, Command, datetime], Decision[Response, OutboxEvent]]:
    """Return `decide` with its answer and events in wire form, each made once."""

    def answer(books: Books, command: Command, now: datetime) -> Decision[Response, OutboxEvent]:
        decision = decide(books, command, now)
        assert decision.answer is not None, "no command of the ledger is a proof that can fail"
        response = to_response(decision.answer)
        events = tuple([to_outbox(event, response) for event in decision.events])
        return Decision(response, events)

    return answer


def to_response(answer: Answer) -> Response:
    if isinstance(answer, PostAnswer):
        return _post(answer)
    if isinstance(answer, TopUpAnswer):
        return _top_up(answer)
    if isinstance(answer, ReverseAnswer):
        return _reverse(answer)
    if isinstance(answer, CancelAnswer):
        return _cancel(answer)
    return _expire(answer)


def to_outbox(event: Event, response: Response) -> OutboxEvent:
    """The event as it will be published; a checkout's shares what was answered."""
    if isinstance(event, CheckoutPosted):
        answer = event.answer
        assert isinstance(response, pb.PostResponse), "a checkout is posted by Post"
        message: Message = _posted(event, response)
        return _outbox(event.member_id, message, answer.posted.balances, answer.posted_at)
    if isinstance(event, ValueExpired):
        return _outbox(event.member_id, _expired(event), event.balances, event.expired_at)
    if isinstance(event, StoredValueToppedUp):
        topped_up = event.answer
        message = _topped_up(event)
        return _outbox(event.member_id, message, topped_up.balances, topped_up.posted_at)
    reversed_ = event.answer
    return _outbox(event.member_id, _reversed(event), reversed_.balances, reversed_.reversed_at)


def _posted(event: CheckoutPosted, response: pb.PostResponse) -> events_pb2.CheckoutPosted:
    message = events_pb2.CheckoutPosted()
    message.member_id = str(event.member_id)
    message.checkout_id = response.checkout_id
    message.place.CopyFrom(to_place(event.place))
    message.posted_at.CopyFrom(response.posted_at)
    message.currency = event.currency
    message.bill_minor = event.bill_minor
    message.posted.CopyFrom(response.posted)
    return message


def _outbox(
    member_id: UUID, message: Message, balances: Balances, occurred_at: datetime
) -> OutboxEvent:
    return OutboxEvent(
        member_id,
        MEMBER,
        message.DESCRIPTOR.full_name,
        message.SerializeToString(),
        balances.member_version,
        occurred_at,
    )


def to_posted(posted: Posted) -> purchase_pb2.Posted:
    message = purchase_pb2.Posted()
    _fill_posted(message, posted)
    return message


def to_balances(balances: Balances) -> purchase_pb2.Balances:
    message = purchase_pb2.Balances()
    _fill_balances(message, balances)
    return message


def _fill_posted(message: purchase_pb2.Posted, posted: Posted) -> None:
    """Set the fields in place: a constructor's keywords take several times as long."""
    message.points_redeemed = posted.points_redeemed
    message.points_value_minor = posted.points_value_minor
    message.cash_paid_minor = posted.cash_paid_minor
    message.bonus_paid_minor = posted.bonus_paid_minor
    message.to_pay_minor = posted.to_pay_minor
    message.points_earned = posted.points_earned
    message.debt_collected = posted.debt_collected
    message.programme_version = posted.programme_version
    for by in posted.earned_by:
        earned = message.earned_by.add()
        earned.rule_code = by.rule
        earned.points = by.points
        earned.eligible_minor = by.eligible_minor
        earned.funder = TO_FUNDER[by.funder]
    _fill_balances(message.balances, posted.balances)


def _fill_balances(message: purchase_pb2.Balances, balances: Balances) -> None:
    message.points = balances.points
    message.cash_minor = balances.cash_minor
    message.bonus_minor = balances.bonus_minor
    message.points_debt = balances.points_debt
    message.member_version = balances.member_version
    message.next_expiring_points = balances.next_expiring_points
    if balances.next_expiry is not None:
        message.next_expiry.CopyFrom(to_stamp(balances.next_expiry))
    message.SetInParent()  # present also where a member has nothing


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


def _post(answer: PostAnswer) -> pb.PostResponse:
    message = pb.PostResponse(checkout_id=str(answer.checkout_id))
    message.posted_at.CopyFrom(to_stamp(answer.posted_at))
    _fill_posted(message.posted, answer.posted)
    return message


def _cancel(answer: CancelAnswer) -> pb.CancelPostResponse:
    if answer.posted is not None:
        return pb.CancelPostResponse(posted=_post(answer.posted))
    assert answer.cancelled_at is not None, "a checkout is either posted or cancelled"
    return pb.CancelPostResponse(cancelled=pb.Cancelled(cancelled_at=to_stamp(answer.cancelled_at)))


def _reverse(answer: ReverseAnswer) -> pb.ReverseResponse:
    return pb.ReverseResponse(
        reversal_id=str(answer.reversal_id),
        reversed_at=to_stamp(answer.reversed_at),
        points_restored=answer.points_restored,
        cash_restored_minor=answer.cash_restored_minor,
        bonus_restored_minor=answer.bonus_restored_minor,
        points_taken_back=answer.points_taken_back,
        debt_recorded=answer.debt_recorded,
        balances=to_balances(answer.balances),
    )


def _top_up(answer: TopUpAnswer) -> pb.TopUpResponse:
    return pb.TopUpResponse(
        top_up_id=str(answer.top_up_id),
        posted_at=to_stamp(answer.posted_at),
        cash_added_minor=answer.cash_added_minor,
        bonus_added_minor=answer.bonus_added_minor,
        balances=to_balances(answer.balances),
    )


def _expire(answer: ExpireAnswer) -> events_pb2.ValueExpired:
    return events_pb2.ValueExpired(points=answer.points, bonus_minor=answer.bonus_minor)


def _expired(event: ValueExpired) -> events_pb2.ValueExpired:
    return events_pb2.ValueExpired(
        member_id=str(event.member_id),
        expired_at=to_stamp(event.expired_at),
        points=event.points,
        bonus_minor=event.bonus_minor,
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
    )


def answering_publish(
    publish: Callable[
        [Shelf, PublishProgramme, datetime], Decision[PublishAnswer, ProgrammePublished]
    ],
) -> Callable[
    [Shelf, PublishProgramme, datetime], Decision[pb.PublishProgrammeResponse, OutboxEvent]
]:
    """Return `publish` with its answer and event in wire form."""

    def answer(
        shelf: Shelf, command: PublishProgramme, now: datetime
    ) -> Decision[pb.PublishProgrammeResponse, OutboxEvent]:
        decision = publish(shelf, command, now)
        assert decision.answer is not None, "publishing is no proof that can fail"
        events = tuple(_published(event, now) for event in decision.events)
        return Decision(pb.PublishProgrammeResponse(version=decision.answer.version), events)

    return answer


def _published(event: ProgrammePublished, now: datetime) -> OutboxEvent:
    message = events_pb2.ProgrammePublished(
        version=event.version, valid_from=to_stamp(event.valid_from)
    )
    return OutboxEvent(
        PROGRAMME_ID,
        PROGRAMME,
        message.DESCRIPTOR.full_name,
        message.SerializeToString(),
        event.version,
        now,
    )
