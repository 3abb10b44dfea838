"""Saving: the rows that a decided batch leaves behind, one statement per table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from chassis.storage import sets
from chassis.storage.arrays import array_literal
from services.member.domain.book import Book
from services.member.domain.cards import Card
from services.member.domain.members import Member
from services.member.storage.tables import CARDS, CONSENTS, MEMBERS, TableColumns
from services.member.storage.vault import Vault

_NAMES: Final = ", ".join(MEMBERS)
_VALUES: Final = ", ".join(f"v.{name}::{kind}" for name, kind in MEMBERS.items())
_ARRAYS: Final = ", ".join(
    f"%s::{'text' if kind == 'text[]' else kind}[]" for kind in MEMBERS.values()
)
_INSERT_MEMBERS: Final = (
    f"INSERT INTO members ({_NAMES}) SELECT {_VALUES} FROM unnest({_ARRAYS}) AS v({_NAMES})"
)
"""Written out because `tags` is an array itself: unnest would flatten an array of arrays, so each
member's tags travel as PostgreSQL's text form of an array."""

Row = tuple[object, ...]


def insert_members(connection: Connection, members: Sequence[Member], vault: Vault) -> None:
    """Insert new members, their personal fields sealed."""
    rows = [_member_row(member, vault) for member in members]
    columns = _columns(MEMBERS, rows)
    columns["tags"] = ("text", columns["tags"][1])
    sets.execute(connection, _INSERT_MEMBERS, columns)


def update_versions(connection: Connection, members: Sequence[Member]) -> None:
    """Write the version and time of members whose cards changed."""
    sets.update_from_columns(
        connection,
        "members",
        keys={"member_id": ("uuid", [member.member_id for member in members])},
        values={
            "version": ("bigint", [member.version for member in members]),
            "changed_at": ("timestamptz", [member.changed_at for member in members]),
        },
    )


def update_cards(connection: Connection, book: Book) -> None:
    """Write the states of cards that moved; before the new cards, as one only is current."""
    new = {card.card_id for card in book.issued}
    moved = [card for card in book.moved.values() if card.card_id not in new]
    changed = sets.update_from_columns(
        connection,
        "cards",
        keys={
            "member_id": ("uuid", [card.member_id for card in moved]),
            "card_id": ("uuid", [card.card_id for card in moved]),
        },
        values={
            "state": ("text", [card.state for card in moved]),
            "changed_at": ("timestamptz", [card.changed_at for card in moved]),
        },
    )
    assert changed == len(moved), "a locked member's card has gone"


def insert_cards(connection: Connection, cards: Sequence[Card], vault: Vault) -> None:
    """Insert cards just issued, their numbers sealed."""
    rows = [_card_row(card, vault) for card in cards]
    sets.insert_columns(connection, "cards", _columns(CARDS, rows))


def insert_consents(connection: Connection, members: Sequence[Member]) -> None:
    """Insert what new members decided, with when and how."""
    rows = [row for member in members for row in _consent_rows(member)]
    sets.insert_columns(connection, "consents", _columns(CONSENTS, rows))


def _columns(table: TableColumns, rows: Sequence[Row]) -> dict[str, tuple[str, list[object]]]:
    """Turn rows in the table's column order into the columns of a set."""
    return {
        name: (kind, [row[place] for row in rows])
        for place, (name, kind) in enumerate(table.items())
    }


def _member_row(member: Member, vault: Vault) -> Row:
    profile = member.profile
    sealed = vault.seal_profile(member.member_id, profile)
    return (
        member.member_id,
        member.version,
        sealed.name,
        sealed.mobile,
        sealed.email,
        sealed.birthday,
        sealed.mobile_index,
        sealed.email_index,
        profile.title,
        profile.language,
        profile.home_property,
        profile.time_zone,
        array_literal("text", profile.tags),
        member.channel,
        member.tier,
        member.referral_code,
        member.referred_by,
        member.vouched_by_staff,
        member.enrolled_at,
        member.changed_at,
    )


def _card_row(card: Card, vault: Vault) -> Row:
    return (
        card.member_id,
        card.card_id,
        vault.seal_number(card.card_id, card.number),
        vault.number_index(card.number),
        card.state,
        card.issued_at,
        card.changed_at,
    )


def _consent_rows(member: Member) -> list[Row]:
    how = _how(member)
    return [
        (
            member.member_id,
            consent.channel,
            consent.purpose,
            member.enrolled_at,
            consent.granted,
            how,
        )
        for consent in member.consents
    ]


def _how(member: Member) -> str:
    """Say how a consent came about: "enrolment/FRONT_DESK/S-1017"."""
    return "/".join(filter(None, ("enrolment", member.channel, member.vouched_by_staff)))
