"""The read side of members: one statement each, decrypting only what the answer shows.

On the psycopg cursor under the SQLAlchemy connection: SQLAlchemy Core would cost more than these
statements do, and `resolve` is on the path of every checkout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from chassis.kernel import Refusal
from chassis.security import UnreadableFieldError
from chassis.storage import sets
from chassis.storage.arrays import array_literal
from services.member.domain import errors
from services.member.domain.cards import Card, CardState, refusal_of
from services.member.domain.consents import Consent, ContactChannel, ContactPurpose
from services.member.domain.identifiers import Identifier, IdentifierKind
from services.member.domain.members import Contact, Language, Member, Resolved, Title
from services.member.storage.rows import (
    CARD_COLUMNS,
    MEMBER_COLUMNS,
    card_of,
    columns,
    member_of,
)
from services.member.storage.vault import Vault

CARDS_LISTED_MAX: Final = 100

_RESOLVED: Final = "m.member_id, m.name, m.birthday, m.tier, m.tags"
_RESOLVE: Final = f"""
SELECT NULL::bytea, NULL::text, {_RESOLVED}
  FROM unnest(%s::uuid[]) AS v(k) JOIN members AS m ON m.member_id = v.k
UNION ALL
SELECT c.number_index, c.state, {_RESOLVED}
  FROM unnest(%s::bytea[]) AS v(k) JOIN cards AS c ON c.number_index = v.k
  JOIN members AS m ON m.member_id = c.member_id
UNION ALL
SELECT m.mobile_index, NULL, {_RESOLVED}
  FROM unnest(%s::bytea[]) AS v(k) JOIN members AS m ON m.mobile_index = v.k
UNION ALL
SELECT m.email_index, NULL, {_RESOLVED}
  FROM unnest(%s::bytea[]) AS v(k) JOIN members AS m ON m.email_index = v.k
"""
_KINDS: Final = (
    IdentifierKind.MEMBER_ID,
    IdentifierKind.CARD_NUMBER,
    IdentifierKind.MOBILE,
    IdentifierKind.EMAIL,
)
"""In the order of the statement's arrays."""

_MEMBER_AND_CARD: Final = (
    f"SELECT {columns(MEMBER_COLUMNS, 'm')}, {columns(CARD_COLUMNS, 'a')}, %s FROM "
)
_ACTIVE_CARD: Final = " LEFT JOIN cards AS a ON a.member_id = m.member_id AND a.state = 'ACTIVE' "
_BY_COLUMN: Final = (
    _MEMBER_AND_CARD.replace("%s", "NULL::text")
    + "members AS m"
    + _ACTIVE_CARD
    + "WHERE m.{column} = %s"
)
_FIND: Final[Mapping[IdentifierKind, str]] = {
    IdentifierKind.MEMBER_ID: _BY_COLUMN.format(column="member_id"),
    IdentifierKind.MOBILE: _BY_COLUMN.format(column="mobile_index"),
    IdentifierKind.EMAIL: _BY_COLUMN.format(column="email_index"),
    IdentifierKind.CARD_NUMBER: _MEMBER_AND_CARD.replace("%s", "s.state")
    + "cards AS s JOIN members AS m ON m.member_id = s.member_id"
    + _ACTIVE_CARD
    + "WHERE s.number_index = %s",
}
_CONTACTS: Final = """
SELECT m.member_id, m.name, m.mobile, m.email, m.title, m.language,
       ARRAY(SELECT c.channel || ' ' || c.purpose FROM (
               SELECT DISTINCT ON (channel, purpose) channel, purpose, granted FROM consents
                WHERE member_id = m.member_id ORDER BY channel, purpose, decided_at DESC) AS c
              WHERE c.granted)
  FROM unnest(%s::uuid[]) AS v(k) JOIN members AS m ON m.member_id = v.k
"""
_CARDS: Final = (
    f"SELECT {columns(CARD_COLUMNS, 'c')} FROM cards AS c WHERE c.member_id = %s "
    f"ORDER BY c.issued_at DESC, c.card_id DESC LIMIT {CARDS_LISTED_MAX}"
)


