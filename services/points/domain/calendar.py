"""Calendar rules: months and their ends in a property's time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINIMUM_LIFE_MONTHS = 1
"""Points imported from long ago still live to the end of the month after their posting."""


def end_of_month_after(instant: datetime, months: int, zone: ZoneInfo) -> datetime:
    """Return when the month that lies `months` after `instant`'s ends: the first instant after it.

    What expires then can be spent on the whole last day, by the property's calendar.
    """
    local = instant.astimezone(zone)
    return _start_of_month(local.year * 12 + local.month - 1 + months + 1, zone)


def points_expiry(
    occurred_at: datetime, posted_at: datetime, months: int, zone: ZoneInfo
) -> datetime | None:
    """Return when points earned at `occurred_at` expire, or None where `months` is 0.

    They expire `months` after earning, at the month's end; but never before the end of the month
    after their posting, so that what is brought in from the past does not expire at once.
    """
    if not months:
        return None
    by_rule = end_of_month_after(occurred_at, months, zone)
    if (posted_at - occurred_at).days < 28 * (months - MINIMUM_LIFE_MONTHS):
        return by_rule  # posted so soon that the minimum cannot matter
    return max(by_rule, end_of_month_after(posted_at, MINIMUM_LIFE_MONTHS, zone))


def fixed_expiry(day: date, posted_at: datetime, zone: ZoneInfo) -> datetime:
    """Return when points expire that are good until the end of `day`.

    They are good to the end of the month after their posting in any case.
    """
    ends = start_of_day(day + timedelta(days=1), zone)
    return max(ends, end_of_month_after(posted_at, MINIMUM_LIFE_MONTHS, zone))


def month_of(instant: datetime, zone: ZoneInfo) -> int:
    """Return the calendar month of `instant` as months since the year 0."""
    local = instant.astimezone(zone)
    return local.year * 12 + local.month - 1


def month_name(month: int) -> str:
    """Return a month counted since the year 0 as YYYY-MM."""
    year, number = divmod(month, 12)
    return f"{year:04}-{number + 1:02}"


@lru_cache(maxsize=4096)
def _start_of_month(months_since_year_zero: int, zone: ZoneInfo) -> datetime:
    year, month = divmod(months_since_year_zero, 12)
    return datetime(year, month + 1, 1, tzinfo=zone).astimezone(UTC)


def last_day(expires_at: datetime, zone: ZoneInfo) -> date:
    """The last day on which what expires at this instant can be spent, if only for a moment."""
    return (expires_at - timedelta(microseconds=1)).astimezone(zone).date()


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day by the calendar of `zone`, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
