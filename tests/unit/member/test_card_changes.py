"""Card changes as rules: one card in use, one version a change, nothing else moves."""

import copy
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.identifiers import new_id
from chassis.kernel import Refusal
from services.member.converters.lunar import ChineseCalendar
from services.member.domain.answers import Replaced, StateChanged
from services.member.domain.book import Book
from services.member.domain.cards import CURRENT, CardState, ReplacementReason
from services.member.domain.commands import ChangeCardState, Command, ReplaceCard
from services.member.domain.deciding import decide
from services.member.domain.events import CardReplaced, CardStateChanged
from services.member.domain.members import Member
from tests.unit.member.guests import NOW, SOMEBODY, candidate, empty_book, enrolment

CALENDAR = ChineseCalendar()
LATER = NOW + timedelta(hours=1)


def one_member() -> tuple[Book, Member]:
    """A book in which one enrolled member is locked."""
    first = empty_book()
    decide(first, enrolment(1), NOW, CALENDAR)
    (member,) = first.enrolled
    assert member.card is not None
    known = {"members": {member.member_id: member}, "cards": {member.card.card_id: member.card}}
    return empty_book(**known), member


def replacement(member_id: UUID, number: int = 100) -> ReplaceCard:
    return ReplaceCard(member_id, new_id(), ReplacementReason.DAMAGED, (candidate(number),))


def card_id_of(member: Member) -> UUID:
    assert member.card is not None
    return member.card.card_id


def refused(book: Book, command: Command) -> Refusal:
    before = copy.deepcopy(book)
    with pytest.raises(Refusal) as refusal:
        decide(book, command, LATER, CALENDAR)
    assert book == before
    return refusal.value


def test_a_replacement_ends_the_old_card_at_the_instant_the_new_one_begins() -> None:
    book, member = one_member()
    old = book.cards[card_id_of(member)]
    decision = decide(book, replacement(member.member_id), LATER, CALENDAR)
    assert isinstance(decision.answer, Replaced)
    assert (old.state, old.changed_at) == (CardState.REPLACED, LATER)
    new = book.cards[decision.answer.issued.card_id]
    assert (new.state, new.issued_at) == (CardState.ACTIVE, LATER)
    (event,) = decision.events
    assert isinstance(event, CardReplaced)
    assert (event.old_card_id, event.new_card_id) == (old.card_id, new.card_id)
    assert (event.version, member.version) == (2, 2)


@pytest.mark.parametrize("state", [CardState.FROZEN, CardState.LOST])
def test_a_frozen_or_lost_card_can_be_replaced(state: CardState) -> None:
    book, member = one_member()
    decide(book, ChangeCardState(member.member_id, card_id_of(member), state), LATER, CALENDAR)
    decide(book, replacement(member.member_id), LATER, CALENDAR)
    assert member.card is not None
    assert member.card.state is CardState.ACTIVE


def test_a_closed_card_has_no_successor() -> None:
    book, member = one_member()
    closing = ChangeCardState(member.member_id, card_id_of(member), CardState.CLOSED)
    decide(book, closing, LATER, CALENDAR)
    refusal = refused(book, replacement(member.member_id))
    assert (refusal.reason, refusal.metadata) == ("CARD_STATE", {"state": "CLOSED"})


def test_a_state_change_is_told_with_both_states() -> None:
    book, member = one_member()
    freezing = ChangeCardState(member.member_id, card_id_of(member), CardState.FROZEN)
    decision = decide(book, freezing, LATER, CALENDAR)
    assert isinstance(decision.answer, StateChanged)
    (event,) = decision.events
    assert isinstance(event, CardStateChanged)
    assert (event.old_state, event.new_state) == (CardState.ACTIVE, CardState.FROZEN)
    assert event.version == member.version == 2


def test_freezing_twice_is_refused() -> None:
    book, member = one_member()
    freezing = ChangeCardState(member.member_id, card_id_of(member), CardState.FROZEN)
    decide(book, freezing, LATER, CALENDAR)
    assert refused(book, freezing).metadata == {"state": "FROZEN"}


def test_replaced_is_not_a_state_to_ask_for() -> None:
    book, member = one_member()
    asking = ChangeCardState(member.member_id, card_id_of(member), CardState.REPLACED)
    assert refused(book, asking).reason == "CARD_STATE"


def test_an_unknown_member_is_not_found() -> None:
    book, _ = one_member()
    assert refused(book, replacement(SOMEBODY)).reason == "MEMBER_NOT_FOUND"
    change = ChangeCardState(SOMEBODY, SOMEBODY, CardState.FROZEN)
    assert refused(book, change).reason == "MEMBER_NOT_FOUND"


def test_another_members_card_is_unknown() -> None:
    book, member = one_member()
    other_book, other = one_member()
    book.members |= other_book.members
    book.cards |= other_book.cards
    change = ChangeCardState(member.member_id, card_id_of(other), CardState.FROZEN)
    assert refused(book, change).reason == "CARD_UNKNOWN"


STEPS = st.lists(
    st.one_of(st.just("replace"), st.sampled_from(list(CardState))), min_size=1, max_size=30
)


@given(STEPS)
def test_whatever_is_done_one_card_at_most_is_in_use_and_versions_have_no_gap(
    steps: list[CardState | str],
) -> None:
    book, member = one_member()
    versions = [member.version]
    for number, step in enumerate(steps):
        card_id = card_id_of(member) if member.card is not None else next(iter(book.cards))
        command: Command = (
            ChangeCardState(member.member_id, card_id, step)
            if isinstance(step, CardState)
            else replacement(member.member_id, 100 + number)
        )
        try:
            decision = decide(book, command, LATER, CALENDAR)
        except Refusal:
            continue
        versions += [event.version for event in decision.events]
    assert versions == list(range(1, member.version + 1))
    in_use = [card for card in book.cards.values() if card.state in CURRENT]
    assert in_use == ([member.card] if member.card is not None else [])
