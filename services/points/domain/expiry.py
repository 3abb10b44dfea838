"""Expiry: taking out what has reached its end, always before anything else is done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.points.domain.accounts import Member
from services.points.domain.assets import Asset, EntryKind, House
from services.points.domain.books import Books
from services.points.domain.events import ValueExpired
from services.points.domain.journal import open_entry
from services.points.domain.lots import Lot


def expire_due(books: Books, member: Member, now: datetime) -> list[ValueExpired]:
    """Take out of `member`'s accounts what is free in lots whose end has come; the event, if any.

    What holds have pinned stays, for them alone. The lots are taken in the order POINTS, CASH,
    BONUS and their spend order, as one entry.
    """
    parts = []
    for account in member.accounts():
        for lot in account.due_lots(now):
            free = lot.free
            parts.append((lot, free))
            account.take_from(lot, free)
    return [post_expired(books, member, parts, now)] if parts else []


def post_expired(
    books: Books, member: Member, parts: Sequence[tuple[Lot, int]], now: datetime
) -> ValueExpired:
    """Post `parts` of lots, which have left the open ones already, as one entry of expiry."""
    entry = open_entry(member, EntryKind.EXPIRY, now)
    expired = dict.fromkeys(Asset, 0)
    for lot, amount in parts:
        lot.expired += amount
        expired[lot.asset] += amount
        entry.post(member.account(lot.asset), -amount, House.EXPIRED, lot)
        books.changes.touch(member, lot)
    books.changes.entries.append(entry)
    return ValueExpired(
        member.member_id, now, expired[Asset.POINTS], expired[Asset.BONUS], member.balances()
    )
