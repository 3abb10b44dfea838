"""Mobiles: valid by their country's plan, one normal form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel import Refusal
from services.member.converters.phones import normalised_mobile, valid_mobile

SYNTHETIC = st.integers(0, 99_999_999).map(lambda number: f"+86199{number:08d}")


@given(SYNTHETIC)
def test_the_whole_synthetic_range_can_be_enrolled(mobile: str) -> None:
    assert valid_mobile(mobile) == mobile


@pytest.mark.parametrize("mobile", ["+85291234567", "+447400123456", "+12015550123", "+6591234567"])
def test_foreign_guests_can_be_enrolled(mobile: str) -> None:
    assert valid_mobile(mobile) == mobile


@pytest.mark.parametrize(
    "text",
    [
        "+862161234567",  # a fixed line in Shanghai
        "+861990000000",  # a digit short
        "+86199000000011",  # a digit long
        "+999123456789",  # no such country
        "+8612345678901",  # no such operator
        "+1",
        "",
        "19900000001",
    ],
)
def test_what_is_no_mobile_is_refused_without_an_echo(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        valid_mobile(text)
    assert refused.value.reason == "MOBILE_INVALID"
    assert not text or text not in str(refused.value)


@given(SYNTHETIC)
def test_a_mobile_is_looked_up_in_the_form_in_which_it_was_enrolled(mobile: str) -> None:
    assert normalised_mobile(mobile) == valid_mobile(mobile)


def test_a_trunk_zero_is_dropped_on_both_ways() -> None:
    assert normalised_mobile("+4407400123456") == valid_mobile("+4407400123456") == "+447400123456"
