"""Enrolment: a guest becomes a member and gets a card."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from chassis.kernel import Decision
from services.member.domain import cards, errors
from services.member.domain.answers import Answer, Enrolled
from services.member.domain.birthdays import LunarCalendar, check_birthday
from services.member.domain.book import Book
from services.member.domain.commands import Enrol
from services.member.domain.consents import consents_at_enrolment
from services.member.domain.events import Event, MemberEnrolled
from services.member.domain.members import EnrolmentChannel, Member

LATEST_ZONE: Final = timedelta(hours=14)
"""Somewhere on earth it is already this much later than UTC; a birthday may be that day."""


def enrol(
    book: Book, command: Enrol, now: datetime, calendar: LunarCalendar
) -> Decision[Answer, Event]:
    """Decide an enrolment; raises the refusal of the first rule that is broken.

    The mobile must be vouched for before anything is said about it: MOBILE_NOT_PROVEN comes
    before ALREADY_ENROLLED.
    """
    _check_proven(command)
    if command.profile.birthday is not None:
        check_birthday(command.profile.birthday, _today_anywhere(now), calendar)
    consents = consents_at_enrolment(command.consents)
    _check_free(book, command)
    referred_by = _referrer(book, command.referrer_code)
    candidate = book.free_candidate(command.card_candidates)
    card, issued = cards.issue(candidate, command.card_id, command.member_id, now)
    member = Member(
        member_id=command.member_id,
        version=1,
        profile=command.profile,
        channel=command.channel,
        tier=book.entry_tier,
        referral_code=book.free_referral_code(command.referral_candidates),
        enrolled_at=now,
        changed_at=now,
        card=card,
        referred_by=referred_by,
        vouched_by_staff=command.vouched_by_staff,
        consents=consents,
    )
    book.enrol(member, card)
    return Decision(Enrolled(member, issued), (_enrolled(member, command.card_id),))


def _check_proven(command: Enrol) -> None:
    """Raise MOBILE_NOT_PROVEN unless staff of a front desk vouches for the mobile."""
    at_desk = command.channel is EnrolmentChannel.FRONT_DESK
    if not (at_desk and command.vouched_by_staff):
        raise errors.mobile_not_proven()


def _check_free(book: Book, command: Enrol) -> None:
    profile = command.profile
    owner = book.member_of_mobile.get(profile.mobile)
    if owner is not None:
        raise errors.already_enrolled(owner)
    if profile.email and profile.email in book.taken_emails:
        raise errors.email_taken()


def _referrer(book: Book, code: str) -> UUID | None:
    if not code:
        return None
    try:
        return book.member_of_referral_code[code]
    except KeyError:
        raise errors.referrer_unknown() from None


def _today_anywhere(now: datetime) -> date:
    return (now + LATEST_ZONE).date()


def _enrolled(member: Member, card_id: UUID) -> MemberEnrolled:
    return MemberEnrolled(
        member_id=member.member_id,
        version=member.version,
        home_property=member.profile.home_property,
        channel=member.channel,
        language=member.profile.language,
        tier=member.tier,
        enrolled_at=member.enrolled_at,
        referred_by=member.referred_by,
        card_id=card_id,
    )
