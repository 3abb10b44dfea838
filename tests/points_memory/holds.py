"""Holds in memory: those that a batch has to know, with the pins of those that may end in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from datetime import datetime
from uuid import UUID

import psycopg

from services.points.domain.books import Books
from services.points.domain.commands import AuthorizeHold, CancelPost, Command
from services.points.domain.pins import Hold, HoldState
from services.points.storage import holds as real
from tests.points_memory.tables import MemoryTransaction, Tables, check_hold


def load(
    tables: Tables, books: Books, commands: Sequence[Command], now: datetime
) -> real.PinNumbers:
    """Read the holds that the commands name and all open ones of the members; returns pins."""
    ids = {each for command in commands if (each := real._named(command)) is not None}
    checkouts = {each.checkout_id for each in commands if isinstance(each, AuthorizeHold)} - {None}
    for hold in sorted(tables.holds.values(), key=lambda each: str(each.authorized_at)):
        is_open = hold.state is HoldState.OPEN
        theirs = hold.member_id in books.members or hold.checkout_id in checkouts
        if hold.hold_id in ids or (is_open and theirs):
            real._add(books, _unpinned(hold))
    cancelled = {each.checkout_id for each in commands if isinstance(each, CancelPost)}
    return {
        hold.hold_id: list(tables.hold_lots[hold.hold_id])
        for member in books.members.values()
        for hold in member.holds.values()
        if hold.hold_id in ids or hold.checkout_id in cancelled or hold.timed_out(now)
    }


def write_new(transaction: MemoryTransaction, holds: Mapping[UUID, Hold]) -> None:
    for hold_id, hold in holds.items():
        if hold_id in transaction.tables.holds:
            raise psycopg.errors.SerializationFailure("an id was taken meanwhile")
        _write(transaction, hold)
        numbers = [(lot.number, amount) for lot, amount in hold.pinned()]
        assert all(amount > 0 for _, amount in numbers), "hold_lots_pin_something"
        transaction.put(transaction.tables.hold_lots, hold_id, numbers)


def write_resolved(transaction: MemoryTransaction, holds: Mapping[UUID, Hold]) -> None:
    for hold_id, hold in holds.items():
        stored = transaction.tables.holds[hold_id]
        assert stored.state is HoldState.OPEN, "holds_resolve_once"
        _write(transaction, hold)
        transaction.put(transaction.tables.hold_lots, hold_id, [])


def _write(transaction: MemoryTransaction, hold: Hold) -> None:
    row = _unpinned(hold)
    check_hold(row)
    transaction.put(transaction.tables.holds, hold.hold_id, row)


def _unpinned(hold: Hold) -> Hold:
    row = copy(hold)
    row.pins = None
    return row
