"""Requests in the domain's words, and what of them is refused at the door."""

from typing import Any

import pytest
from huitouke.member.v1 import member_pb2, member_service_pb2

from chassis.kernel import Refusal
from services.member.converters.requests import to_enrol, to_identifier
from services.member.domain.birthdays import Birthday
from services.member.domain.identifiers import Identifier, IdentifierKind
from services.member.domain.members import Language
from services.member.servicers.drawing import CANDIDATES, Drawing

KEY = bytes(range(32))
DRAWN = Drawing("8866", KEY).drawn()


def request(**changes: Any) -> member_service_pb2.EnrolRequest:
    fields: dict[str, Any] = {
        "name": "虚构",
        "mobile": "+8619900000001",
        "home_property": "SH01",
        "channel": member_pb2.ENROLMENT_CHANNEL_FRONT_DESK,
        "time_zone": "Asia/Shanghai",
    }
    return member_service_pb2.EnrolRequest(**(fields | changes))


def refused_field(**changes: Any) -> str:
    with pytest.raises(Refusal) as refused:
        to_enrol(request(**changes), DRAWN)
    assert refused.value.reason == "INVALID_FIELD"
    return refused.value.fields[0].field


def test_a_guest_who_says_nothing_of_language_is_addressed_in_chinese() -> None:
    assert to_enrol(request(), DRAWN).profile.language is Language.ZH_CN


def test_blanks_around_and_doubled_in_a_name_are_dropped() -> None:
    assert to_enrol(request(name="  Ada \u3000 Lovelace\n"), DRAWN).profile.name == "Ada Lovelace"


@pytest.mark.parametrize("name", ["علی\u200cرضا", "क्\u200dष", "O'Hara-Núñez"])
def test_names_of_all_scripts_are_taken_as_they_are(name: str) -> None:
    assert to_enrol(request(name=name), DRAWN).profile.name == name


def test_one_name_has_one_spelling() -> None:
    assert to_enrol(request(name="Zoe\u0308"), DRAWN).profile.name == "Zo\u00eb"


@pytest.mark.parametrize("name", ["\u200d", "   ", "\u3000", "A\x00B", "A\u202eB"])
def test_a_name_of_blanks_or_control_characters_is_refused(name: str) -> None:
    assert refused_field(name=name) == "name"


@pytest.mark.parametrize("zone", ["Asia/Nowhere", "../etc/passwd", "CST+8"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    assert refused_field(time_zone=zone) == "time_zone"


def test_an_email_is_kept_as_it_is_compared() -> None:
    assert to_enrol(request(email="Guest@Example.COM"), DRAWN).profile.email == "guest@example.com"


def test_tags_are_a_set() -> None:
    assert to_enrol(request(tags=["vip", "family", "vip"]), DRAWN).profile.tags == ("family", "vip")


def test_a_lunar_birthday_without_year_is_kept_as_such() -> None:
    told = member_pb2.Birthday(month=8, day=15, lunar=True)
    assert to_enrol(request(birthday=told), DRAWN).profile.birthday == Birthday(0, 8, 15, True)


def test_ids_and_numbers_are_drawn_afresh_for_each_command() -> None:
    one, other = to_enrol(request(), DRAWN), to_enrol(request(), DRAWN)
    assert one.member_id != other.member_id != one.card_id
    assert len({*one.card_candidates, *other.card_candidates}) == 2 * CANDIDATES
    assert len({*one.referral_candidates, *other.referral_candidates}) == 2 * CANDIDATES


def test_one_number_has_one_verification_value_under_a_key() -> None:
    drawn = {card.number: card.verification_value for card in DRAWN.card_candidates()}
    again = Drawing("8866", KEY)
    for number, value in drawn.items():
        assert again.verification_value(number) == value


@pytest.mark.parametrize(
    ("wire", "identifier"),
    [
        (
            {"member_id": "0197F1A2-0000-7000-8000-000000000001"},
            Identifier(IdentifierKind.MEMBER_ID, "0197f1a2-0000-7000-8000-000000000001"),
        ),
        (
            {"card_number": "4539 1488 0343 6467"},
            Identifier(IdentifierKind.CARD_NUMBER, "4539148803436467"),
        ),
        ({"mobile": "+8619900000001"}, Identifier(IdentifierKind.MOBILE, "+8619900000001")),
        ({"email": "Guest@Example.com"}, Identifier(IdentifierKind.EMAIL, "guest@example.com")),
    ],
)
def test_an_identifier_is_brought_into_its_normal_form(
    wire: dict[str, str], identifier: Identifier
) -> None:
    assert to_identifier(member_pb2.Identifier(**wire)) == identifier


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ({"card_number": "4539 1488 0343 6468"}, "CARD_UNKNOWN"),
        ({"card_number": "1234            "}, "CARD_UNKNOWN"),
        ({"mobile": "+999123456789"}, "MOBILE_INVALID"),
        ({}, "INVALID_FIELD"),
    ],
)
def test_an_identifier_that_can_name_nobody_is_refused_at_the_door(
    wire: dict[str, str], reason: str
) -> None:
    with pytest.raises(Refusal) as refused:
        to_identifier(member_pb2.Identifier(**wire))
    assert refused.value.reason == reason
