"""The book: what one batch of commands knows of members, and what it has changed in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.member.domain import errors
from services.member.domain.card_numbers import CardCandidate
from services.member.domain.cards import Card
from services.member.domain.members import Member


@dataclass(slots=True)
class Book:
    """Loaded by `storage`, read and written by the rules, saved by `storage`.

    What is taken is known for the batch's own mobiles, e-mails and candidates only, and nobody
    else can take one of those until the batch has ended. `not_before` is the latest change of a
    locked member; the batch's time never precedes it.
    """

    entry_tier: str = ""
    members: dict[UUID, Member] = field(default_factory=dict)
    cards: dict[UUID, Card] = field(default_factory=dict)
    member_of_mobile: dict[str, UUID] = field(default_factory=dict)
    taken_emails: set[str] = field(default_factory=set)
    taken_card_numbers: set[str] = field(default_factory=set)
    taken_referral_codes: set[str] = field(default_factory=set)
    member_of_referral_code: dict[str, UUID] = field(default_factory=dict)
    not_before: datetime | None = None

    enrolled: list[Member] = field(default_factory=list)
    issued: list[Card] = field(default_factory=list)
    moved: dict[UUID, Card] = field(default_factory=dict)
    changed: dict[UUID, Member] = field(default_factory=dict)

    def member(self, member_id: UUID) -> Member:
        """Return a locked member; raises MEMBER_NOT_FOUND."""
        try:
            return self.members[member_id]
        except KeyError:
            raise errors.member_not_found() from None

    def card(self, member_id: UUID, card_id: UUID) -> Card:
        """Return a card of a locked member; raises MEMBER_NOT_FOUND or CARD_UNKNOWN."""
        self.member(member_id)
        card = self.cards.get(card_id)
        if card is None or card.member_id != member_id:
            raise errors.card_unknown()
        return card

    def free_candidate(self, candidates: Sequence[CardCandidate]) -> CardCandidate:
        """Return the first candidate whose number no card has; raises UNAVAILABLE."""
        for candidate in candidates:
            if candidate.number not in self.taken_card_numbers:
                return candidate
        raise errors.numbers_exhausted()

    def free_referral_code(self, candidates: Sequence[str]) -> str:
        """Return the first candidate that no member has; raises UNAVAILABLE."""
        for code in candidates:
            if code not in self.taken_referral_codes:
                return code
        raise errors.numbers_exhausted()

    def enrol(self, member: Member, card: Card) -> None:
        """Add a member with their first card."""
        profile = member.profile
        self.enrolled.append(member)
        self.member_of_mobile[profile.mobile] = member.member_id
        if profile.email:
            self.taken_emails.add(profile.email)
        self.taken_referral_codes.add(member.referral_code)
        self.add_card(card)

    def add_card(self, card: Card) -> None:
        """Add a card just issued."""
        self.issued.append(card)
        self.cards[card.card_id] = card
        self.taken_card_numbers.add(card.number)

    def note_move(self, member: Member, card: Card) -> None:
        """Note that a card's state changed and with it its member's version."""
        self.moved[card.card_id] = card
        self.changed[member.member_id] = member
