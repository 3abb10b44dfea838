"""Enrolment as a rule: who becomes a member, who doesn't, and that a refusal changes nothing."""

import copy
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel import Refusal
from services.member.converters.lunar import ChineseCalendar
from services.member.domain.answers import Enrolled
from services.member.domain.book import Book
from services.member.domain.commands import Enrol
from services.member.domain.deciding import decide
from services.member.domain.events import MemberEnrolled
from services.member.domain.members import EnrolmentChannel
from tests.unit.member.guests import NOW, SOMEBODY, candidate, empty_book, enrolment

CALENDAR = ChineseCalendar()


def enrolled(book: Book, command: Enrol) -> tuple[Enrolled, MemberEnrolled]:
    decision = decide(book, command, NOW, CALENDAR)
    assert isinstance(decision.answer, Enrolled)
    (event,) = decision.events
    assert isinstance(event, MemberEnrolled)
    return decision.answer, event


def refusal(book: Book, command: Enrol) -> Refusal:
    before = copy.deepcopy(book)
    with pytest.raises(Refusal) as refused:
        decide(book, command, NOW, CALENDAR)
    assert book == before
    return refused.value


def test_a_new_member_gets_the_lowest_tier_a_card_and_the_first_version() -> None:
    answer, event = enrolled(empty_book(), enrolment(1))
    assert answer.member.tier == "CLASSIC"
    assert answer.member.card is not None
    assert answer.member.card.number == answer.issued.told.number
    assert (event.version, event.member_id) == (1, answer.member.member_id)
    assert event.card_id == answer.issued.card_id


def test_the_mobile_of_a_member_is_answered_with_that_member() -> None:
    book = empty_book(member_of_mobile={"+8619900000001": SOMEBODY})
    refused = refusal(book, enrolment(1))
    assert refused.reason == "ALREADY_ENROLLED"
    assert refused.metadata == {"member_id": str(SOMEBODY)}


@pytest.mark.parametrize("channel", sorted(set(EnrolmentChannel) - {EnrolmentChannel.FRONT_DESK}))
def test_who_has_not_proven_a_mobile_never_learns_that_it_is_enrolled(
    channel: EnrolmentChannel,
) -> None:
    known = empty_book(member_of_mobile={"+8619900000001": SOMEBODY})
    for book in (known, empty_book()):
        assert refusal(book, enrolment(1, channel=channel)).reason == "MOBILE_NOT_PROVEN"


def test_a_front_desk_where_nobody_vouches_proves_nothing() -> None:
    assert refusal(empty_book(), enrolment(1, staff="")).reason == "MOBILE_NOT_PROVEN"


def test_an_email_belongs_to_one_member() -> None:
    book = empty_book(taken_emails={"guest@example.com"})
    assert refusal(book, enrolment(1, email="guest@example.com")).reason == "EMAIL_TAKEN"
    enrolled(book, enrolment(2))


def test_a_referrer_is_found_by_code_and_named_in_the_event() -> None:
    book = empty_book(member_of_referral_code={"BBBB2222": SOMEBODY})
    _, event = enrolled(book, enrolment(1, referrer_code="BBBB2222"))
    assert event.referred_by == SOMEBODY


def test_an_unknown_referrer_is_refused() -> None:
    assert refusal(empty_book(), enrolment(1, referrer_code="ZZZZ9999")).reason == (
        "REFERRER_UNKNOWN"
    )


def test_a_number_that_is_taken_gives_way_to_the_next_candidate() -> None:
    book = empty_book(taken_card_numbers={candidate(1).number}, taken_referral_codes={"AAAA2222"})
    command = enrolment(1, cards=(candidate(1), candidate(2)), codes=("AAAA2222", "AAAA3333"))
    answer, _ = enrolled(book, command)
    assert answer.issued.told == candidate(2)
    assert answer.member.referral_code == "AAAA3333"


@pytest.mark.parametrize(
    "exhausted",
    [
        lambda: empty_book(taken_card_numbers={candidate(1).number}),
        lambda: empty_book(taken_referral_codes={"AAAA0001"}),
    ],
)
def test_when_every_candidate_is_taken_the_caller_may_try_again(
    exhausted: Callable[[], Book],
) -> None:
    assert refusal(exhausted(), enrolment(1)).passing


@given(st.lists(st.integers(1, 5), max_size=20))
def test_in_one_batch_each_mobile_email_code_and_number_goes_to_one_member(
    guests: list[int],
) -> None:
    book = empty_book()
    for place, guest in enumerate(guests):
        numbers = tuple(candidate(number) for number in range(20))
        codes = tuple(f"AAAA{number:04d}" for number in range(20))
        command = enrolment(guest, email=f"{place % 3}@example.com", cards=numbers, codes=codes)
        with suppress(Refusal):
            decide(book, command, NOW, CALENDAR)
    members = book.enrolled
    for values in (
        [member.profile.mobile for member in members],
        [member.profile.email for member in members],
        [member.referral_code for member in members],
        [card.number for card in book.issued],
    ):
        assert len(set(values)) == len(values) == len(members)


def test_a_command_and_a_member_never_show_personal_data() -> None:
    command = enrolment(1, email="guest@example.com")
    answer, event = enrolled(empty_book(), command)
    shown = repr((command, answer, event))
    assert "虚构" not in shown
    assert "199000" not in shown
    assert "guest@" not in shown
    assert "8866" not in shown
