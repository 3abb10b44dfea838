"""Maturing: pending points become a lot when their time has come, and vanish by a reversal."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby

from services.points.domain.accounts import Member
from services.points.domain.assets import EntryKind, Funder, House
from services.points.domain.books import Books
from services.points.domain.crediting import put_earned
from services.points.domain.earning import EarnedBy
from services.points.domain.events import PointsMatured
from services.points.domain.journal import Entry, Posting, open_entry
from services.points.domain.pending import PendingKey, PendingPoints, PendingState, order


def mature_due(books: Books, member: Member, now: datetime) -> list[PointsMatured]:
    """Make lots of all pending points whose time has come; an entry and event each.

    What one checkout earned to mature at one instant is one lot. An open debt is served first. The
    order and the lots are the same however late this is done.
    """
    if member.next_maturing_at is None or member.next_maturing_at > now:
        return []
    due = sorted((each for each in member.pending.values() if each.due(now)), key=order)
    assert due, "a member with due pending points was loaded without them"
    groups = groupby(due, key=lambda each: (each.matures_at, each.key.version))
    events = [_mature(books, member, list(group), now) for _, group in groups]
    member.refresh_pending()
    return events


def cancel_pending(books: Books, member: Member, version: int, resolved_version: int) -> int:
    """Cancel what the checkout of entry `version` has still pending; returns how many points."""
    cancelled = 0
    for pending in _of_checkout(member, version):
        if pending.open:
            _resolve(books, member, pending, PendingState.CANCELLED, resolved_version)
            cancelled += pending.points
    if cancelled:
        member.refresh_pending()
    return cancelled


def matured_postings(member: Member, version: int) -> list[Posting]:
    """What the checkout of entry `version` has earned by maturing since, as it was posted."""
    return [
        Posting(
            member.points.asset,
            pending.points,
            House.ISSUED if pending.funder is Funder.ISSUER else House.FUNDING,
            pending.lot_number,
            0,
            pending.rule,
            pending.funder,
            pending.basis_minor,
        )
        for pending in _of_checkout(member, version)
        if pending.state is PendingState.MATURED
    ]


def pending_of(member: Member, entry: Entry) -> list[PendingPoints]:
    """All that the checkout of `entry` has earned as pending, whatever became of it."""
    return _of_checkout(member, entry.version)


def _mature(
    books: Books, member: Member, group: list[PendingPoints], now: datetime
) -> PointsMatured:
    first = group[0]
    entry = open_entry(
        member,
        EntryKind.MATURING,
        now,
        first.checkout_id,
        first.merchant_id,
        first.programme_version,
    )
    earned = [EarnedBy(each.rule, each.points, each.basis_minor, each.funder) for each in group]
    collected = put_earned(books, member, entry, earned, first.earned_at, first.expires_at)
    for each in group:
        each.lot_number = member.last_lot_number
        _resolve(books, member, each, PendingState.MATURED, entry.version)
    books.changes.entries.append(entry)
    return PointsMatured(
        member.member_id,
        first.checkout_id,
        first.merchant_id,
        now,
        tuple(earned),
        collected,
        first.programme_version,
        first.expires_at,
        member.balances(),
    )


def _resolve(
    books: Books, member: Member, pending: PendingPoints, state: PendingState, version: int
) -> None:
    pending.state = state
    pending.resolved_version = version
    member.points_pending -= pending.points
    assert member.points_pending >= 0, "what is pending is never less than nothing"
    books.changes.touch_pending(member, pending)


def _of_checkout(member: Member, version: int) -> list[PendingPoints]:
    found = [each for key, each in member.pending.items() if key.version == version]
    return sorted(found, key=_line)


def _line(pending: PendingPoints) -> PendingKey:
    return pending.key
