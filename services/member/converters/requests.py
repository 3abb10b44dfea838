"""Requests: what a caller said, checked as far as the proto can't, in the domain's words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final
from unicodedata import normalize
from uuid import UUID
from zoneinfo import available_timezones

from huitouke.member.v1 import member_pb2, member_service_pb2

from services.member.converters import enums
from services.member.converters.phones import normalised_mobile, valid_mobile
from services.member.domain import errors
from services.member.domain.birthdays import Birthday
from services.member.domain.card_numbers import CardCandidate, normalised_card_number
from services.member.domain.commands import ChangeCardState, Enrol, ReplaceCard
from services.member.domain.consents import Consent
from services.member.domain.identifiers import Identifier, IdentifierKind, normalised_email
from services.member.domain.members import Language, Profile

_JOINERS: Final = str.maketrans("", "", "\u200c\u200d")
"""Zero-width joiners are invisible, yet Persian and Indian names are spelt with them."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a command gets from outside of the request: fresh ids and random candidates."""

    new_id: Callable[[], UUID]
    card_candidates: Callable[[], tuple[CardCandidate, ...]]
    referral_candidates: Callable[[], tuple[str, ...]]


def to_enrol(request: member_service_pb2.EnrolRequest, drawn: Drawn) -> Enrol:
    """Return the command; raises INVALID_FIELD or MOBILE_INVALID."""
    return Enrol(
        member_id=drawn.new_id(),
        card_id=drawn.new_id(),
        profile=_profile(request),
        channel=enums.CHANNELS.to_domain(request.channel),
        referrer_code=request.referrer_code,
        vouched_by_staff=request.vouched_by_staff,
        consents=_consents(request.consents),
        card_candidates=drawn.card_candidates(),
        referral_candidates=drawn.referral_candidates(),
    )


def to_replace_card(request: member_service_pb2.ReplaceCardRequest, drawn: Drawn) -> ReplaceCard:
    return ReplaceCard(
        member_id=UUID(request.member_id),
        new_card_id=drawn.new_id(),
        reason=enums.REPLACEMENT_REASONS.to_domain(request.reason),
        card_candidates=drawn.card_candidates(),
    )


def to_change_card_state(request: member_service_pb2.ChangeCardStateRequest) -> ChangeCardState:
    return ChangeCardState(
        member_id=UUID(request.member_id),
        card_id=UUID(request.card_id),
        state=enums.CARD_STATES.to_domain(request.state),
    )


def to_identifier(identifier: member_pb2.Identifier) -> Identifier:
    """Return the identifier in normal form; raises CARD_UNKNOWN, MOBILE_INVALID, INVALID_FIELD."""
    kind = identifier.WhichOneof("identifier")
    if kind == "member_id":
        return Identifier(IdentifierKind.MEMBER_ID, str(UUID(identifier.member_id)))
    if kind == "card_number":
        number = normalised_card_number(identifier.card_number)
        if number is None:
            raise errors.card_unknown()
        return Identifier(IdentifierKind.CARD_NUMBER, number)
    if kind == "mobile":
        return Identifier(IdentifierKind.MOBILE, normalised_mobile(identifier.mobile))
    if kind == "email":
        return Identifier(IdentifierKind.EMAIL, normalised_email(identifier.email))
    raise errors.invalid_field("identifier", "must name a member in one of the ways")


def _profile(request: member_service_pb2.EnrolRequest) -> Profile:
    return Profile(
        name=_name(request.name),
        mobile=valid_mobile(request.mobile),
        email=normalised_email(request.email),
        birthday=_birthday(request),
        title=enums.TITLES.to_domain(request.title),
        language=enums.LANGUAGES.to_domain(request.language, default=Language.ZH_CN),
        home_property=request.home_property,
        time_zone=_time_zone(request.time_zone),
        tags=tuple(sorted(set(request.tags))),
    )


def _name(text: str) -> str:
    """Return the name in NFC, without blanks around it and doubled ones inside."""
    name = normalize("NFC", " ".join(text.split()))
    visible = name.translate(_JOINERS)
    if not visible or not visible.isprintable():
        raise errors.invalid_field("name", "must have a printable character besides blanks")
    return name


def _birthday(request: member_service_pb2.EnrolRequest) -> Birthday | None:
    if not request.HasField("birthday"):
        return None
    told = request.birthday
    return Birthday(told.year, told.month, told.day, told.lunar)


def _time_zone(name: str) -> str:
    if name not in _known_time_zones():
        raise errors.invalid_field("time_zone", "must be an IANA zone such as Asia/Shanghai")
    return name


@cache
def _known_time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _consents(said: Sequence[member_pb2.Consent]) -> tuple[Consent, ...]:
    return tuple(
        Consent(
            enums.CONTACT_CHANNELS.to_domain(consent.channel),
            enums.CONTACT_PURPOSES.to_domain(consent.purpose),
            consent.granted,
        )
        for consent in said
    )
