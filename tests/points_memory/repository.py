"""The ledger's repository over tables in memory."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import psycopg
from sqlalchemy import Connection

from chassis.clock import Clock
from services.points.domain.accounts import Member
from services.points.domain.assets import Asset
from services.points.domain.books import Books, Changes
from services.points.domain.commands import (
    AuthorizeHold,
    CancelPost,
    CaptureHold,
    Command,
    ImportBalance,
    PostCheckout,
    ReverseCheckout,
    TopUpStoredValue,
    WarnExpiring,
    members_of,
)
from services.points.domain.journal import Entry
from services.points.domain.lots import Lot
from services.points.domain.movements import Movements, MovementTerms
from services.points.domain.programme import Programmes
from services.points.domain.records import (
    Checkout,
    Extension,
    ImportedRow,
    PostedCheckout,
    Reversal,
    TopUp,
    Warned,
)
from services.points.storage import extensions
from services.points.storage import holds as real_holds
from services.points.storage import repository as real
from tests.points_memory import giving, holds, movements
from tests.points_memory.tables import (
    MemoryTransaction,
    Tables,
    check_checkout,
    check_entry,
    check_lot,
    check_member,
    checkout_row,
    member_row,
    not_null,
    of,
)

NOBODY = UUID(int=0)
"""The id of nothing."""
FIRST_LOTS, LOTS_FACTOR = 2, 2
"""Far fewer than PostgreSQL is asked for at once, so that partly loaded accounts are the rule."""

_SPEND_ORDER = attrgetter("order")


class MemoryRepository:
    """Repository[Command, Books]; what a batch needs is asked of the very functions that the real
    one asks, so that a need forgotten there shows here as well.
    """

    def __init__(self, clock: Clock, terms: MovementTerms | None = None) -> None:
        self._clock = clock
        self._terms = terms or MovementTerms()
        self._programmes = Programmes()

    def lock(self, connection: Connection, commands: Sequence[Command]) -> Books:
        tables = of(connection).tables
        for programme in tables.programmes:
            self._programmes.add(programme)
        ids = sorted({member_id for command in commands for member_id in members_of(command)})
        members = {each: _member(of(connection), each) for each in ids}
        posted = [each.last_posted_at for each in members.values() if each.last_posted_at]
        return Books(
            members,
            self._programmes,
            not_before=max(posted, default=None),
            movements=Movements(self._terms),
        )

    def load(self, connection: Connection, state: Books, commands: Sequence[Command]) -> None:
        tables, now = of(connection).tables, self._clock.now()
        now = max(now, state.not_before or now)
        _load_known_ids(tables, state, commands)
        pins = holds.load(tables, state, commands, now)
        giving.load_pending(tables, state, commands, now)
        giving.load_limits(tables, state, commands)
        movements.load(tables, state, commands, now)
        acting = extensions.horizons(state, commands, now)
        needs, until = real._needs(state, commands, now, acting), real._horizon(commands, now)
        for hold_id in pins:
            hold = state.holds[hold_id]
            for asset in Asset:
                if hold.held.of(asset):
                    needs.setdefault((hold.member_id, asset), 0)
        for (member_id, asset), need in needs.items():
            _load_open_lots(tables, state.members[member_id], asset, need, until)
        singly = real._lots_to_reverse(state, commands) + real_holds.lots_of(state, pins)
        singly += _held_lots(tables, extensions.holding(state, acting))
        for member_id, number in singly:
            _load_lot(tables, state.members[member_id], number)
        real_holds.attach(state, pins)
        for member_id, number in list(movements.load_sold(tables, state, commands)):
            _load_lot(tables, state.members[member_id], number)

    def save(self, connection: Connection, state: Books) -> None:
        transaction, changes = of(connection), state.changes
        for name, write in _WRITING.items():
            write(transaction, getattr(changes, name))
        giving.write_limits(transaction, state.limits)
        for member_id in set(changes.members()):
            member = state.members[member_id]
            check_member(member)
            transaction.put(transaction.tables.members, member_id, member_row(member))


def _member(transaction: MemoryTransaction, member_id: UUID) -> Member:
    """A copy of the member's row, inserted first if there was none."""
    stored = transaction.tables.members.get(member_id)
    if stored is None:
        stored = Member(member_id)
        transaction.put(transaction.tables.members, member_id, stored)
    return member_row(stored)


