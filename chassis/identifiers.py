"""Identifiers: UUIDv7, so that ids made later sort later and indexes grow at their end."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a fresh UUIDv7 as a standard library UUID."""
    return uuid7()
