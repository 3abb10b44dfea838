"""Masks: what a till may see of a guest, enough to recognise and too little to use."""

from __future__ import annotations

from typing import Final

STARS: Final = "**"
HIDDEN_DIGITS: Final = "****"
_HIDDEN_MIN: Final = 4
_SHOWN_LAST_MAX: Final = 4
_SHOWN_FIRST_MAX: Final = 3

# ITU-T E.164 country codes of one and of two digits; all others have three.
_ONE_DIGIT_CODES: Final = frozenset("17")
_TWO_DIGIT_CODES: Final = frozenset(
    {"20", "27", *(f"3{n}" for n in "0123469"), *(f"4{n}" for n in "013456789")}
    | {*(f"5{n}" for n in "12345678"), *(f"6{n}" for n in "0123456")}
    | {"81", "82", "84", "86", *(f"9{n}" for n in "0123458")}
)


def masked_name(name: str) -> str:
    """Return the first character and two stars, however long the name: "张**"; "" for none."""
    stripped = name.strip()
    return stripped[0] + STARS if stripped else ""


def masked_mobile(mobile: str) -> str:
    """Return an E.164 number with at least four digits hidden: "+86 199****0001".

    Of a short number fewer digits are shown, of five or less none; "" for none.
    """
    digits = mobile.removeprefix("+")
    if not digits:
        return ""
    code = _country_code(digits)
    national = digits[len(code) :]
    shown = max(0, len(national) - _HIDDEN_MIN)
    last = min(_SHOWN_LAST_MAX, shown)
    first = min(_SHOWN_FIRST_MAX, shown - last)
    end = national[len(national) - last :]
    return f"+{code} {national[:first]}{HIDDEN_DIGITS}{end}"


def masked_card_number(number: str) -> str:
    """Return first and last four of 16 digits: "8866 **** **** 1234"."""
    return f"{number[:4]} {HIDDEN_DIGITS} {HIDDEN_DIGITS} {number[-4:]}"


def _country_code(digits: str) -> str:
    if digits[0] in _ONE_DIGIT_CODES:
        return digits[0]
    return digits[:2] if digits[:2] in _TWO_DIGIT_CODES else digits[:3]