@dataclass(frozen=True, slots=True)
class MemberQueries:
    """Questions about members; raises Refusal where nobody or nothing answers."""

    vault: Vault

    def find(self, connection: Connection, identifier: Identifier) -> Member:
        """Return the member with the active card, if any; MEMBER_NOT_FOUND, CARD_..."""
        rows = self._rows(connection, _FIND[identifier.kind], self._key(identifier))
        if not rows:
            raise _nobody(identifier.kind)
        row = rows[0]
        refusal = refusal_of(CardState(row[-1])) if row[-1] is not None else None
        if refusal is not None:
            raise refusal
        member = member_of(row, self.vault)
        card = row[len(MEMBER_COLUMNS) : -1]
        member.card = card_of(card, self.vault) if card[0] is not None else None
        return member

    def resolve(
        self, connection: Connection, identifiers: Sequence[Identifier]
    ) -> list[Resolved | Refusal | UnreadableFieldError]:
        """Return whom each identifier names, in their order; one statement for all.

        A row that can't be decrypted is its own identifier's trouble: others' checkouts go on.
        """
        keys = [self._key(identifier) for identifier in identifiers]
        wanted: dict[IdentifierKind, set[Any]] = {kind: set() for kind in _KINDS}
        for identifier, key in zip(identifiers, keys, strict=True):
            wanted[identifier.kind].add(key)
        arrays = [
            array_literal("uuid" if kind is IdentifierKind.MEMBER_ID else "bytea", [*found])
            for kind, found in wanted.items()
        ]
        found: dict[Any, Resolved | Refusal | UnreadableFieldError] = {}
        for row in self._rows(connection, _RESOLVE, *arrays):
            found[row[2] if row[0] is None else row[0]] = self._resolved(row)
        return [
            found.get(key) or _nobody(identifier.kind)
            for identifier, key in zip(identifiers, keys, strict=True)
        ]

    def contacts(
        self, connection: Connection, member_ids: Sequence[UUID]
    ) -> list[Contact | UnreadableFieldError]:
        """Return the contacts of those members who exist, with the consents in force.

        A row that can't be decrypted stands for itself: others' messages go on.
        """
        array = array_literal("uuid", [*{*member_ids}])
        return [self._contact(row) for row in self._rows(connection, _CONTACTS, array)]

    def cards(self, connection: Connection, member_id: UUID) -> list[Card]:
        """Return the newest cards, newest first; MEMBER_NOT_FOUND, as each member has one."""
        rows = self._rows(connection, _CARDS, member_id)
        if not rows:
            raise errors.member_not_found()
        return [card_of(row, self.vault) for row in rows]

    def _key(self, identifier: Identifier) -> UUID | bytes:
        if identifier.kind is IdentifierKind.MEMBER_ID:
            return UUID(identifier.value)
        return self.vault.index_of(identifier)

    def _resolved(self, row: tuple[Any, ...]) -> Resolved | Refusal | UnreadableFieldError:
        _, card_state, member_id, name, birthday, tier, tags = row
        refusal = refusal_of(CardState(card_state)) if card_state is not None else None
        if refusal is not None:
            return refusal
        try:
            return Resolved(
                member_id=member_id,
                name=self.vault.name(member_id, name),
                birthday=self.vault.birthday(member_id, birthday),
                tier=tier,
                tags=tuple(tags),
            )
        except UnreadableFieldError as error:
            return error

    def _contact(self, row: tuple[Any, ...]) -> Contact | UnreadableFieldError:
        member_id = row[0]
        try:
            return Contact(
                member_id=member_id,
                name=self.vault.name(member_id, row[1]),
                mobile=self.vault.mobile(member_id, row[2]),
                email=self.vault.email(member_id, row[3]),
                title=Title(row[4]),
                language=Language(row[5]),
                consents=tuple(_in_force(text) for text in row[6]),
            )
        except UnreadableFieldError as error:
            return error

    @staticmethod
    def _rows(connection: Connection, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        cursor = sets.driver(connection).execute(sql, parameters, prepare=True, binary=True)
        return cursor.fetchall()


def _nobody(kind: IdentifierKind) -> Refusal:
    if kind is IdentifierKind.CARD_NUMBER:
        return errors.card_unknown()
    return errors.member_not_found()


def _in_force(text: str) -> Consent:
    channel, purpose = text.split()
    return Consent(ContactChannel(channel), ContactPurpose(purpose), granted=True)