def _load_known_ids(tables: Tables, books: Books, commands: Sequence[Command]) -> None:
    for command in commands:
        known = tables.checkouts.get(_checkout_id(command) or NOBODY)
        if known is not None:
            loaded = books.checkouts.setdefault(known.checkout_id, _without_answer(known))
            if isinstance(command, CancelPost | ReverseCheckout):
                loaded.entry, loaded.answer = known.entry, known.answer
        if isinstance(command, ReverseCheckout):
            books.reversal_ids |= {command.reversal_id} & tables.reversals.keys()
        if isinstance(command, ImportBalance):
            key = command.import_id, command.reference
            if key in tables.imported:
                books.imported[key] = tables.imported[key]
        if isinstance(command, WarnExpiring):
            books.warned |= tables.warned.get(command.member_id, set())
        if isinstance(command, TopUpStoredValue):
            books.top_up_ids |= {command.top_up_id} & tables.top_ups.keys()


def _checkout_id(command: Command) -> UUID | None:
    """The checkout id that a command asks about: a direct hold's own is one as well."""
    if isinstance(command, AuthorizeHold):
        return command.checkout_id or command.hold_id
    if isinstance(command, CaptureHold):
        return command.hold_id
    if isinstance(command, PostCheckout | CancelPost | ReverseCheckout):
        return command.checkout_id
    return None


def _without_answer(checkout: Checkout) -> Checkout:
    loaded = checkout_row(checkout)
    loaded.entry = loaded.answer = None
    return loaded


def _load_open_lots(tables: Tables, member: Member, asset: Asset, need: int, now: datetime) -> None:
    """The first open lots, until what is not due covers the need without the last of them."""
    stored = tables.lots.get(member.member_id, {}).values()
    lots = sorted((lot for lot in stored if lot.asset == asset and lot.free), key=_SPEND_ORDER)
    limit = FIRST_LOTS
    while limit < len(lots) and (
        lots[limit - 1].due(now)
        or sum(lot.free for lot in lots[: limit - 1] if not lot.due(now)) < need
    ):
        limit *= LOTS_FACTOR
    loaded = [copy(lot) for lot in lots[:limit]]
    member.account(asset).open_lots = loaded
    member.lots.update((lot.number, lot) for lot in loaded)


def _held_lots(tables: Tables, ids: Sequence[UUID]) -> list[tuple[UUID, int]]:
    """The lots of points that holds have pinned."""
    return [
        (member_id, number)
        for member_id in ids
        for number, lot in tables.lots.get(member_id, {}).items()
        if lot.asset is Asset.POINTS and lot.held
    ]


def _load_lot(tables: Tables, member: Member, number: int) -> None:
    if number not in member.lots:
        lot = copy(tables.lots[member.member_id][number])
        member.lots[number] = lot
        lots = member.account(lot.asset).open_lots
        if lot.free and lots is not None:
            insort(lots, lot, key=_SPEND_ORDER)


def _write_entries(transaction: MemoryTransaction, entries: Sequence[Entry]) -> None:
    tables = transaction.tables
    for entry in entries:
        assert (entry.member_id, entry.version) not in tables.versions, "postings_are_immutable"
        check_entry(entry)
        transaction.put(tables.versions, (entry.member_id, entry.version), entry)
    transaction.writes.append(lambda: tables.journal.extend(entries))


def _write_new_lots(transaction: MemoryTransaction, lots: Sequence[tuple[UUID, Lot]]) -> None:
    for member_id, lot in lots:
        assert lot.number not in transaction.tables.lots.get(member_id, {}), "lots_pkey"
        _write_lot(transaction, member_id, lot)


def _write_touched(transaction: MemoryTransaction, lots: Mapping[tuple[UUID, int], Lot]) -> None:
    for (member_id, number), lot in lots.items():
        assert number in transaction.tables.lots[member_id], "a lot is touched that is not stored"
        _write_lot(transaction, member_id, lot)


def _write_lot(transaction: MemoryTransaction, member_id: UUID, lot: Lot) -> None:
    check_lot(lot)
    table, row = transaction.tables.lots, copy(lot)
    transaction.writes.append(lambda: table.setdefault(member_id, {}).update({row.number: row}))


