"""Movements in the database: what deciding them needs, read in sets, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection

from chassis.storage import sets
from services.points.domain.assets import Asset, Tender
from services.points.domain.books import Books
from services.points.domain.commands import Command
from services.points.domain.movement_commands import (
    AdjustBalance,
    ApproveAdjustment,
    PutTransferGroup,
    RefundTopUp,
    RejectAdjustment,
    TransferPoints,
    WithdrawStoredValue,
)
from services.points.domain.movements import (
    ALONE_FOR,
    Adjustment,
    AdjustmentState,
    SoldValue,
    TransferGroup,
)
from services.points.storage import loading, tables

C = TypeVar("C")

UNIQUE_FOR_EVER = {
    "transfers_pkey",
    "transfer_groups_pkey",
    "transfer_group_members_pkey",
    "adjustments_pkey",
    "withdrawals_pkey",
    "top_up_refunds_pkey",
}

_SOLD_COLUMNS = (
    "top_up_id",
    "member_id",
    "merchant_id",
    "posted_at",
    "tender::text",
    "cash_minor",
    "bonus_minor",
    "cash_lot_number",
    "bonus_lot_number",
    *tables.TOP_UP_GONE_BACK,
)
_ADJUSTMENT_COLUMNS = tuple(
    f"{name}::text" if kind in {"asset", "adjustment_state"} else name
    for name, kind in tables.ADJUSTMENTS.items()
)
_GIVEN = (
    "SELECT t.from_member_id, t.day, sum(t.points)::bigint "
    "FROM unnest(%s::uuid[], %s::date[]) AS v(member_id, since) "
    "JOIN transfers AS t ON t.from_member_id = v.member_id AND t.day >= v.since "
    "GROUP BY t.from_member_id, t.day"
)
_ADJUSTED = (
    "SELECT t.member_id, t.asset::text, t.requested_at, t.amount "
    "FROM unnest(%s::uuid[], %s::timestamptz[]) AS v(member_id, since) "
    "JOIN adjustments AS t ON t.member_id = v.member_id AND t.requested_at > v.since "
    "WHERE t.state = 'BOOKED' AND t.decided_by IS NULL"
)

_TAKEN_BY_HAND = (
    "SELECT p.member_id, p.lot_number, -sum(p.amount)::bigint "
    "FROM unnest(%s::uuid[]) AS v(member_id) JOIN adjustments AS t ON t.member_id = v.member_id "
    "AND t.asset = 'BONUS' AND t.amount < 0 AND t.state = 'BOOKED' "
    "JOIN postings AS p ON p.member_id = t.member_id AND p.version = t.version "
    "GROUP BY p.member_id, p.lot_number"
)
_GROUP = (
    "SELECT g.group_id, g.revision, g.updated_at, "
    "ARRAY(SELECT m.member_id FROM transfer_group_members AS m "
    "WHERE m.group_id = g.group_id ORDER BY m.member_id) "
    "FROM transfer_groups AS g WHERE g.group_id = %s"
)
_GROUP_OF_MEMBER = _GROUP.replace(
    "= %s", "= (SELECT m.group_id FROM transfer_group_members AS m WHERE m.member_id = %s)"
)


def load(connection: Connection, books: Books, commands: Sequence[Command], now: datetime) -> None:
    """Read what the batch's movements need besides lots; groups to be changed are locked.

    A batch without movements costs no statement.
    """
    _load_groups(connection, books, _all(commands, PutTransferGroup))
    _load_transfers(connection, books, _all(commands, TransferPoints), now)
    _load_adjustments(connection, books, commands, now)
    withdrawals = [each.withdrawal_id for each in _all(commands, WithdrawStoredValue)]
    movements = books.movements
    movements.withdrawal_ids = loading.taken_ids(
        connection, "withdrawals", "withdrawal_id", withdrawals
    )
    refunds = _all(commands, RefundTopUp)
    movements.refund_ids = loading.taken_ids(
        connection, "top_up_refunds", "refund_id", [each.refund_id for each in refunds]
    )
    top_ups = sorted({each.top_up_id for each in refunds})
    _load_sold(connection, books, {"top_up_id": ("uuid", top_ups)})


def needs(books: Books, commands: Sequence[Command]) -> Iterable[tuple[UUID, Asset, int]]:
    """What the batch's movements may take at most out of accounts: (member, asset, amount)."""
    for command in commands:
        if isinstance(command, TransferPoints):
            yield command.from_member_id, Asset.POINTS, command.points
        elif isinstance(command, AdjustBalance):
            if command.amount < 0:
                yield command.member_id, command.asset, -command.amount
        elif isinstance(command, ApproveAdjustment):
            adjustment = books.movements.adjustments.get(command.adjustment_id)
            if adjustment is not None and adjustment.amount < 0:
                yield command.member_id, adjustment.asset, -adjustment.amount
        elif isinstance(command, WithdrawStoredValue):
            yield command.member_id, Asset.CASH, command.amount_minor or loading.EVERYTHING
            yield command.member_id, Asset.BONUS, loading.EVERYTHING
        elif isinstance(command, RefundTopUp):
            sold = books.movements.sold.get(command.top_up_id)
            yield command.member_id, Asset.CASH, sold.cash_minor if sold else 0
            yield command.member_id, Asset.BONUS, sold.bonus_minor if sold else 0


