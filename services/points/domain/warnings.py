"""Warnings: members are told before points and BONUS expire, once for each day and threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from services.points.domain.accounts import Account, Member
from services.points.domain.answers import WarnAnswer
from services.points.domain.assets import Asset
from services.points.domain.books import Books
from services.points.domain.calendar import last_day, start_of_day
from services.points.domain.commands import WarnExpiring
from services.points.domain.dues import settle_due
from services.points.domain.events import Event, PointsExpiring
from services.points.domain.records import Warned

WARNING_DAYS: Final = (7, 30)
"""How many days before the last day a member is warned; ascending."""
WARNED_ASSETS: Final = (Asset.POINTS, Asset.BONUS)


class _Soon(NamedTuple):
    """What an account loses after one day: the first of its lots' ends, and the sum of them."""

    last_day: date
    expires_at: datetime
    amount: int


def horizons(now: datetime, zone: ZoneInfo) -> Mapping[int, datetime]:
    """Until which expiry each warning reaches at `now`: whole days by the calendar of `zone`.

    A lot that expires at midnight has the day before as its last one, and counts to that.
    """
    today = now.astimezone(zone).date()
    return {days: start_of_day(today + timedelta(days + 1), zone) for days in WARNING_DAYS}


def warn(books: Books, command: WarnExpiring, now: datetime) -> tuple[WarnAnswer, list[Event]]:
    """Warn of everything that expires soon and was not warned of yet; moves nothing itself.

    Each last day gets one warning of each kind, of what its lots hold then. Where a warning comes
    so late that the next one is due as well, only that is given: nobody is told twice at once.
    """
    member = books.members[command.member_id]
    events: list[Event] = settle_due(books, member, now)
    reach = horizons(now, command.zone)
    warnings = 0
    for asset in WARNED_ASSETS:
        for soon in _soon(member.account(asset), max(reach.values()), command.zone):
            reached = next(days for days in WARNING_DAYS if soon.expires_at <= reach[days])
            given = [
                Warned(member.member_id, asset, soon.last_day, days)
                for days in WARNING_DAYS
                if days <= reached
            ]
            if books.warned.isdisjoint(given):
                events.append(_warn(books, member, given[-1], soon, now))
                warnings += 1
    return WarnAnswer(warnings), events


def _soon(account: Account, until: datetime, zone: ZoneInfo) -> Iterator[_Soon]:
    """What expires by `until`, a last day each; the account's lots are loaded that far."""
    assert account.open_lots is not None, "a member to be warned was loaded without lots"
    ends = [
        (lot.expires_at, lot.free)
        for lot in account.open_lots
        if lot.free and lot.expires_at is not None and lot.expires_at <= until
    ]
    for day, lots in groupby(ends, lambda end: last_day(end[0], zone)):
        same_day = list(lots)
        yield _Soon(day, same_day[0][0], sum(remaining for _, remaining in same_day))


def _warn(
    books: Books, member: Member, warned: Warned, soon: _Soon, now: datetime
) -> PointsExpiring:
    """Give one warning: an event with a version of its own, and no entry, for nothing moves."""
    member.version += 1
    member.last_posted_at = now
    books.warned.add(warned)
    books.changes.warned.append(warned._replace(version=member.version))
    return PointsExpiring(
        member.member_id,
        now,
        warned.asset,
        soon.amount,
        soon.expires_at,
        warned.days,
        member.balances(),
    )
