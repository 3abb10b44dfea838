"""Card numbers: issuer prefix, 11 random digits, Luhn digit; never sequential (DOMAIN §2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

NUMBER_DIGITS: Final = 16
PREFIX_DIGITS: Final = 4
RANDOM_DIGITS: Final = 11
VERIFICATION_DIGITS: Final = 4
_MAC_BYTES_USED: Final = 8
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")
"""Twice a digit, as the sum of the digits of that."""


@dataclass(frozen=True, slots=True)
class CardCandidate:
    """A number that a new card may get, if it is free, with the value that verifies it."""

    number: str = field(repr=False)
    verification_value: str = field(repr=False)


def luhn_digit(digits: str) -> str:
    """Return the check digit to append to `digits` (ISO/IEC 7812-1, annex B)."""
    doubled, single = digits[::-2].translate(_DOUBLED), digits[-2::-2]
    return str(-(sum(map(int, doubled)) + sum(map(int, single))) % 10)


def card_number(prefix: str, random: int) -> str:
    """Return the number made of a 4-digit prefix and `random`, 0 to 10**11 - 1."""
    assert len(prefix) == PREFIX_DIGITS
    assert 0 <= random < 10**RANDOM_DIGITS
    body = f"{prefix}{random:0{RANDOM_DIGITS}d}"
    return body + luhn_digit(body)


def normalised_card_number(text: str) -> str | None:
    """Return the 16 digits of what was read or typed; None when they can't be a card's."""
    digits = text.replace(" ", "")
    well_formed = len(digits) == NUMBER_DIGITS and digits.isascii() and digits.isdigit()
    return digits if well_formed and luhn_digit(digits[:-1]) == digits[-1] else None


def verification_value(mac: bytes) -> str:
    """Return the 4 digits that a keyed MAC of the card number gives."""
    number = int.from_bytes(mac[:_MAC_BYTES_USED], "big")
    return f"{number % 10**VERIFICATION_DIGITS:0{VERIFICATION_DIGITS}d}"
