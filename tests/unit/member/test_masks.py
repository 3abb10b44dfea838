"""Masks: enough to recognise, too little to use, whatever they are given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.member.domain.masks import masked_card_number, masked_mobile, masked_name


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张三", "张**"),
        ("张三丰", "张**"),
        ("张", "张**"),
        ("  李四 ", "李**"),
        ("Ada Lovelace", "A**"),
        ("𠮷野", "𠮷**"),
        ("", ""),
        ("   ", ""),
    ],
)
def test_a_name_shows_its_first_character_and_not_its_length(name: str, masked: str) -> None:
    assert masked_name(name) == masked


@pytest.mark.parametrize(
    ("mobile", "masked"),
    [
        ("+8619900000001", "+86 199****0001"),
        ("+85291234567", "+852 ****4567"),
        ("+447400123456", "+44 74****3456"),
        ("+12015550123", "+1 20****0123"),
        ("+79123456789", "+7 91****6789"),
        ("+6721234", "+672 ****"),
        ("+290123456", "+290 ****56"),
        ("", ""),
        ("+", ""),
    ],
)
def test_a_mobile_shows_its_country_and_ends(mobile: str, masked: str) -> None:
    assert masked_mobile(mobile) == masked


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_at_least_four_digits_of_a_mobile_stay_hidden(mobile: str) -> None:
    shown = sum(character.isdigit() for character in masked_mobile(mobile))
    assert shown <= len(mobile) - 1 - 4
    assert mobile not in masked_mobile(mobile)


@given(st.text(min_size=2).filter(lambda name: len(name.strip()) > 1))
def test_a_name_of_two_characters_or_more_is_never_shown_whole(name: str) -> None:
    assert len(masked_name(name)) == 3


def test_a_card_number_shows_first_and_last_four() -> None:
    assert masked_card_number("8866000000001234") == "8866 **** **** 1234"
