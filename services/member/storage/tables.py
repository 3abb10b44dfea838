"""The tables as sets read and write them: each column with its PostgreSQL type, in one place.

The migrations create them; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TableColumns = Mapping[str, str]

MEMBERS: Final[TableColumns] = {
    "member_id": "uuid",
    "version": "bigint",
    "name": "bytea",
    "mobile": "bytea",
    "email": "bytea",
    "birthday": "bytea",
    "mobile_index": "bytea",
    "email_index": "bytea",
    "title": "text",
    "language": "text",
    "home_property": "text",
    "time_zone": "text",
    "tags": "text[]",
    "channel": "text",
    "tier": "text",
    "referral_code": "text",
    "referred_by": "uuid",
    "vouched_by_staff": "text",
    "enrolled_at": "timestamptz",
    "changed_at": "timestamptz",
}
CARDS: Final[TableColumns] = {
    "member_id": "uuid",
    "card_id": "uuid",
    "number": "bytea",
    "number_index": "bytea",
    "state": "text",
    "issued_at": "timestamptz",
    "changed_at": "timestamptz",
}
CONSENTS: Final[TableColumns] = {
    "member_id": "uuid",
    "channel": "text",
    "purpose": "text",
    "decided_at": "timestamptz",
    "granted": "boolean",
    "how": "text",
}
TIERS: Final[TableColumns] = {
    "code": "text",
    "rank": "smallint",
    "name_zh": "text",
    "name_en": "text",
}
TABLES: Final[Mapping[str, TableColumns]] = {
    "members": MEMBERS,
    "cards": CARDS,
    "consents": CONSENTS,
    "tiers": TIERS,
}

SEALED: Final[Mapping[str, tuple[str, ...]]] = {
    "members": ("name", "mobile", "email", "birthday"),
    "cards": ("number",),
}
"""Columns that hold ciphertext under the key ring; what a rotation seals anew."""
ROW_ID: Final[Mapping[str, str]] = {"members": "member_id", "cards": "card_id"}
"""The column whose value the ciphertext of a row is bound to."""
