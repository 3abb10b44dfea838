"""Shares and months, the long way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from math import floor
from zoneinfo import ZoneInfo


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """Divide `total` by `weights`: rounded down, then a unit each where most was cut off."""
    if not total:
        return [0 for _ in weights]
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    shares = [floor(share) for share in exact]
    while sum(shares) < total:
        cut_off = [share - given for share, given in zip(exact, shares, strict=True)]
        shares[cut_off.index(max(cut_off))] += 1
    return shares


def months_end(instant: datetime, months: int, zone_name: str) -> datetime:
    """When the month ends, by a property's calendar, that lies `months` after the instant's."""
    day = instant.astimezone(ZoneInfo(zone_name)).date()
    return _months_end(day.year, day.month, months, zone_name)


@cache
def _months_end(year: int, month: int, months: int, zone_name: str) -> datetime:
    day = datetime(year, month, 1, tzinfo=ZoneInfo(zone_name))
    for _ in range(months + 1):
        day = (day + timedelta(days=31)).replace(day=1)
    return day.astimezone(UTC)
