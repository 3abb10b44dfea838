"""Identifiers: UUIDv7, so that ids made later sort later and indexes grow at their end."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Final
from uuid import UUID, SafeUUID

from uuid_utils.compat import uuid7

AS_NUMBER: Final = attrgetter("int")
"""The key that orders UUIDs as PostgreSQL does, without a call into Python for each comparison."""

_TEXT_LENGTH: Final = 36
_UNKNOWN: Final = SafeUUID.unknown


def new_id() -> UUID:
    """Return a fresh UUIDv7 as a standard library UUID."""
    return uuid7()


def parse_id(text: str) -> UUID:
    """Return the id that a field rule has found `text` to be; raises ValueError for none.

    A third of `UUID(text)`, which looks for braces and URNs that no validated field has.
    """
    if len(text) != _TEXT_LENGTH:
        return UUID(text)
    number = int(text.replace("-", ""), 16)
    made = object.__new__(UUID)
    object.__setattr__(made, "int", number)
    object.__setattr__(made, "is_safe", _UNKNOWN)
    return made


def in_order(ids: Iterable[UUID]) -> list[UUID]:
    """Return ids in the order of PostgreSQL, in which rows are locked."""
    return sorted(ids, key=AS_NUMBER)
