"""Card changes: replacement at one instant, and the moves of a card's life."""

from __future__ import annotations

from datetime import datetime

from chassis.kernel import Decision
from services.member.domain import cards, errors
from services.member.domain.answers import Answer, Replaced, StateChanged
from services.member.domain.book import Book
from services.member.domain.cards import CardState
from services.member.domain.commands import ChangeCardState, ReplaceCard
from services.member.domain.events import CardReplaced, CardStateChanged, Event


def replace_card(book: Book, command: ReplaceCard, now: datetime) -> Decision[Answer, Event]:
    """End the card in use and issue another; nothing else moves.

    Raises MEMBER_NOT_FOUND, and CARD_STATE when the last card was closed: a closed card has no
    successor.
    """
    member = book.member(command.member_id)
    if member.card is None:
        raise errors.card_state(CardState.CLOSED)
    candidate = book.free_candidate(command.card_candidates)
    old = member.card
    old.move(CardState.REPLACED, now)
    member.card, issued = cards.issue(candidate, command.new_card_id, member.member_id, now)
    event = CardReplaced(
        member_id=member.member_id,
        version=member.next_version(now),
        old_card_id=old.card_id,
        new_card_id=command.new_card_id,
        reason=command.reason,
        replaced_at=now,
    )
    book.note_move(member, old)
    book.add_card(member.card)
    return Decision(Replaced(member, issued), (event,))


def change_card_state(
    book: Book, command: ChangeCardState, now: datetime
) -> Decision[Answer, Event]:
    """Move a card along its life; raises MEMBER_NOT_FOUND, CARD_UNKNOWN or CARD_STATE.

    A card that is in the wanted state already answers CARD_STATE: whoever asked believes
    something else of it. REPLACED comes about by `replace_card` alone.
    """
    card = book.card(command.member_id, command.card_id)
    if command.state is CardState.REPLACED:
        raise errors.card_state(card.state)
    member = book.member(command.member_id)
    before = card.move(command.state, now)
    if command.state not in cards.CURRENT:
        member.card = None
    event = CardStateChanged(
        member_id=member.member_id,
        version=member.next_version(now),
        card_id=card.card_id,
        old_state=before,
        new_state=command.state,
        changed_at=now,
    )
    book.note_move(member, card)
    return Decision(StateChanged(card), (event,))
