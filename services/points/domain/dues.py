"""What is due: settled before any command does its own work, and by a job for idle members."""

from __future__ import annotations

from datetime import datetime

from services.points.domain.accounts import Member
from services.points.domain.answers import SettleAnswer
from services.points.domain.books import Books
from services.points.domain.commands import SettleDue
from services.points.domain.events import Event, PointsMatured, ValueExpired
from services.points.domain.expiry import expire_due
from services.points.domain.maturing import mature_due
from services.points.domain.resolving import expire_holds


def settle_due(books: Books, member: Member, now: datetime) -> list[Event]:
    """Do what has become due for `member` by `now`, each as its own entry; returns the events.

    Holds that have timed out come first: what they give back to expired lots expires with the
    rest. Whoever calls it has checked everything before: from here on nothing may be refused.
    """
    if _nothing_due(member, now):
        return []
    return [
        *expire_holds(books, member, now),
        *mature_due(books, member, now),  # before expiry: what matured late may expire at once
        *expire_due(books, member, now),
    ]


def _nothing_due(member: Member, now: datetime) -> bool:
    """Whether there is nothing to settle, as with most members: their accounts alone tell."""
    points, bonus = member.points.next_expiry, member.bonus.next_expiry
    return (
        not member.holds
        and (points is None or points.expires_at > now)
        and (bonus is None or bonus.expires_at > now)
        and (member.next_maturing_at is None or member.next_maturing_at > now)
    )


def settle(books: Books, command: SettleDue, now: datetime) -> tuple[SettleAnswer, list[Event]]:
    """Do for a member nobody serves what every other command does first."""
    events = settle_due(books, books.members[command.member_id], now)
    expired = [event for event in events if isinstance(event, ValueExpired)]
    answer = SettleAnswer(
        sum(event.points for event in expired),
        sum(event.bonus_minor for event in expired),
        sum(event.points for event in events if isinstance(event, PointsMatured)),
    )
    return answer, events
