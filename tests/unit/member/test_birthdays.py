"""Birthdays: they exist, they lie behind us, and lunar ones wander."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel import Refusal
from services.member.converters.lunar import ChineseCalendar
from services.member.domain.birthdays import Birthday, birth_month, check_birthday

TODAY = date(2026, 11, 22)
CALENDAR = ChineseCalendar()


@pytest.mark.parametrize(
    "birthday",
    [
        Birthday(0, 2, 29),
        Birthday(2000, 2, 29),
        Birthday(1900, 1, 1),
        Birthday(2026, 11, 22),
        Birthday(0, 12, 31),
        Birthday(0, 12, 30, lunar=True),
        Birthday(1990, 12, 30, lunar=True),
        Birthday(1900, 1, 1, lunar=True),
    ],
)
def test_a_birthday_that_exists_is_taken(birthday: Birthday) -> None:
    check_birthday(birthday, TODAY, CALENDAR)


@pytest.mark.parametrize(
    ("birthday", "field"),
    [
        (Birthday(2001, 2, 29), "birthday.day"),
        (Birthday(1900, 2, 29), "birthday.day"),
        (Birthday(0, 2, 30), "birthday.day"),
        (Birthday(0, 4, 31), "birthday.day"),
        (Birthday(0, 13, 1), "birthday.month"),
        (Birthday(0, 0, 1), "birthday.month"),
        (Birthday(0, 1, 0), "birthday.day"),
        (Birthday(1899, 1, 1), "birthday.year"),
        (Birthday(2027, 1, 1), "birthday.year"),
        (Birthday(2026, 11, 23), "birthday"),
        (Birthday(0, 1, 31, lunar=True), "birthday.day"),
        (Birthday(2000, 1, 31, lunar=True), "birthday.day"),
        (Birthday(1978, 8, 30, lunar=True), "birthday.day"),
        (Birthday(2026, 12, 1, lunar=True), "birthday"),
    ],
)
def test_a_birthday_that_does_not_exist_is_refused_by_its_field(
    birthday: Birthday, field: str
) -> None:
    with pytest.raises(Refusal) as refused:
        check_birthday(birthday, TODAY, CALENDAR)
    assert (refused.value.reason, refused.value.fields[0].field) == ("INVALID_FIELD", field)


@given(st.dates(date(1900, 1, 1), TODAY))
def test_every_past_day_can_be_a_birthday(day: date) -> None:
    birthday = Birthday(day.year, day.month, day.day)
    check_birthday(birthday, TODAY, CALENDAR)
    assert birth_month(birthday, TODAY, CALENDAR) == day.month


@given(st.integers(1, 12), st.integers(1, 30), st.integers(1902, 2099))
def test_a_lunar_birthday_is_kept_near_its_lunar_month(month: int, day: int, year: int) -> None:
    kept = birth_month(Birthday(0, month, day, lunar=True), date(year, 6, 1), CALENDAR)
    assert kept == 0 or (kept - month) % 12 in (0, 1, 2)


@pytest.mark.parametrize(
    ("birthday", "today", "month"),
    [
        (Birthday(1990, 1, 1, lunar=True), date(2026, 5, 1), 2),
        (Birthday(1990, 1, 1, lunar=True), date(2023, 5, 1), 1),
        (Birthday(0, 8, 15, lunar=True), date(2025, 5, 1), 10),
        (Birthday(0, 8, 15, lunar=True), date(2026, 5, 1), 9),
        (Birthday(0, 12, 30, lunar=True), date(2025, 5, 1), 1),
        (Birthday(0, 12, 30, lunar=True), date(2026, 5, 1), 2),
    ],
)
def test_a_lunar_birthday_counts_in_the_month_where_it_falls_this_year(
    birthday: Birthday, today: date, month: int
) -> None:
    assert birth_month(birthday, today, CALENDAR) == month


def test_no_birthday_has_no_month() -> None:
    assert birth_month(None, TODAY, CALENDAR) == 0


def test_a_year_outside_the_tables_has_no_lunar_answer() -> None:
    assert CALENDAR.month_days(2101, 1) is None
    assert CALENDAR.solar_date(1899, 1, 1) is None
