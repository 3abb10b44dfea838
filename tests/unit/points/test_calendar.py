"""Months' ends in a property's zone."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.calendar import (
    end_of_month_after,
    fixed_expiry,
    last_day,
    month_name,
    month_of,
    points_expiry,
    start_of_day,
)
from tests.unit.points.worlds import SHANGHAI

BERLIN = ZoneInfo("Europe/Berlin")
MILLENNIUM = datetime(2001, 1, 1, tzinfo=UTC)
instants = st.integers(0, 90 * 365 * 86_400).map(lambda step: MILLENNIUM + timedelta(seconds=step))


def test_the_month_is_that_of_the_property_not_of_utc() -> None:
    new_year_in_shanghai = datetime(2025, 12, 31, 16, 30, tzinfo=UTC)
    assert end_of_month_after(new_year_in_shanghai, 24, SHANGHAI) == datetime(
        2028, 1, 31, 16, tzinfo=UTC
    )
    assert end_of_month_after(new_year_in_shanghai, 24, BERLIN) == datetime(
        2027, 12, 31, 23, tzinfo=UTC
    )


def test_summer_time_moves_the_instant_not_the_day() -> None:
    assert end_of_month_after(datetime(2026, 1, 31, 12, tzinfo=UTC), 6, BERLIN) == datetime(
        2026, 7, 31, 22, tzinfo=UTC
    )


@given(instants, st.integers(1, 240), st.sampled_from([SHANGHAI, BERLIN]))
def test_the_end_is_the_first_instant_of_a_month(
    instant: datetime, months: int, zone: ZoneInfo
) -> None:
    end = end_of_month_after(instant, months, zone).astimezone(zone)
    last = (end - timedelta(microseconds=1)).astimezone(zone)
    assert (end.day, end.hour, end.minute) == (1, 0, 0)
    local = instant.astimezone(zone)
    assert (last.year * 12 + last.month) - (local.year * 12 + local.month) == months


@given(instants, st.integers(0, 8000), st.integers(0, 240))
def test_what_is_posted_late_lives_to_the_end_of_the_month_after_its_posting(
    occurred: datetime, days: int, months: int
) -> None:
    posted = occurred + timedelta(days=days)
    found = points_expiry(occurred, posted, months, SHANGHAI)
    if not months:
        assert found is None
        return
    by_rule = end_of_month_after(occurred, months, SHANGHAI)
    assert found == max(by_rule, end_of_month_after(posted, 1, SHANGHAI))


def test_a_fixed_day_is_good_to_its_end_by_the_propertys_calendar() -> None:
    posted, leap_day = datetime(2027, 11, 27, tzinfo=UTC), date(2028, 2, 29)
    assert fixed_expiry(leap_day, posted, SHANGHAI) == datetime(2028, 2, 29, 16, tzinfo=UTC)
    assert fixed_expiry(leap_day, posted, BERLIN) == datetime(2028, 2, 29, 23, tzinfo=UTC)
    summer = date(2028, 6, 15)
    assert fixed_expiry(summer, posted, BERLIN) == datetime(2028, 6, 15, 22, tzinfo=UTC)


def test_a_fixed_day_that_is_near_or_gone_leaves_the_month_after_the_posting() -> None:
    day = date(2026, 12, 31)
    for posted, expires_at in (
        (datetime(2026, 11, 30, 15, 59, tzinfo=UTC), datetime(2026, 12, 31, 16, tzinfo=UTC)),
        (datetime(2026, 11, 30, 16, tzinfo=UTC), datetime(2027, 1, 31, 16, tzinfo=UTC)),
        (datetime(2027, 12, 31, 16, tzinfo=UTC), datetime(2028, 2, 29, 16, tzinfo=UTC)),
    ):
        assert fixed_expiry(day, posted, SHANGHAI) == expires_at


def test_a_day_begins_and_ends_by_the_propertys_calendar() -> None:
    begins = start_of_day(date(2026, 3, 10), SHANGHAI)
    assert begins == datetime(2026, 3, 9, 16, tzinfo=UTC)
    assert begins.tzinfo is UTC
    assert last_day(begins, SHANGHAI) == date(2026, 3, 9)
    assert last_day(begins + timedelta(microseconds=1), SHANGHAI) == date(2026, 3, 10)


def test_months_are_counted_and_named_by_the_propertys_calendar() -> None:
    new_year = datetime(2026, 12, 31, 16, tzinfo=UTC)
    january = month_of(new_year, SHANGHAI)
    assert (january, month_name(january)) == (2027 * 12, "2027-01")
    assert month_name(month_of(new_year - timedelta(microseconds=1), SHANGHAI)) == "2026-12"


def test_the_shortest_month_lies_between_earning_and_posting() -> None:
    last_minute_of_january = datetime(2026, 1, 31, 15, 59, tzinfo=UTC)
    first_minute_of_march = datetime(2026, 2, 28, 16, 1, tzinfo=UTC)
    # By the rule they would expire with March; what is posted in March lives through April.
    assert points_expiry(last_minute_of_january, first_minute_of_march, 2, SHANGHAI) == datetime(
        2026, 4, 30, 16, tzinfo=UTC
    )
    last_of_february = first_minute_of_march - timedelta(minutes=2)
    assert points_expiry(last_minute_of_january, last_of_february, 2, SHANGHAI) == datetime(
        2026, 3, 31, 16, tzinfo=UTC
    )
