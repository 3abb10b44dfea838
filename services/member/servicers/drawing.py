"""Drawing: the numbers and codes that new cards and members may get, from the system's CSPRNG."""

from __future__ import annotations

import secrets
from typing import Final

from chassis.identifiers import new_id
from chassis.security import BlindIndex
from services.member.converters.requests import Drawn
from services.member.domain.card_numbers import (
    RANDOM_DIGITS,
    CardCandidate,
    card_number,
    verification_value,
)
from services.member.domain.referral_codes import CODES, referral_code

CANDIDATES: Final = 2
"""With a million cards out one candidate is taken in 100,000 draws, two in 10 billion."""


class Drawing:
    """Draws candidates; a card's verification value is a keyed MAC of its number."""

    def __init__(self, card_prefix: str, index_key: bytes) -> None:
        self._prefix = card_prefix
        self._verification = BlindIndex(index_key, "cards.verification_value")

    def drawn(self) -> Drawn:
        """Return the sources that `converters.requests` takes from."""
        return Drawn(new_id, self._cards, self._referral_codes)

    def _cards(self) -> tuple[CardCandidate, ...]:
        return tuple(self._card() for _ in range(CANDIDATES))

    def _card(self) -> CardCandidate:
        number = card_number(self._prefix, secrets.randbelow(10**RANDOM_DIGITS))
        return CardCandidate(number, self.verification_value(number))

    def verification_value(self, number: str) -> str:
        """Return the 4 digits that prove a card of this number; the same for ever, never stored."""
        return verification_value(self._verification.of(number))

    def _referral_codes(self) -> tuple[str, ...]:
        return tuple(referral_code(secrets.randbelow(CODES)) for _ in range(CANDIDATES))
