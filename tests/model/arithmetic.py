"""Shares and months, the long way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
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


def largest_remainder_further(
    total: int, weights: Sequence[int], given: Sequence[int]
) -> list[int]:
    """The same, fen by fen, where nobody gives back what is given: others wait for theirs."""
    if not total:
        return list(given)
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    shares = [max(has, floor(share)) for has, share in zip(given, exact, strict=True)]
    places = range(len(shares))
    while sum(shares) < total:
        shares[max(places, key=lambda at: exact[at] - shares[at])] += 1
    while sum(shares) > total:
        late = [at for at in reversed(places) if shares[at] > given[at]]
        shares[min(late, key=lambda at: exact[at] - shares[at])] -= 1
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


def day_end(day: str, zone_name: str) -> datetime:
    """When a day, YYYY-MM-DD, is over by a property's calendar."""
    following = date.fromisoformat(day) + timedelta(days=1)
    return datetime.combine(following, time(), ZoneInfo(zone_name)).astimezone(UTC)
