"""When a coupon ends, in the days of the place where it was issued."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.coupon.domain.validity import end_of_coupon
from tests.unit.coupon.making import NOON, SHANGHAI, conditions

YEAR_2000 = datetime(2000, 1, 1, tzinfo=UTC)
FAR = datetime(2040, 1, 1, tzinfo=UTC)


def end(issued: str, days: int, zone: str, until: datetime = FAR) -> str:
    asked = conditions(valid_until=until, valid_days_after_issue=days)
    ended = end_of_coupon(asked, datetime.fromisoformat(issued), ZoneInfo(zone))
    assert ended.tzinfo is UTC
    return ended.isoformat()


@pytest.mark.parametrize(
    ("issued", "days", "zone", "expected"),
    [
        ("2030-05-01T04:00:00+00:00", 1, "Asia/Shanghai", "2030-05-02T16:00:00+00:00"),
        ("2030-05-01T15:59:59+00:00", 1, "Asia/Shanghai", "2030-05-02T16:00:00+00:00"),
        ("2030-05-01T16:00:00+00:00", 1, "Asia/Shanghai", "2030-05-03T16:00:00+00:00"),
        ("2028-02-28T04:00:00+00:00", 1, "Asia/Shanghai", "2028-02-29T16:00:00+00:00"),
        # Summer time begins in London on 31 March 2030.
        ("2030-03-30T12:00:00+00:00", 1, "Europe/London", "2030-03-31T23:00:00+00:00"),
        # Midnight is skipped in Beirut on 31 March 2030: the day ends when clocks jump.
        ("2030-03-29T12:00:00+00:00", 1, "Asia/Beirut", "2030-03-30T22:00:00+00:00"),
    ],
)
def test_the_last_day_ends_at_local_midnight(
    issued: str, days: int, zone: str, expected: str
) -> None:
    assert end(issued, days, zone) == expected


def test_no_coupon_outlives_its_campaign() -> None:
    until = NOON + timedelta(hours=3)
    assert end(NOON.isoformat(), 1, "Asia/Shanghai", until) == until.isoformat()
    asked = conditions(valid_until=until, valid_days_after_issue=0)
    assert end_of_coupon(asked, NOON, SHANGHAI) == until


@given(
    st.integers(0, 40 * 365 * 86_400).map(lambda seconds: YEAR_2000 + timedelta(seconds=seconds)),
    st.integers(1, 400),
    st.sampled_from(["Asia/Shanghai", "Europe/London", "America/Sao_Paulo", "Asia/Beirut"]),
)
def test_a_coupon_lives_through_all_its_days_and_not_a_minute_longer(
    issued: datetime, days: int, zone: str
) -> None:
    asked = conditions(
        valid_from=issued, valid_until=datetime(2060, 1, 1, tzinfo=UTC), valid_days_after_issue=days
    )
    local = ZoneInfo(zone)
    ended = end_of_coupon(asked, issued, local)
    last_day = issued.astimezone(local).date() + timedelta(days=days)
    assert (ended - timedelta(microseconds=1)).astimezone(local).date() == last_day
    assert ended.astimezone(local).date() > last_day
