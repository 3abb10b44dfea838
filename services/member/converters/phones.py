"""Mobile numbers by the numbering plans of all countries (libphonenumber's data)."""

from __future__ import annotations

import re
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType

from services.member.domain import errors

_MOBILE_TYPES: Final = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
_CHINESE_MOBILE: Final = re.compile(r"\+861[3-9][0-9]{9}")
"""Is its own normal form, so that nearly every look-up needs no parsing."""


def valid_mobile(text: str) -> str:
    """Return a mobile that may be enrolled, in E.164; raises MOBILE_INVALID.

    It must be possible and of mobile type; where a country's plan doesn't tell mobiles from fixed
    lines (North America) both pass.
    """
    number = _parsed(text)
    if not phonenumbers.is_possible_number(number):
        raise errors.mobile_invalid()
    if phonenumbers.number_type(number) not in _MOBILE_TYPES:
        raise errors.mobile_invalid()
    return _e164(number)


def normalised_mobile(text: str) -> str:
    """Return a mobile as it is looked up: E.164; raises MOBILE_INVALID for what is no number."""
    if _CHINESE_MOBILE.fullmatch(text):
        return text
    return _e164(_parsed(text))


def _parsed(text: str) -> PhoneNumber:
    try:
        return phonenumbers.parse(text)
    except NumberParseException:
        raise errors.mobile_invalid() from None


def _e164(number: PhoneNumber) -> str:
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
