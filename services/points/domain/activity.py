"""Activity: what a purchase does to the life of the points that its member has already.

By a version that counts months without activity, points live so many months more, to the month's
end. All open lots of points that would end sooner are given that end, held ones too: those given by
other versions, brought in or passed on as well. Nothing is ever shortened, and what has ended at
the activity stays so: where a hold has it, that hold can spend it still, but nobody else.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from services.points.domain.accounts import Member
from services.points.domain.assets import Asset
from services.points.domain.books import Books
from services.points.domain.calendar import end_of_month_after
from services.points.domain.events import PointsExtended
from services.points.domain.journal import next_version
from services.points.domain.pins import spend_order
from services.points.domain.programme import Programme
from services.points.domain.records import Extension


def extended_until(programme: Programme, acted_at: datetime, zone: ZoneInfo) -> datetime | None:
    """Until when activity at `acted_at` lets points live at least; None where it does nothing."""
    months = programme.points_expire_after_idle_months
    return end_of_month_after(acted_at, months, zone) if months else None


def extend_points(
    books: Books,
    member: Member,
    programme: Programme,
    checkout_id: UUID,
    acted_at: datetime,
    zone: ZoneInfo,
    now: datetime,
) -> list[PointsExtended]:
    """Let the member's points live on after activity decided by `programme`; the event, if any.

    What is due at `now` has been settled. The event has a version of its own and no entry, for
    nothing moves.
    """
    until = extended_until(programme, acted_at, zone)
    if until is None or not _may_extend(member, until):
        return []
    lots = [
        lot
        for lot in member.lots.values()
        if lot.asset is Asset.POINTS
        and lot.remaining
        and lot.expires_at is not None
        and now < lot.expires_at < until
    ]
    if not lots:
        return []
    member.points.extend(lots, until)
    for lot in lots:
        books.changes.extend(member, lot)
    for hold in member.holds.values():
        if hold.pins is not None:
            hold.pins.sort(key=spend_order)
    extension = Extension(
        member.member_id,
        next_version(member, now),
        checkout_id,
        programme.version,
        now,
        until,
        sum(lot.remaining for lot in lots),
    )
    books.changes.extensions.append(extension)
    return [PointsExtended(extension, member.balances())]


def _may_extend(member: Member, until: datetime) -> bool:
    """Whether a lot may end before `until`: of those with a free part the first one says so."""
    first = member.points.next_expiry
    return member.points.held > 0 or (first is not None and first.expires_at < until)
