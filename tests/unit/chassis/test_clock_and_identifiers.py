"""Clocks and identifiers."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import ManualClock, SystemClock
from chassis.identifiers import in_order, new_id, parse_id

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


@given(st.uuids())
def test_a_parsed_id_is_the_standard_librarys(known: UUID) -> None:
    for text in (str(known), str(known).upper(), known.hex, f"{{{known}}}"):
        parsed = parse_id(text)
        assert parsed == known
        assert hash(parsed) == hash(known)
        assert str(parsed) == str(known)
        assert parsed.is_safe is known.is_safe
        assert pickle.loads(pickle.dumps(parsed)) == known  # noqa: S301 - made one line above


@pytest.mark.parametrize("text", ["", "no id", "x" * 36, "1" * 40])
def test_a_text_that_is_no_id_is_not_parsed(text: str) -> None:
    with pytest.raises(ValueError, match=r"badly formed|invalid literal"):
        parse_id(text)


@given(st.sets(st.uuids(), max_size=20))
def test_ids_are_ordered_as_they_compare(ids: set[UUID]) -> None:
    assert in_order(ids) == sorted(ids)
