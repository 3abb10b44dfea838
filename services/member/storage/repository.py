"""The write side of members: locks, loads and saves one batch in sets.

**One mobile, one member, across replicas.** An enrolment has no row to lock yet, so `lock` takes
transaction-scoped advisory locks on the blind indexes of the batch's mobiles and e-mails, in
ascending order; whoever else enrols one of them waits there, and then reads, in a later statement,
whether it is taken. The UNIQUE indexes stand behind that and are never met. The locks end with the
transaction whatever becomes of it; a table of claims would leave a claim behind when a batch turns
out to be nothing but replays. A batch holds two locks for each enrolment at most, so 512.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from chassis.identifiers import in_order
from chassis.storage import sets
from services.member.domain.book import Book
from services.member.domain.cards import CURRENT
from services.member.domain.commands import ChangeCardState, Command, Enrol, ReplaceCard
from services.member.storage import saving
from services.member.storage.rows import CARD_COLUMNS, MEMBER_COLUMNS, card_of, columns, member_of
from services.member.storage.vault import Vault

# NO KEY: an enrolment's foreign key to its referrer shares the referrer's key at the end of its
# batch, out of the order in which members are locked; the two locks must not meet.
_LOCK_MEMBERS: Final = (
    f"SELECT {columns(MEMBER_COLUMNS, 'm')} FROM unnest(%s::uuid[]) AS v(k) "
    "JOIN members AS m ON m.member_id = v.k ORDER BY m.member_id FOR NO KEY UPDATE OF m"
)
_ADVISORY_LOCKS: Final = "SELECT pg_advisory_xact_lock(v.k) FROM unnest(%s::bigint[]) AS v(k)"
_ENTRY_TIER: Final = "SELECT code FROM tiers ORDER BY rank LIMIT 1"
_CURRENT_STATES: Final = ", ".join(f"'{state}'" for state in sorted(CURRENT))


class MemberRepository:
    """`chassis.storage.contracts.Repository[Command, Book]`; keeps nothing between batches."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def lock(self, connection: Connection, commands: Sequence[Command]) -> Book:
        """Lock the members of card commands, then the mobiles and e-mails of enrolments."""
        ids = in_order({command.member_id for command in _card_commands(commands)})
        rows = sets.execute(connection, _LOCK_MEMBERS, {"k": ("uuid", ids)})
        keys = sorted({key for command in _enrolments(commands) for key in self._claims(command)})
        sets.execute(connection, _ADVISORY_LOCKS, {"k": ("bigint", keys)})
        members = {row[0]: member_of(row, self._vault) for row in rows}
        return Book(members=members, not_before=_latest(m.changed_at for m in members.values()))

    def load(self, connection: Connection, state: Book, commands: Sequence[Command]) -> None:
        """Read which mobiles, e-mails, codes and numbers are taken, and the cards concerned."""
        enrolments = _enrolments(commands)
        if enrolments:
            state.entry_tier = sets.driver(connection).execute(_ENTRY_TIER).fetchall()[0][0]
            self._load_mobiles(connection, state, enrolments)
            self._load_emails(connection, state, enrolments)
            self._load_referral_codes(connection, state, enrolments)
        self._load_numbers(connection, state, commands)
        self._load_cards(connection, state, commands)

    def save(self, connection: Connection, state: Book) -> None:
        """Insert who enrolled, update who changed."""
        saving.insert_members(connection, state.enrolled, self._vault)
        saving.update_versions(connection, list(state.changed.values()))
        saving.update_cards(connection, state)
        saving.insert_cards(connection, state.issued, self._vault)
        saving.insert_consents(connection, state.enrolled)

    def _claims(self, command: Enrol) -> Iterable[int]:
        """Return the advisory lock keys of an enrolment."""
        yield _lock_key(self._vault.mobile_index(command.profile.mobile))
        if command.profile.email:
            yield _lock_key(self._vault.email_index(command.profile.email))

    def _load_mobiles(
        self, connection: Connection, book: Book, enrolments: Sequence[Enrol]
    ) -> None:
        mobile_of = {
            self._vault.mobile_index(mobile): mobile
            for mobile in {command.profile.mobile for command in enrolments}
        }
        rows = sets.select_by_keys(
            connection,
            "members",
            {"mobile_index": ("bytea", list(mobile_of))},
            select=("mobile_index", "member_id"),
        )
        book.member_of_mobile = {mobile_of[index]: member_id for index, member_id in rows}

    def _load_emails(self, connection: Connection, book: Book, enrolments: Sequence[Enrol]) -> None:
        email_of = {
            self._vault.email_index(email): email
            for email in {command.profile.email for command in enrolments} - {""}
        }
        rows = sets.select_by_keys(
            connection,
            "members",
            {"email_index": ("bytea", list(email_of))},
            select=("email_index",),
        )
        book.taken_emails = {email_of[index] for (index,) in rows}

    def _load_referral_codes(
        self, connection: Connection, book: Book, enrolments: Sequence[Enrol]
    ) -> None:
        codes = {code for command in enrolments for code in command.referral_candidates}
        codes |= {command.referrer_code for command in enrolments} - {""}
        rows = sets.select_by_keys(
            connection,
            "members",
            {"referral_code": ("text", list(codes))},
            select=("referral_code", "member_id"),
        )
        book.member_of_referral_code = dict(rows)
        book.taken_referral_codes = set(book.member_of_referral_code)

    def _load_numbers(
        self, connection: Connection, book: Book, commands: Sequence[Command]
    ) -> None:
        number_of = {
            self._vault.number_index(candidate.number): candidate.number
            for command in commands
            if not isinstance(command, ChangeCardState)
            for candidate in command.card_candidates
        }
        rows = sets.select_by_keys(
            connection,
            "cards",
            {"number_index": ("bytea", list(number_of))},
            select=("number_index",),
        )
        book.taken_card_numbers = {number_of[index] for (index,) in rows}

    def _load_cards(self, connection: Connection, book: Book, commands: Sequence[Command]) -> None:
        """Read the current card of each locked member, and the cards that commands name."""
        members = sorted(book.members)
        rows = sets.select_by_keys(
            connection,
            "cards",
            {"member_id": ("uuid", members)},
            select=CARD_COLUMNS,
            where=f"t.state IN ({_CURRENT_STATES})",
        )
        for row in rows:
            card = card_of(row, self._vault)
            book.cards[card.card_id] = book.members[card.member_id].card = card
        named = {
            (command.member_id, command.card_id)
            for command in commands
            if isinstance(command, ChangeCardState) and command.card_id not in book.cards
        }
        rows = sets.select_by_keys(
            connection,
            "cards",
            {
                "member_id": ("uuid", [member_id for member_id, _ in named]),
                "card_id": ("uuid", [card_id for _, card_id in named]),
            },
            select=CARD_COLUMNS,
        )
        book.cards.update({row[1]: card_of(row, self._vault) for row in rows})


def _enrolments(commands: Sequence[Command]) -> list[Enrol]:
    return [command for command in commands if isinstance(command, Enrol)]


def _card_commands(commands: Sequence[Command]) -> list[ReplaceCard | ChangeCardState]:
    return [command for command in commands if not isinstance(command, Enrol)]


def _lock_key(index: bytes) -> int:
    return int.from_bytes(index[:8], "big", signed=True)


def _latest(instants: Iterable[datetime]) -> datetime | None:
    return max(instants, default=None)
