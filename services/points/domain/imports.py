"""Imports: opening balances from another system, each row a lot, each known for ever."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.points.domain import errors
from services.points.domain.accounts import Member
from services.points.domain.answers import ImportAnswer
from services.points.domain.assets import Asset, EntryKind, Funder, House
from services.points.domain.books import Books
from services.points.domain.commands import ImportBalance
from services.points.domain.dues import settle_due
from services.points.domain.events import BalanceImported, Event
from services.points.domain.journal import open_entry
from services.points.domain.records import ImportedRow

OPENING_RULE: Final = "OPENING_BALANCE"
_CONTENT: Final = ("member_id", "asset", "amount", "earned_at", "expires_at")


def import_balance(
    books: Books, command: ImportBalance, now: datetime
) -> tuple[ImportAnswer, list[Event]]:
    """Bring one row in as a lot with its own dates; a row that was brought in before does nothing.

    Points and BONUS are issued; CASH is money taken in, though the other system took it. An open
    debt is not served: what is brought in was earned before it. Refuses IMPORT_REFERENCE_TAKEN,
    IMPORT_ROW_DIFFERS, IMPORT_ROW_EXPIRED, CASH_NEVER_EXPIRES, EARNED_IN_FUTURE, BALANCE_LIMIT.
    """
    known = books.imported.get((command.import_id, command.reference))
    if known is not None:
        _check_same(known, command)
        return ImportAnswer(repeated=True), []
    member = books.members[command.member_id]
    _check(books, member, command, now)

    # From here on nothing is refused.
    events: list[Event] = settle_due(books, member, now)
    entry = open_entry(member, EntryKind.IMPORT, now, command.import_id)
    account, amount = member.account(command.asset), command.amount
    lot = books.put_lot(member, account, amount, amount, command.earned_at, command.expires_at)
    if command.asset is Asset.CASH:
        entry.post(account, amount, House.CASH_IN, lot)
    else:
        entry.post(account, amount, House.ISSUED, lot, OPENING_RULE, Funder.ISSUER)
    books.changes.entries.append(entry)
    books.imported[command.import_id, command.reference] = command
    books.changes.imported.append(ImportedRow(command, entry.version, lot.number))
    events.append(BalanceImported(command, now, member.balances()))
    return ImportAnswer(repeated=False), events


def _check_same(known: ImportBalance, command: ImportBalance) -> None:
    """The same row again is welcome; anything else under its reference is not."""
    if known.line != command.line:
        raise errors.import_reference_taken(known.line)
    for field in _CONTENT:
        if getattr(known, field) != getattr(command, field):
            raise errors.import_row_differs(field)


def _check(books: Books, member: Member, command: ImportBalance, now: datetime) -> None:
    if command.earned_at > now:
        raise errors.earned_in_future(command.earned_at)
    if command.expires_at is not None:
        if command.asset is Asset.CASH:
            raise errors.cash_never_expires()
        if command.expires_at <= now:
            raise errors.import_row_expired(command.expires_at)
    if command.asset is not Asset.POINTS:
        limit = books.programmes.valid_at(now).stored_value.balance_limit_minor
        held = member.cash.balance + member.bonus.balance - member.bonus.due_amount(now)
        if held + command.amount > limit:
            raise errors.balance_limit(limit, held)