def load_sold(connection: Connection, books: Books, commands: Sequence[Command]) -> None:
    """Read, once the lots of principal are there, the top-ups they came from and their gifts."""
    withdrawing = sorted({each.member_id for each in _all(commands, WithdrawStoredValue)})
    by_hand = sets.execute(connection, _TAKEN_BY_HAND, {"member_id": ("uuid", withdrawing)})
    books.movements.taken_by_hand = {(row[0], row[1]): row[2] for row in by_hand}
    lots = [
        (member_id, lot.number)
        for member_id in withdrawing
        for lot in books.members[member_id].lots.values()  # a reversal may open exhausted ones
        if lot.asset is Asset.CASH and (member_id, lot.number) not in books.movements.sold_into
    ]
    keys: sets.Columns = {
        "member_id": ("uuid", [member_id for member_id, _ in lots]),
        "cash_lot_number": ("integer", [number for _, number in lots]),
    }
    _load_sold(connection, books, keys)
    numbers = []
    for sold in books.movements.sold.values():
        if sold.member_id in books.members:
            numbers.append((sold.member_id, sold.cash_lot_number))
            if sold.bonus_lot_number is not None:
                numbers.append((sold.member_id, sold.bonus_lot_number))
    loading.single_lots(connection, books.members, numbers)


def _all(commands: Sequence[Command], kind: type[C]) -> list[C]:
    return [each for each in commands if isinstance(each, kind)]


def _load_groups(
    connection: Connection, books: Books, commands: Sequence[PutTransferGroup]
) -> None:
    rows = sets.select_by_keys(
        connection,
        "transfer_groups",
        {"group_id": ("uuid", sorted({each.group_id for each in commands}))},
        select=tuple(tables.TRANSFER_GROUPS),
        lock=True,
    )
    # Only those locked: a group that comes about from here on makes the batch run again.
    of: dict[UUID, list[UUID]] = {row[0]: [] for row in rows}
    members = sets.select_by_keys(
        connection,
        "transfer_group_members",
        {"group_id": ("uuid", list(of))},
        select=("group_id", "member_id"),
    )
    for group_id, member_id in members:
        of[group_id].append(member_id)
        books.movements.group_of[member_id] = group_id
    for group_id, revision, updated_at in rows:
        books.movements.groups[group_id] = TransferGroup(
            group_id, tuple(sorted(of[group_id])), revision, updated_at, revision
        )
    _load_memberships(connection, books, (each for put in commands for each in put.member_ids))


def _load_memberships(connection: Connection, books: Books, ids: Iterable[UUID]) -> None:
    keys = {"member_id": ("uuid", sorted(set(ids)))}
    rows = sets.select_by_keys(
        connection, "transfer_group_members", keys, select=("member_id", "group_id")
    )
    books.movements.group_of.update({row[0]: row[1] for row in rows})


