"""Synthetic guests for the tests of the rules."""

from datetime import UTC, datetime
from uuid import UUID

from chassis.identifiers import new_id
from services.member.domain.book import Book
from services.member.domain.card_numbers import CardCandidate, card_number
from services.member.domain.commands import Enrol
from services.member.domain.consents import Consent
from services.member.domain.members import EnrolmentChannel, Language, Profile, Title

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def candidate(random: int) -> CardCandidate:
    return CardCandidate(card_number("8866", random), f"{random % 10_000:04d}")


def profile(number: int, email: str = "") -> Profile:
    return Profile(
        name=f"虚构{number}",
        mobile=f"+8619900{number:06d}",
        email=email,
        birthday=None,
        title=Title.MS,
        language=Language.ZH_CN,
        home_property="SH01",
        time_zone="Asia/Shanghai",
    )


def enrolment(
    number: int,
    *,
    email: str = "",
    channel: EnrolmentChannel = EnrolmentChannel.FRONT_DESK,
    staff: str = "S-1",
    referrer_code: str = "",
    cards: tuple[CardCandidate, ...] = (),
    codes: tuple[str, ...] = (),
    consents: tuple[Consent, ...] = (),
) -> Enrol:
    return Enrol(
        member_id=new_id(),
        card_id=new_id(),
        profile=profile(number, email),
        channel=channel,
        referrer_code=referrer_code,
        vouched_by_staff=staff,
        consents=consents,
        card_candidates=cards or (candidate(number),),
        referral_candidates=codes or (f"AAAA{number:04d}",),
    )


def empty_book(**known: object) -> Book:
    book = Book(entry_tier="CLASSIC")
    for name, value in known.items():
        setattr(book, name, value)
    return book


SOMEBODY = UUID(int=7)
