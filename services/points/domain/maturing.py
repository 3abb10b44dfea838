"""Maturing: pending points become a lot when their time has come."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby

from services.points.domain.accounts import Member
from services.points.domain.assets import EntryKind, Funder, House
from services.points.domain.books import Books
from services.points.domain.crediting import put_earned
from services.points.domain.earning import EarnedBy
from services.points.domain.events import PointsMatured
from services.points.domain.journal import Posting, open_entry
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


def earned_pending(member: Member, version: int) -> list[Posting]:
    """What the checkout of entry `version` has earned as pending, as it would have been posted.

    The lot is that which it became, None before.
    """
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
        for pending in of_checkout(member, version)
    ]


def of_checkout(member: Member, version: int) -> list[PendingPoints]:
    """All that the checkout of entry `version` has earned as pending, whatever became of it."""
    if not member.pending:
        return []
    found = [each for key, each in member.pending.items() if key.version == version]
    return sorted(found, key=_line)


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
    earned = [EarnedBy(each.rule, each.left, each.basis_minor, each.funder) for each in group]
    collected = put_earned(books, member, entry, earned, first.earned_at, first.expires_at)
    for each in group:
        each.lot_number = member.last_lot_number
        each.state = PendingState.MATURED
        each.resolved_version = entry.version
        member.points_pending -= each.left
        books.changes.touch_pending(member, each)
    assert member.points_pending >= 0, "what is pending is never less than nothing"
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


def _line(pending: PendingPoints) -> PendingKey:
    return pending.key
