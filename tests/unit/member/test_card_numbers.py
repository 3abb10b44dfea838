"""Card numbers: prefix, random digits, a check digit that catches what fingers do wrong."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.member.domain.card_numbers import (
    RANDOM_DIGITS,
    CardCandidate,
    card_number,
    luhn_digit,
    normalised_card_number,
    verification_value,
)

RANDOM = st.integers(0, 10**RANDOM_DIGITS - 1)
NUMBERS = RANDOM.map(lambda random: card_number("8866", random))


@pytest.mark.parametrize(
    ("digits", "check"), [("7992739871", "3"), ("453201511283036", "6"), ("0", "0"), ("18", "2")]
)
def test_the_check_digit_is_luhns(digits: str, check: str) -> None:
    assert luhn_digit(digits) == check


@given(RANDOM)
def test_a_number_has_the_prefix_sixteen_digits_and_reads_as_itself(random: int) -> None:
    number = card_number("8866", random)
    assert number.startswith("8866")
    assert len(number) == 16
    assert normalised_card_number(number) == number


@given(RANDOM, RANDOM)
def test_different_draws_are_different_numbers(one: int, other: int) -> None:
    assert (card_number("8866", one) == card_number("8866", other)) == (one == other)


@given(NUMBERS, st.integers(0, 15), st.integers(1, 9))
def test_one_wrong_digit_is_always_caught(number: str, place: int, shift: int) -> None:
    wrong = str((int(number[place]) + shift) % 10)
    assert normalised_card_number(number[:place] + wrong + number[place + 1 :]) is None


@given(NUMBERS, st.integers(0, 14))
def test_swapped_neighbours_are_caught_but_for_nought_and_nine(number: str, place: int) -> None:
    pair = number[place : place + 2]
    assume(pair[0] != pair[1] and set(pair) != {"0", "9"})
    assert normalised_card_number(number[:place] + pair[::-1] + number[place + 2 :]) is None


@given(NUMBERS)
def test_spaces_between_digits_are_ignored(number: str) -> None:
    assert normalised_card_number(" ".join(number[at : at + 4] for at in (0, 4, 8, 12))) == number


@pytest.mark.parametrize("text", ["", "8866", "8866 0000 0000 000", "8866a00000000000", "８" * 16])
def test_what_is_no_number_is_no_card(text: str) -> None:
    assert normalised_card_number(text) is None


@given(st.binary(min_size=32, max_size=32))
def test_a_verification_value_is_four_digits(mac: bytes) -> None:
    value = verification_value(mac)
    assert len(value) == 4
    assert value.isdigit()


def test_verification_values_are_spread_over_all_digits() -> None:
    values = {verification_value(number.to_bytes(8, "big")) for number in range(10_000)}
    assert len(values) == 10_000


def test_a_candidate_never_shows_its_number() -> None:
    assert "8866" not in repr(CardCandidate("8866000000000000", "8866"))
