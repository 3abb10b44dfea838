"""Identifiers: the ways in which a guest can be named at a till."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class IdentifierKind(StrEnum):
    MEMBER_ID = "MEMBER_ID"
    CARD_NUMBER = "CARD_NUMBER"
    MOBILE = "MOBILE"
    EMAIL = "EMAIL"


@dataclass(frozen=True, slots=True)
class Identifier:
    """`value` in normal form: a UUID's text, 16 digits, E.164, or a lower-cased e-mail."""

    kind: IdentifierKind
    value: str = field(repr=False)


def normalised_email(text: str) -> str:
    """Return an e-mail as it is compared: trimmed, case ignored."""
    return text.strip().lower()
