"""Clocks and identifiers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from chassis.clock import ManualClock, SystemClock
from chassis.identifiers import new_id

CHINA = timezone(timedelta(hours=8))


def test_the_system_clock_speaks_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_a_manual_clock_stands_until_it_is_moved() -> None:
    clock = ManualClock(datetime(2030, 1, 1, 8, tzinfo=CHINA))
    assert clock.now() == clock.now() == datetime(2030, 1, 1, tzinfo=UTC)
    assert clock.advance(timedelta(hours=1)) == clock.now() == datetime(2030, 1, 1, 1, tzinfo=UTC)


def test_a_manual_clock_goes_forward_only_and_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="forward"):
        ManualClock(datetime(2030, 1, 1, tzinfo=UTC)).advance(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2030, 1, 1))  # noqa: DTZ001 - the missing zone is the point


def test_ids_made_later_sort_later() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(set(ids))
    assert {each.version for each in ids} == {7}
