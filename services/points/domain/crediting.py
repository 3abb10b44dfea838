"""Crediting: earned points become a lot now, or stand as pending points until they mature."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.points.domain.accounts import Member
from services.points.domain.assets import Funder, House
from services.points.domain.books import Books
from services.points.domain.earning import EarnedBy
from services.points.domain.journal import Entry
from services.points.domain.pending import PendingKey, PendingPoints
from services.points.domain.programme import Programme
from services.points.domain.purchases import Purchase


def put_earned(
    books: Books,
    member: Member,
    entry: Entry,
    earned: Sequence[EarnedBy],
    earned_at: datetime,
    expires_at: datetime | None,
) -> int:
    """Put points into one lot, an open debt first served; returns what served it."""
    total = sum([by.points for by in earned])
    collected = min(total, member.points_debt)
    account = member.points
    lot = books.put_lot(member, account, total, total - collected, earned_at, expires_at)
    for by in earned:
        house = House.ISSUED if by.funder is Funder.ISSUER else House.FUNDING
        entry.post(account, by.points, house, lot, by.rule, by.funder, by.eligible_minor)
    if collected:
        member.points_debt -= collected
        entry.post(account, -collected, House.DEBT, lot)
    return collected


def hold_back(
    books: Books,
    member: Member,
    entry: Entry,
    purchase: Purchase,
    programme: Programme,
    earned: Sequence[EarnedBy],
) -> None:
    """Note the part of `earned` that waits; `entry` is its checkout's.

    When it expires is `Programme.pending_expiry`.
    """
    assert entry.reference_id is not None, "a checkout's entry refers to the checkout"
    earned_at = min(purchase.occurred_at, entry.posted_at)
    zone = purchase.place.zone
    for line, by in enumerate(earned, 1):
        if by.pending_until is None:
            continue
        expires_at = programme.pending_expiry(earned_at, entry.posted_at, by.pending_until, zone)
        pending = PendingPoints(
            PendingKey(entry.version, line),
            entry.reference_id,
            purchase.place.merchant_id,
            programme.version,
            by.rule,
            by.funder,
            by.points,
            by.eligible_minor,
            earned_at,
            by.pending_until,
            expires_at,
        )
        member.put_pending(pending)
        books.changes.new_pending.append((member.member_id, pending))
