"""Blind indexes: equal values meet, columns don't."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from chassis.security import BlindIndex

KEY = bytes(range(32))


@given(st.text(), st.text())
def test_values_meet_exactly_when_they_are_equal(one: str, other: str) -> None:
    index = BlindIndex(KEY, "members.mobile")
    assert (index.of(one) == index.of(other)) == (one == other)


@given(st.text())
def test_one_value_in_two_columns_cannot_be_linked(value: str) -> None:
    assert BlindIndex(KEY, "a").of(value) != BlindIndex(KEY, "b").of(value)


@given(st.text())
def test_without_the_key_nothing_is_found(value: str) -> None:
    assert BlindIndex(KEY, "a").of(value) != BlindIndex(KEY[::-1], "a").of(value)


def test_the_construction_stays_what_stored_indexes_were_made_with() -> None:
    working = hmac.digest(KEY, b"huitouke blind index|members.mobile", "sha256")
    expected = hmac.digest(working, b"+8619900000001", "sha256")
    assert BlindIndex(KEY, "members.mobile").of("+8619900000001") == expected
