"""Responses: what the domain knows, masked, in the wire's words."""

from __future__ import annotations

from copy import copy
from datetime import UTC, date, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.member.v1 import member_pb2, member_service_pb2

from chassis.kernel import Refusal
from chassis.rpc.status import internal_status, to_status
from chassis.security import UnreadableFieldError
from services.member.converters import enums
from services.member.domain.answers import Answer, Enrolled, Replaced
from services.member.domain.birthdays import LunarCalendar, birth_month
from services.member.domain.cards import Card, CardState, IssuedCard
from services.member.domain.masks import masked_card_number, masked_mobile, masked_name
from services.member.domain.members import Contact, Member, Resolved

Response = (
    member_service_pb2.EnrolResponse
    | member_service_pb2.ReplaceCardResponse
    | member_service_pb2.ChangeCardStateResponse
)
RESPONSE_TYPES: Final[tuple[type[Response], ...]] = (
    member_service_pb2.EnrolResponse,
    member_service_pb2.ReplaceCardResponse,
    member_service_pb2.ChangeCardStateResponse,
)
CHINA: Final = timedelta(hours=8)
"""The lunar calendar is reckoned at UTC+8, so that is where "this year" is asked."""


def to_timestamp(instant: datetime) -> Timestamp:
    """Return an aware instant, to the microsecond."""
    stamp = Timestamp()
    stamp.FromDatetime(instant.astimezone(UTC))
    return stamp


def today_in_china(now: datetime) -> date:
    return (now + CHINA).date()


def to_response(answer: Answer, today: date, calendar: LunarCalendar) -> Response:
    """Return the response message of a command's answer."""
    if isinstance(answer, Enrolled):
        return member_service_pb2.EnrolResponse(
            member=to_member(answer.member, today, calendar),
            issued_card=_issued_card(answer.issued),
        )
    if isinstance(answer, Replaced):
        return member_service_pb2.ReplaceCardResponse(
            member=to_member(answer.member, today, calendar),
            issued_card=_issued_card(answer.issued),
        )
    return member_service_pb2.ChangeCardStateResponse(card=to_card(answer.card))


def without_secrets(response: Response) -> Response:
    """Return a response as a replay shows it: a verification value is told once."""
    if isinstance(response, member_service_pb2.ChangeCardStateResponse):
        return response
    kept = copy(response)
    kept.issued_card.verification_value = ""
    return kept


def to_member(member: Member, today: date, calendar: LunarCalendar) -> member_pb2.Member:
    """Return the masked member; a card that isn't active is left out."""
    profile = member.profile
    active = member.card is not None and member.card.state is CardState.ACTIVE
    return member_pb2.Member(
        member_id=str(member.member_id),
        masked_name=masked_name(profile.name),
        title=enums.TITLES.to_wire(profile.title),
        masked_mobile=masked_mobile(profile.mobile),
        language=enums.LANGUAGES.to_wire(profile.language),
        home_property=profile.home_property,
        tier=member.tier,
        tags=profile.tags,
        enrolled_at=to_timestamp(member.enrolled_at),
        channel=enums.CHANNELS.to_wire(member.channel),
        referral_code=member.referral_code,
        card=to_card(member.card) if member.card is not None and active else None,
        etag=str(member.version),
        birth_month=birth_month(profile.birthday, today, calendar),
    )


def to_card(card: Card) -> member_pb2.Card:
    return member_pb2.Card(
        card_id=str(card.card_id),
        masked_number=masked_card_number(card.number),
        state=enums.CARD_STATES.to_wire(card.state),
        issued_at=to_timestamp(card.issued_at),
    )


def to_outcome(
    found: Resolved | Refusal | UnreadableFieldError, today: date, calendar: LunarCalendar
) -> member_service_pb2.ResolveOutcome:
    """Return what one identifier of a batch means; INTERNAL for a row that can't be decrypted."""
    if isinstance(found, UnreadableFieldError):
        return member_service_pb2.ResolveOutcome(error=internal_status())
    if isinstance(found, Refusal):
        return member_service_pb2.ResolveOutcome(error=to_status(found))
    return member_service_pb2.ResolveOutcome(
        resolution=member_pb2.Resolution(
            member_id=str(found.member_id),
            masked_name=masked_name(found.name),
            tier=found.tier,
            tags=found.tags,
            birth_month=birth_month(found.birthday, today, calendar),
        )
    )


def to_contact(contact: Contact) -> member_pb2.Contact:
    """Return the contact in clear: for delivery of messages alone."""
    return member_pb2.Contact(
        member_id=str(contact.member_id),
        name=contact.name,
        title=enums.TITLES.to_wire(contact.title),
        mobile=contact.mobile,
        email=contact.email,
        language=enums.LANGUAGES.to_wire(contact.language),
        consents=[
            member_pb2.Consent(
                channel=enums.CONTACT_CHANNELS.to_wire(consent.channel),
                purpose=enums.CONTACT_PURPOSES.to_wire(consent.purpose),
                granted=consent.granted,
            )
            for consent in contact.consents
        ],
    )


def _issued_card(issued: IssuedCard) -> member_pb2.IssuedCard:
    return member_pb2.IssuedCard(
        card_id=str(issued.card_id),
        number=issued.told.number,
        verification_value=issued.told.verification_value,
    )
