"""Referral codes: eight unambiguous characters, one for each number."""

import re

from hypothesis import given
from hypothesis import strategies as st

from services.member.domain.referral_codes import ALPHABET, CODES, referral_code

RANDOM = st.integers(0, CODES - 1)


@given(RANDOM)
def test_a_code_is_what_the_contract_takes_and_nobody_misreads(random: int) -> None:
    code = referral_code(random)
    assert re.fullmatch("[A-Z0-9]{8}", code)
    assert not set(code) & set("01OIL")


@given(RANDOM, RANDOM)
def test_different_numbers_give_different_codes(one: int, other: int) -> None:
    assert (referral_code(one) == referral_code(other)) == (one == other)


def test_the_alphabet_repeats_nothing() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET)
