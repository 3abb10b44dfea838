"""Cancelling: a reversal claims back points that are pending still; nothing has to be posted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.points.domain.accounts import Member
from services.points.domain.books import Books
from services.points.domain.clawback import Claim
from services.points.domain.journal import Entry
from services.points.domain.maturing import of_checkout
from services.points.domain.pending import PendingPoints, PendingState


def cancel_claimed(
    books: Books, member: Member, entry: Entry, version: int, claims: Sequence[Claim]
) -> tuple[int, list[Claim]]:
    """Cancel what is claimed of pending points of the checkout of entry `version`.

    Returns how many points were cancelled, and the claims that are to be met otherwise. `entry` is
    the reversal's.
    """
    waiting, cancelled, others = _waiting(member, version), 0, []
    for claim in claims:
        pending = waiting.get(claim.earned.rule)
        if pending is None:
            others.append(claim)
            continue
        pending.cancelled += claim.points
        assert pending.left >= 0, "no more is cancelled than is pending"
        member.points_pending -= claim.points
        cancelled += claim.points
        if not pending.left:
            pending.state = PendingState.CANCELLED
            pending.resolved_version = entry.version
        books.changes.touch_pending(member, pending)
    if cancelled:
        member.refresh_pending()
    return cancelled, others


def without_waiting(
    member: Member, version: int, claims: Sequence[Claim], now: datetime
) -> list[Claim]:
    """The claims that cancelling will not meet: all but those on what is pending beyond `now`."""
    waiting = _waiting(member, version)
    return [
        claim
        for claim in claims
        if claim.earned.rule not in waiting or waiting[claim.earned.rule].due(now)
    ]


def _waiting(member: Member, version: int) -> dict[str, PendingPoints]:
    """What a checkout has pending by rule: a rule gives once in a checkout."""
    return {each.rule: each for each in of_checkout(member, version) if each.open}
