"""Holds in the database: those that a batch has to know, their pins, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from chassis.storage import sets
from services.points.domain.books import Books, Changes
from services.points.domain.commands import (
    AuthorizeHold,
    CancelPost,
    CaptureHold,
    Command,
    PostCheckout,
    ReleaseHold,
)
from services.points.domain.pins import Amounts, Hold, HoldState, Pin, spend_order
from services.points.storage import tables

_COLUMNS = (
    "hold_id",
    "member_id",
    "state::text",
    "currency",
    "points",
    "cash_minor",
    "bonus_minor",
    "checkout_id",
    "authorized_at",
    "timeout_at",
    "resolved_at",
    "points_captured",
    "cash_captured_minor",
    "bonus_captured_minor",
    "merchant_id",
)
_OPEN = "t.state = 'OPEN'"

PinNumbers = dict[UUID, list[tuple[int, int]]]
"""Lot numbers and amounts by hold, as long as the lots themselves are not loaded."""


def load(
    connection: Connection, books: Books, commands: Sequence[Command], now: datetime
) -> PinNumbers:
    """Read into `books` the holds that the commands name and all open ones of the members.

    Returns the pins of those that the batch may resolve; `attach` makes them part of the holds
    once their lots are there. Asks nothing where no command names a hold and no member has any.
    """
    ids = {each for command in commands if (each := _named(command)) is not None}
    checkout_ids = {
        each.checkout_id
        for each in commands
        if isinstance(each, AuthorizeHold) and each.checkout_id
    }
    holders = [member.member_id for member in books.members.values() if member.stored_holds]
    if not (ids or checkout_ids or holders):
        return {}
    with sets.pipelined(connection):
        asked = [
            _ask(connection, "hold_id", ids),
            _ask(connection, "member_id", holders, _OPEN),
            _ask(connection, "checkout_id", checkout_ids, _OPEN),
        ]
    for rows in asked:
        for row in rows():
            if row[0] not in books.holds:
                _add(books, _hold(row))
    cancelled = {each.checkout_id for each in commands if isinstance(each, CancelPost)}
    return _pin_numbers(connection, books, ids, cancelled, now)


def attach(books: Books, pins: PinNumbers) -> None:
    """Give the holds their pins in spend order; their lots are loaded by now."""
    for hold_id, numbers in pins.items():
        hold = books.holds[hold_id]
        lots = books.members[hold.member_id].lots
        found = [Pin(lots[number], amount) for number, amount in numbers]
        hold.pins = sorted(found, key=spend_order)


def save(connection: Connection, changes: Changes) -> None:
    """Write what became of holds: the ended ones first, since they make room for new ones."""
    ended, new = list(changes.resolved_holds.values()), list(changes.new_holds.values())
    keys: sets.Columns = {
        "member_id": ("uuid", [hold.member_id for hold in ended]),
        "hold_id": ("uuid", [hold.hold_id for hold in ended]),
    }
    values = tables.columns_of(tables.HOLD_END, [_end(hold) for hold in ended])
    sets.update_from_columns(connection, "holds", keys=keys, values=values)
    sets.delete_by_keys(connection, "hold_lots", keys)
    sets.insert_columns(
        connection, "holds", tables.columns_of(tables.HOLDS, [_row(h) for h in new])
    )
    pins = [
        (hold.member_id, hold.hold_id, lot.number, amount)
        for hold in new
        for lot, amount in hold.pinned()
    ]
    sets.insert_columns(connection, "hold_lots", tables.columns_of(tables.HOLD_LOTS, pins))


def read_one(connection: Connection, member_id: UUID, hold_id: UUID) -> Hold | None:
    """The member's hold of this id; for questions."""
    rows = sets.select_by_keys(
        connection,
        "holds",
        {"member_id": ("uuid", [member_id]), "hold_id": ("uuid", [hold_id])},
        select=_COLUMNS,
    )
    return _hold(rows[0]) if rows else None


def read_open(connection: Connection, member_id: UUID) -> list[Hold]:
    """The member's open holds as they were authorised; their timeouts are the caller's to look at.

    There are as many as the domain allows, at most.
    """
    keys: sets.Columns = {"member_id": ("uuid", [member_id])}
    order = "t.authorized_at, t.hold_id"
    rows = sets.select_by_keys(
        connection, "holds", keys, select=_COLUMNS, where=_OPEN, order_by=order
    )
    return [_hold(row) for row in rows]


def _named(command: Command) -> UUID | None:
    if isinstance(command, PostCheckout | AuthorizeHold | CaptureHold | ReleaseHold):
        return command.hold_id
    return None


def _ask(connection: Connection, column: str, ids: Iterable[UUID], where: str = "") -> sets.Rows:
    keys: sets.Columns = {column: ("uuid", sorted(ids))}
    order = "t.authorized_at, t.hold_id"
    return sets.select_later(
        connection, "holds", keys, select=_COLUMNS, where=where, order_by=order
    )


def _hold(row: sets.Row) -> Hold:
    return Hold(
        row[0],
        row[1],
        HoldState(row[2]),
        row[3],
        Amounts(row[4], row[5], row[6]),
        row[7],
        row[8],
        row[9],
        pins=None,
        resolved_at=row[10],
        captured=Amounts(row[11], row[12], row[13]),
        merchant_id=row[14],
    )


def _add(books: Books, hold: Hold) -> None:
    books.holds[hold.hold_id] = hold
    if hold.state is HoldState.OPEN:
        if hold.checkout_id is not None:
            books.checkout_holds[hold.checkout_id] = hold
        if hold.member_id in books.members:
            books.members[hold.member_id].holds[hold.hold_id] = hold


def _pin_numbers(
    connection: Connection, books: Books, ids: set[UUID], cancelled: set[UUID], now: datetime
) -> PinNumbers:
    """The pins of the open holds that a command of the batch, or the time, may resolve."""
    wanted = [
        hold
        for member in books.members.values()
        for hold in member.holds.values()
        if hold.hold_id in ids or hold.checkout_id in cancelled or hold.timed_out(now)
    ]
    rows = sets.select_by_keys(
        connection,
        "hold_lots",
        {
            "member_id": ("uuid", [hold.member_id for hold in wanted]),
            "hold_id": ("uuid", [hold.hold_id for hold in wanted]),
        },
        select=("hold_id", "lot_number", "amount"),
    )
    pins: PinNumbers = {hold.hold_id: [] for hold in wanted}
    for hold_id, number, amount in rows:
        pins[hold_id].append((number, amount))
    return pins


def _end(hold: Hold) -> Sequence[object]:
    return (hold.state, hold.resolved_at, hold.resolved_version, *hold.captured)


def _row(hold: Hold) -> Sequence[object]:
    return (
        hold.member_id,
        hold.hold_id,
        hold.merchant_id,
        hold.checkout_id,
        hold.currency,
        *hold.held,
        hold.authorized_at,
        hold.timeout_at,
        hold.version,
        *_end(hold),
    )


def lots_of(books: Books, pins: Mapping[UUID, Sequence[tuple[int, int]]]) -> list[tuple[UUID, int]]:
    """The lots that `pins` lie in, by member and number."""
    return [
        (books.holds[hold_id].member_id, number)
        for hold_id, numbers in pins.items()
        for number, _ in numbers
    ]
