"""Pending points in their table: loading what is open or belongs to a checkout, saving in sets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from chassis.storage import sets
from services.points.domain.accounts import Member
from services.points.domain.assets import Funder
from services.points.domain.books import Changes
from services.points.domain.pending import PendingKey, PendingPoints, PendingState
from services.points.storage import tables

_COLUMNS = (
    "member_id",
    "version",
    "line",
    "checkout_id",
    "merchant_id",
    "programme_version",
    "rule",
    "funder::text",
    "points",
    "basis_minor",
    "earned_at",
    "matures_at",
    "expires_at",
    "state::text",
    "resolved_version",
    "lot_number",
    "cancelled",
)


def load(
    connection: Connection,
    members: Mapping[UUID, Member],
    reversing: Collection[UUID],
    checkouts: Iterable[tuple[UUID, int]],
    now: datetime,
) -> None:
    """Load what deciding may need of pending points; no statement where nothing is pending.

    All open ones of members with something due at `now` or in `reversing`, and all, whatever became
    of them, of the checkouts that (member id, version) name.
    """
    wanted = [
        member.member_id
        for member in members.values()
        if member.next_maturing_at is not None
        and (member.next_maturing_at <= now or member.member_id in reversing)
    ]
    rows = sets.select_by_keys(
        connection,
        "pending_points",
        {"member_id": ("uuid", wanted)},
        select=_COLUMNS,
        where="t.state = 'PENDING'",
    )
    rows = [*rows, *of_checkouts(connection, checkouts)]
    for row in rows:
        pending = from_row(row)
        if pending.key not in members[row[0]].pending:
            members[row[0]].load_pending(pending)


def of_checkouts(connection: Connection, keys: Iterable[tuple[UUID, int]]) -> list[sets.Row]:
    """The rows of what checkouts have earned as pending, by (member id, version)."""
    sorted_keys = sorted(set(keys))
    return sets.select_by_keys(
        connection,
        "pending_points",
        {
            "member_id": ("uuid", [member_id for member_id, _ in sorted_keys]),
            "version": ("bigint", [version for _, version in sorted_keys]),
        },
        select=_COLUMNS,
    )


def from_row(row: sets.Row) -> PendingPoints:
    return PendingPoints(
        PendingKey(row[1], row[2]),
        row[3],
        row[4],
        row[5],
        row[6],
        Funder(row[7]),
        row[8],
        row[9],
        row[10],
        row[11],
        row[12],
        PendingState(row[13]),
        row[14],
        row[15],
        row[16],
    )


def save(connection: Connection, changes: Changes) -> None:
    """Insert new ones as they stand by now, and resolve stored ones."""
    new = {(member_id, pending.key) for member_id, pending in changes.new_pending}
    _insert(connection, changes.new_pending)
    touched = {key: each for key, each in changes.touched_pending.items() if key not in new}
    sets.update_from_columns(
        connection,
        "pending_points",
        keys={
            "member_id": ("uuid", [member_id for member_id, _ in touched]),
            "version": ("bigint", [key.version for _, key in touched]),
            "line": ("smallint", [key.line for _, key in touched]),
        },
        values={
            "state": ("pending_state", [each.state for each in touched.values()]),
            "resolved_version": ("bigint", [each.resolved_version for each in touched.values()]),
            "lot_number": ("integer", [each.lot_number for each in touched.values()]),
            "cancelled": ("bigint", [each.cancelled for each in touched.values()]),
        },
    )


def _insert(connection: Connection, new: Sequence[tuple[UUID, PendingPoints]]) -> None:
    rows = [
        (
            member_id,
            *pending.key,
            pending.checkout_id,
            pending.merchant_id,
            pending.programme_version,
            pending.rule,
            pending.funder,
            pending.points,
            pending.basis_minor,
            pending.earned_at,
            pending.matures_at,
            pending.expires_at,
            pending.state,
            pending.resolved_version,
            pending.lot_number,
            pending.cancelled,
        )
        for member_id, pending in new
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(tables.PENDING_POINTS)
    sets.insert_columns(
        connection,
        "pending_points",
        {
            name: (kind, list(values))
            for (name, kind), values in zip(tables.PENDING_POINTS.items(), columns, strict=True)
        },
    )
