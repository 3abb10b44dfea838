"""Points that activity lets live longer: what has to be loaded for it, and what is kept of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from chassis.kernel import Refusal
from chassis.storage import sets
from services.points.domain.activity import extended_until
from services.points.domain.books import Books, Changes
from services.points.domain.commands import CaptureHold, Command, PostCheckout, members_of
from services.points.domain.lots import Lot
from services.points.domain.records import Extension
from services.points.storage import tables


def horizons(books: Books, commands: Sequence[Command], now: datetime) -> Mapping[UUID, datetime]:
    """Until when the batch may let points live, by the members that act in it; the latest of each.

    Nobody acts while no version of the programme counts activity.
    """
    if not books.programmes.counts_activity:
        return {}
    found: dict[UUID, datetime] = {}
    for command in commands:
        until = _until(books, command, now)
        if until is not None:
            member_id = members_of(command)[0]
            found[member_id] = max(until, found.get(member_id, until))
    return found


def _until(books: Books, command: Command, now: datetime) -> datetime | None:
    if isinstance(command, PostCheckout):
        acted_at, place = command.purchase.occurred_at, command.purchase.place
    elif isinstance(command, CaptureHold):
        acted_at, place = now, command.place
    else:
        return None
    try:
        programme = books.programmes.valid_at(acted_at)
    except Refusal:
        return None  # no version was valid then, so the command is refused
    return extended_until(programme, acted_at, place.zone)


def to_extend(
    books: Books, commands: Sequence[Command], until: Mapping[UUID, datetime]
) -> Iterator[tuple[UUID, bool]]:
    """The members whose open lots of points are needed, and whether all of them are.

    Those of one whose first lot ends early enough are all loaded. Of another who acts in company of
    other commands the first are: the batch itself may give it lots that end sooner.
    """
    if not until:
        return
    named = Counter(each for command in commands for each in members_of(command))
    for member_id, horizon in until.items():
        first = books.members[member_id].points.next_expiry
        early = first is not None and first.expires_at < horizon
        if early or named[member_id] > 1:
            yield member_id, early


def holding(books: Books, until: Mapping[UUID, datetime]) -> list[UUID]:
    """The acting members of whose points holds have some: their lots may have no free part."""
    return [each for each in until if books.members[each].points.held]


def held_lots(connection: Connection, ids: Sequence[UUID]) -> list[tuple[UUID, int]]:
    """The lots of points that holds of these members have pinned, by member and number."""
    rows = sets.select_by_keys(
        connection,
        "lots",
        {"member_id": ("uuid", sorted(ids))},
        select=("member_id", "lot_number"),
        where="t.open AND t.asset = 'POINTS' AND t.held > 0",
    )
    return [(row[0], row[1]) for row in rows]


def save(connection: Connection, changes: Changes) -> None:
    """Write the later ends of stored lots, and the record that explains the event's version."""
    _update_ends(connection, changes.extended_lots)
    _insert(connection, changes.extensions)


def _update_ends(connection: Connection, lots: Mapping[tuple[UUID, int], Lot]) -> None:
    """Move lots in the index of the open ones: rare, and only where activity counts."""
    keys = tables.columns_of({"member_id": "uuid", "lot_number": "integer"}, list(lots))
    values: sets.Columns = {
        "expires_at": ("timestamptz", [lot.expires_at for lot in lots.values()])
    }
    sets.update_from_columns(connection, "lots", keys=keys, values=values)


def _insert(connection: Connection, extensions: Sequence[Extension]) -> None:
    columns = tables.columns_of(tables.POINTS_EXTENSIONS, extensions)
    sets.insert_columns(connection, "points_extensions", columns)
