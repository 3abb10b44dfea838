"""Referral codes: eight characters that survive being read aloud and written down."""

from __future__ import annotations

from typing import Final

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Capitals and digits without 0 and O, 1, I and L."""
LENGTH: Final = 8
CODES: Final = len(ALPHABET) ** LENGTH


def referral_code(random: int) -> str:
    """Return the code of `random`, 0 to CODES - 1; equal numbers give equal codes."""
    assert 0 <= random < CODES
    characters = []
    for _ in range(LENGTH):
        random, place = divmod(random, len(ALPHABET))
        characters.append(ALPHABET[place])
    return "".join(characters)