def _load_transfers(
    connection: Connection, books: Books, commands: Sequence[TransferPoints], now: datetime
) -> None:
    movements = books.movements
    ids = [each.transfer_id for each in commands]
    movements.transfer_ids = loading.taken_ids(connection, "transfers", "transfer_id", ids)
    _load_memberships(
        connection,
        books,
        (each for put in commands for each in (put.from_member_id, put.to_member_id)),
    )
    givers = sorted({each.from_member_id for each in commands})
    month = now.astimezone(movements.terms.zone).date().replace(day=1)
    rows = sets.execute(
        connection,
        _GIVEN,
        {"member_id": ("uuid", givers), "since": ("date", [month] * len(givers))},
    )
    for member_id, day, points in rows:
        movements.given.setdefault(member_id, {})[day] = points


def _load_adjustments(
    connection: Connection, books: Books, commands: Sequence[Command], now: datetime
) -> None:
    movements = books.movements
    asked = _all(commands, AdjustBalance)
    ids = sorted(
        {
            each.adjustment_id
            for each in commands
            if isinstance(each, AdjustBalance | ApproveAdjustment | RejectAdjustment)
        }
    )
    rows = sets.select_by_keys(
        connection, "adjustments", {"adjustment_id": ("uuid", ids)}, select=_ADJUSTMENT_COLUMNS
    )
    movements.adjustments = {row[0]: adjustment_of(row) for row in rows}
    members = sorted({each.member_id for each in asked})
    since = [now - ALONE_FOR - timedelta(minutes=1)] * len(members)
    lately = sets.execute(
        connection,
        _ADJUSTED,
        {"member_id": ("uuid", members), "since": ("timestamptz", since)},
    )
    for member_id, asset, at, amount in lately:
        movements.adjusted.setdefault((member_id, Asset(asset)), []).append((at, amount))


def adjustment_of(row: sets.Row) -> Adjustment:
    """The adjustment of a row of all the table's columns."""
    adjustment_id, member_id, asset, amount, code, text, by, at, state, *decided = row
    return Adjustment(
        adjustment_id,
        member_id,
        Asset(asset),
        amount,
        code,
        text,
        by,
        at,
        AdjustmentState(state),
        *decided,
    )


def _load_sold(connection: Connection, books: Books, keys: sets.Columns) -> None:
    for row in sets.select_by_keys(connection, "top_ups", keys, select=_SOLD_COLUMNS):
        tender = None if row[4] is None else Tender(row[4])
        values = [*row[:4], tender, *row[5:]]
        books.movements.keep_sold(SoldValue(*values))


def list_adjustments(
    connection: Connection, state: AdjustmentState, after: UUID, limit: int
) -> list[Adjustment]:
    """Return up to `limit` adjustments of a state with ids above `after`, in their order."""
    rows = sets.driver(connection).execute(
        f"SELECT {', '.join(_ADJUSTMENT_COLUMNS)} FROM adjustments "
        "WHERE state = %s AND adjustment_id > %s ORDER BY adjustment_id LIMIT %s",
        (state, after, limit),
    )
    return [adjustment_of(row) for row in rows]


def group(connection: Connection, group_id: UUID) -> TransferGroup | None:
    """Return the group of an id; None where there is none."""
    return _one_group(connection, _GROUP, group_id)


def group_of_member(connection: Connection, member_id: UUID) -> TransferGroup | None:
    """Return the group that a member is in; None for none."""
    return _one_group(connection, _GROUP_OF_MEMBER, member_id)


def _one_group(connection: Connection, sql: str, key: UUID) -> TransferGroup | None:
    row = sets.driver(connection).execute(sql, (key,), prepare=True).fetchone()
    if row is None:
        return None
    group_id, revision, updated_at, member_ids = row
    return TransferGroup(group_id, tuple(member_ids), revision, updated_at, revision)
