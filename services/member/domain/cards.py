"""Cards: their life as a table of transitions, and what a till is told of one it can't take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from chassis.kernel import Refusal
from services.member.domain import errors
from services.member.domain.card_numbers import CardCandidate


class CardState(StrEnum):
    ACTIVE = "ACTIVE"
    FROZEN = "FROZEN"
    REPLACED = "REPLACED"
    LOST = "LOST"
    CLOSED = "CLOSED"


class ReplacementReason(StrEnum):
    LOST = "LOST"
    DAMAGED = "DAMAGED"
    TIER_UPGRADE = "TIER_UPGRADE"


TRANSITIONS: Final[Mapping[CardState, frozenset[CardState]]] = {
    CardState.ACTIVE: frozenset(
        {CardState.FROZEN, CardState.REPLACED, CardState.LOST, CardState.CLOSED}
    ),
    CardState.FROZEN: frozenset(
        {CardState.ACTIVE, CardState.REPLACED, CardState.LOST, CardState.CLOSED}
    ),
    CardState.LOST: frozenset({CardState.REPLACED, CardState.CLOSED}),
    CardState.REPLACED: frozenset(),
    CardState.CLOSED: frozenset(),
}
"""DOMAIN §2: ACTIVE → FROZEN ⇄ ACTIVE, → REPLACED, → LOST, → CLOSED. A lost card doesn't come
back, because whoever found it may have copied it; it is replaced or closed."""

CURRENT: Final = frozenset({CardState.ACTIVE, CardState.FROZEN, CardState.LOST})
"""States of the one card a member has now; the others are history."""

_WAY_OUT: Final[Mapping[CardState, str]] = {
    CardState.FROZEN: "frozen; the front desk can unfreeze it",
    CardState.REPLACED: "replaced; ask for the new one",
    CardState.LOST: "reported lost; keep it and call the front desk",
    CardState.CLOSED: "closed; it can't be used again",
}


@dataclass(slots=True)
class Card:
    """One card; `number` is what `storage` encrypts, `changed_at` when its state last changed."""

    card_id: UUID
    member_id: UUID
    number: str = field(repr=False)
    state: CardState
    issued_at: datetime
    changed_at: datetime

    def move(self, to: CardState, now: datetime) -> CardState:
        """Change the state and return the one before; raises CARD_STATE."""
        before = self.state
        if to not in TRANSITIONS[before]:
            raise errors.card_state(before)
        self.state, self.changed_at = to, now
        return before


@dataclass(frozen=True, slots=True)
class IssuedCard:
    """What is told once, to who issues a card."""

    card_id: UUID
    told: CardCandidate


def issue(
    candidate: CardCandidate, card_id: UUID, member_id: UUID, now: datetime
) -> tuple[Card, IssuedCard]:
    """Return a new active card and what its issuer is told."""
    card = Card(card_id, member_id, candidate.number, CardState.ACTIVE, now, now)
    return card, IssuedCard(card_id, candidate)


def refusal_of(state: CardState) -> Refusal | None:
    """Return why a card in `state` doesn't identify its member; None when it does."""
    if state is CardState.ACTIVE:
        return None
    return errors.card_not_usable(state, _WAY_OUT[state])
