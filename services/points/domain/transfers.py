"""Transfers: passing points on inside a family group, and the groups themselves.

Points keep their expiry and their date of earning on the way, so that passing them on renews
nothing. A receiver's debt is not collected from them: debts are collected from what is earned. A
giver who owes points can give only what is left beyond the debt.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from services.points.domain import errors
from services.points.domain import movement_errors as refusals
from services.points.domain.accounts import Member
from services.points.domain.assets import EntryKind, House
from services.points.domain.books import Books
from services.points.domain.dues import settle_due
from services.points.domain.events import Event
from services.points.domain.journal import Entry, open_entry
from services.points.domain.movement_answers import GroupAnswer, TransferAnswer
from services.points.domain.movement_commands import PutTransferGroup, TransferPoints
from services.points.domain.movement_events import PointsTransferred, TransferDirection
from services.points.domain.movements import MovementTerms, Transfer, TransferGroup


def transfer(
    books: Books, command: TransferPoints, now: datetime
) -> tuple[TransferAnswer, list[Event]]:
    """Take points out of the giver's lots, soonest expiry first, into lots of the receiver's.

    Each part becomes a lot of its own with the same expiry. Both members get an entry and an
    event. Refuses TRANSFER_TO_SELF, TRANSFER_EXISTS, NOT_IN_ONE_GROUP, TRANSFER_LIMIT,
    INSUFFICIENT_POINTS.
    """
    day = now.astimezone(books.movements.terms.zone).date()
    _check(books, command, day, now)
    giver, receiver = books.members[command.from_member_id], books.members[command.to_member_id]

    # From here on nothing is refused.
    events: list[Event] = [*settle_due(books, giver, now), *settle_due(books, receiver, now)]
    entry_out = open_entry(giver, EntryKind.TRANSFER, now, command.transfer_id)
    entry_in = open_entry(receiver, EntryKind.TRANSFER, now, command.transfer_id)
    for lot, part in giver.points.take(command.points):
        entry_out.post(giver.points, -part, House.TRANSFER, lot)
        books.changes.touch(giver, lot)
        into = books.put_lot(receiver, receiver.points, part, part, lot.earned_at, lot.expires_at)
        entry_in.post(receiver.points, part, House.TRANSFER, into)
    books.changes.entries += [entry_out, entry_in]
    _record(books, command, entry_out, entry_in, day)
    events.append(_told(command, giver, TransferDirection.OUT, receiver, now))
    events.append(_told(command, receiver, TransferDirection.IN, giver, now))
    return TransferAnswer(command.transfer_id, now, command.points, giver.balances()), events


def put_group(
    books: Books, command: PutTransferGroup, now: datetime
) -> tuple[GroupAnswer, list[Event]]:
    """Make a group, or replace its members; a group without members stays known by its id.

    Refuses TRANSFER_GROUP_NOT_FOUND, TRANSFER_GROUP_CHANGED, TRANSFER_GROUP_SIZE,
    MEMBER_IN_ANOTHER_GROUP.
    """
    movements = books.movements
    group = movements.groups.get(command.group_id)
    _check_group(books, command, group)
    if group is None:
        group = TransferGroup(command.group_id, (), 0, now)
        movements.groups[group.group_id] = group
    for gone in set(group.member_ids) - set(command.member_ids):
        del movements.group_of[gone]
    group.member_ids = tuple(sorted(command.member_ids))
    group.revision += 1
    group.updated_at = now
    movements.group_of.update(dict.fromkeys(group.member_ids, group.group_id))
    books.changes.movements.groups[group.group_id] = group
    return GroupAnswer(group.group_id, group.member_ids, group.revision, now), []


def _check(books: Books, command: TransferPoints, day: date, now: datetime) -> None:
    movements = books.movements
    giver_id = command.from_member_id
    if giver_id == command.to_member_id:
        raise refusals.transfer_to_self()
    if command.transfer_id in movements.transfer_ids:
        raise refusals.transfer_exists(command.transfer_id)
    group = movements.group_of.get(giver_id)
    if group is None or group != movements.group_of.get(command.to_member_id):
        raise refusals.not_in_one_group()
    _check_limits(movements.terms, movements.given.get(giver_id, {}), command.points, day)
    giver = books.members[giver_id]
    to_give = max(0, giver.points.available(now) - giver.debt_at(now))
    if command.points > to_give:
        raise errors.insufficient_points(to_give)


def _check_limits(terms: MovementTerms, given: Mapping[date, int], points: int, day: date) -> None:
    in_month = sum(
        each for on, each in given.items() if (on.year, on.month) == (day.year, day.month)
    )
    for period, limit, used in (
        ("TRANSFER", terms.transfer_points_max, 0),
        ("DAY", terms.transfer_points_day_max, given.get(day, 0)),
        ("MONTH", terms.transfer_points_month_max, in_month),
    ):
        if used + points > limit:
            raise refusals.transfer_limit(period, limit, max(0, limit - used))


def _check_group(books: Books, command: PutTransferGroup, group: TransferGroup | None) -> None:
    movements = books.movements
    if group is None and command.expected_revision:
        raise refusals.transfer_group_not_found()
    if group is not None and group.revision != command.expected_revision:
        raise refusals.transfer_group_changed(group.revision)
    limit = movements.terms.group_members_max
    if len(command.member_ids) > limit:
        raise refusals.transfer_group_size(limit)
    for member_id in command.member_ids:
        if movements.group_of.get(member_id, command.group_id) != command.group_id:
            raise refusals.member_in_another_group(member_id)


def _record(
    books: Books, command: TransferPoints, entry_out: Entry, entry_in: Entry, day: date
) -> None:
    movements = books.movements
    movements.transfer_ids.add(command.transfer_id)
    given = movements.given.setdefault(command.from_member_id, {})
    given[day] = given.get(day, 0) + command.points
    books.changes.movements.transfers.append(
        Transfer(
            command.transfer_id,
            movements.group_of[command.from_member_id],
            command.from_member_id,
            entry_out.version,
            command.to_member_id,
            entry_in.version,
            entry_out.posted_at,
            day,
            command.points,
            command.note,
        )
    )


def _told(
    command: TransferPoints,
    member: Member,
    direction: TransferDirection,
    counterpart: Member,
    now: datetime,
) -> PointsTransferred:
    return PointsTransferred(
        member.member_id,
        command.transfer_id,
        direction,
        counterpart.member_id,
        command.points,
        now,
        member.balances(),
    )