def _write_posted(transaction: MemoryTransaction, posted: Sequence[PostedCheckout]) -> None:
    for each in posted:
        not_null(each, "facts")
    _write_fenced(transaction, [each.checkout for each in posted])


def _write_fenced(transaction: MemoryTransaction, checkouts: Sequence[Checkout]) -> None:
    for checkout in checkouts:
        _write_unique(transaction, transaction.tables.checkouts, checkout.checkout_id)
        _write_checkout(transaction, checkout)


def _write_reversed(transaction: MemoryTransaction, checkouts: Mapping[UUID, Checkout]) -> None:
    for checkout in checkouts.values():
        _write_checkout(transaction, checkout)


def _write_checkout(transaction: MemoryTransaction, checkout: Checkout) -> None:
    check_checkout(checkout)
    row = checkout_row(checkout)
    transaction.put(transaction.tables.checkouts, checkout.checkout_id, row)


def _write_reversals(transaction: MemoryTransaction, reversals: Sequence[Reversal]) -> None:
    tables = transaction.tables
    for reversal in reversals:
        not_null(reversal)
        not_null(reversal.answer)
        _write_unique(transaction, tables.reversals, reversal.answer.reversal_id)
        transaction.put(tables.reversals, reversal.answer.reversal_id, reversal)


def _write_warned(transaction: MemoryTransaction, warned: Sequence[Warned]) -> None:
    table = transaction.tables.warned
    for each in warned:
        assert each.version, "a warning to be stored has its event's version"
        known = each._replace(version=0)
        assert known not in table.get(each.member_id, ()), "expiry_warnings_pkey"
        transaction.writes.append(_telling(table, known))


def _write_extensions(transaction: MemoryTransaction, extensions: Sequence[Extension]) -> None:
    for each in extensions:
        not_null(each)
        key = each.member_id, each.version
        assert key not in transaction.tables.extensions, "points_extensions_pkey"
        assert each.points > 0, "points_extensions_points_positive"
        assert each.expires_at > each.extended_at, "points_extensions_later"
        transaction.put(transaction.tables.extensions, key, each)


def _telling(table: dict[UUID, set[Warned]], warned: Warned) -> Callable[[], None]:
    return lambda: table.setdefault(warned.member_id, set()).add(warned)


def _write_top_ups(transaction: MemoryTransaction, top_ups: Sequence[TopUp]) -> None:
    for top_up in top_ups:
        not_null(top_up, "bonus_lot_number", "tender")
        not_null(top_up.answer)
        _write_unique(transaction, transaction.tables.top_ups, top_up.answer.top_up_id)
        transaction.put(transaction.tables.top_ups, top_up.answer.top_up_id, top_up)
        movements.write_sold(transaction, movements.sold_value(top_up))


def _write_imported(transaction: MemoryTransaction, imported: Sequence[ImportedRow]) -> None:
    for each in imported:
        not_null(each)
        row = each.row
        key = row.import_id, row.reference
        if key in transaction.tables.imported:
            raise psycopg.errors.SerializationFailure("an id was taken meanwhile")
        transaction.put(transaction.tables.imported, key, row)


def _write_unique(transaction: MemoryTransaction, table: Collection[UUID], id_: UUID) -> None:
    """An id that another transaction has taken since this one looked."""
    if id_ in table:
        raise psycopg.errors.SerializationFailure("an id was taken meanwhile")


_WRITING: Final[Mapping[str, Callable[[MemoryTransaction, Any], None]]] = {
    "entries": _write_entries,
    "new_lots": _write_new_lots,
    "touched_lots": _write_touched,
    "extended_lots": _write_touched,
    "extensions": _write_extensions,
    "posted": _write_posted,
    "fenced": _write_fenced,
    "reversed": _write_reversals,
    "reversed_checkouts": _write_reversed,
    "top_ups": _write_top_ups,
    "warned": _write_warned,
    "new_holds": holds.write_new,
    "resolved_holds": holds.write_resolved,
    "movements": movements.write,
    "imported": _write_imported,
    "new_pending": giving.write_new,
    "touched_pending": giving.write_touched,
}
_NOT_WRITTEN: Final = {"lots_before"}


def unwritten() -> Iterable[str]:
    """The kinds of changes that this repository would lose; a test holds that there are none."""
    return {each.name for each in fields(Changes)} - _WRITING.keys() - _NOT_WRITTEN
