"""Birthdays: solar or lunar, with or without a year; they must exist."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

from services.member.domain import errors

YEAR_MIN: Final = 1900
LUNAR_MONTH_DAYS_MAX: Final = 30
LEAP_YEAR: Final = 2000
"""Stands in for a year that wasn't told, so that 29 February exists."""


class LunarCalendar(Protocol):
    """The Chinese lunar calendar of regular months; leap months aren't told apart."""

    def month_days(self, year: int, month: int) -> int | None:
        """Return 29 or 30; None for a year outside of its tables."""
        ...

    def solar_date(self, year: int, month: int, day: int) -> date | None:
        """Return the solar date of a lunar one that exists; None outside of its tables."""
        ...


@dataclass(frozen=True, slots=True)
class Birthday:
    """Year 0 when not told; month 1 to 12; `lunar` for a date of the Chinese calendar."""

    year: int
    month: int
    day: int
    lunar: bool = False


def check_birthday(birthday: Birthday, today: date, calendar: LunarCalendar) -> None:
    """Raise INVALID_FIELD for a date that doesn't exist, is too old, or is yet to come."""
    if birthday.year and not YEAR_MIN <= birthday.year <= today.year:
        raise errors.invalid_field(
            "birthday.year", f"must be {YEAR_MIN} to {today.year}, or 0 when not told"
        )
    if not 1 <= birthday.month <= 12:
        raise errors.invalid_field("birthday.month", "must be 1 to 12")
    days = _month_days(birthday, calendar)
    if not 1 <= birthday.day <= days:
        raise errors.invalid_field("birthday.day", f"must be 1 to {days} in that month")
    born = _solar_date(birthday, calendar)
    if born is not None and born > today:
        raise errors.invalid_field("birthday", "must not lie in the future")


def birth_month(birthday: Birthday | None, today: date, calendar: LunarCalendar) -> int:
    """Return the solar month, 1 to 12, in which the birthday is kept this year; 0 for none.

    A lunar birthday wanders: what counts is where it falls in the solar year of `today` (the
    earlier one when it falls in it twice), and on the 29th when this year's month has no 30th.
    """
    if birthday is None:
        return 0
    if not birthday.lunar:
        return birthday.month
    for year in (today.year - 1, today.year):
        days = calendar.month_days(year, birthday.month)
        if days is None:
            continue
        kept = calendar.solar_date(year, birthday.month, min(birthday.day, days))
        if kept is not None and kept.year == today.year:
            return kept.month
    return 0


def _month_days(birthday: Birthday, calendar: LunarCalendar) -> int:
    if birthday.lunar:
        known = calendar.month_days(birthday.year, birthday.month) if birthday.year else None
        return known or LUNAR_MONTH_DAYS_MAX
    return monthrange(birthday.year or LEAP_YEAR, birthday.month)[1]


def _solar_date(birthday: Birthday, calendar: LunarCalendar) -> date | None:
    if not birthday.year:
        return None
    if birthday.lunar:
        return calendar.solar_date(birthday.year, birthday.month, birthday.day)
    return date(birthday.year, birthday.month, birthday.day)
