"""The Chinese lunar calendar of 1900 to 2100, as the Hong Kong Observatory publishes it."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Final

from borax.calendars.lunardate import InvalidLunarDateError, LCalendars, LunarDate

_REMEMBERED: Final = 4096
"""Dates kept: borax counts through all years since 1900, and look-ups ask for a few years only."""


class ChineseCalendar:
    """`domain.birthdays.LunarCalendar` by borax; regular months only."""

    def month_days(self, year: int, month: int) -> int | None:
        return _month_days(year, month)

    def solar_date(self, year: int, month: int, day: int) -> date | None:
        return _solar_date(year, month, day)


@lru_cache(maxsize=_REMEMBERED)
def _month_days(year: int, month: int) -> int | None:
    try:
        return int(LCalendars.ndays(year, month))
    except InvalidLunarDateError:
        return None


@lru_cache(maxsize=_REMEMBERED)
def _solar_date(year: int, month: int, day: int) -> date | None:
    try:
        solar: date = LunarDate(year, month, day).to_solar_date()
    except InvalidLunarDateError:
        return None
    return solar
