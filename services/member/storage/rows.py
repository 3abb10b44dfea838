"""Rows: the columns that members and cards are read from, and what they become."""

from __future__ import annotations

from typing import Any, Final

from services.member.domain.cards import Card, CardState
from services.member.domain.members import EnrolmentChannel, Language, Member, Profile, Title
from services.member.storage.vault import Vault

MEMBER_COLUMNS: Final = (
    "member_id", "version", "name", "mobile", "email", "birthday", "title", "language",
    "home_property", "time_zone", "tags", "channel", "tier", "referral_code", "enrolled_at",
    "changed_at", "referred_by", "vouched_by_staff",
)  # fmt: skip
"""What `member_of` takes: all of `tables.MEMBERS` but the blind indexes."""
CARD_COLUMNS: Final = ("member_id", "card_id", "number", "state", "issued_at", "changed_at")
"""What `card_of` takes."""


def columns(names: tuple[str, ...], alias: str) -> str:
    """Return `names` as a select list of the table called `alias`."""
    return ", ".join(f"{alias}.{name}" for name in names)


def member_of(row: tuple[Any, ...], vault: Vault) -> Member:
    """Return the member of a row of MEMBER_COLUMNS, without card and consents."""
    member_id = row[0]
    return Member(
        member_id=member_id,
        version=row[1],
        profile=Profile(
            name=vault.name(member_id, row[2]),
            mobile=vault.mobile(member_id, row[3]),
            email=vault.email(member_id, row[4]),
            birthday=vault.birthday(member_id, row[5]),
            title=Title(row[6]),
            language=Language(row[7]),
            home_property=row[8],
            time_zone=row[9],
            tags=tuple(row[10]),
        ),
        channel=EnrolmentChannel(row[11]),
        tier=row[12],
        referral_code=row[13],
        enrolled_at=row[14],
        changed_at=row[15],
        referred_by=row[16],
        vouched_by_staff=row[17],
    )


def card_of(row: tuple[Any, ...], vault: Vault) -> Card:
    """Return the card of a row of CARD_COLUMNS."""
    return Card(
        member_id=row[0],
        card_id=row[1],
        number=vault.number(row[1], row[2]),
        state=CardState(row[3]),
        issued_at=row[4],
        changed_at=row[5],
    )
