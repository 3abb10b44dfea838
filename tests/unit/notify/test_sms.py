"""Splitting texts into short messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.sms import (
    Alphabet,
    TextTooLongError,
    concatenation_header,
    encode,
    length_in_units,
    segment,
)

TEXTS = st.text(
    alphabet=st.one_of(
        st.sampled_from("abc XYZ 0189 €[]{}^~|\\"), st.sampled_from("尊敬的贵宾您好"), st.just("😀")
    ),
    max_size=2_000,
)


@given(TEXTS)
def test_the_parts_joined_are_the_text_and_none_is_over_its_capacity(text: str) -> None:
    segmented = segment(text)
    assert "".join(segmented.parts) == text
    limit = segmented.alphabet.single if len(segmented.parts) == 1 else segmented.alphabet.part
    assert all(length_in_units(part, segmented.alphabet) <= limit for part in segmented.parts)


@given(TEXTS)
def test_every_part_decodes_alone_so_no_surrogate_pair_is_torn(text: str) -> None:
    segmented = segment(text)
    for part in segmented.parts:
        octets = encode(part, segmented.alphabet)
        if segmented.alphabet is Alphabet.UCS2:
            assert octets.decode("utf-16-be") == part
        assert len(octets) <= 140 if segmented.alphabet is Alphabet.UCS2 else len(octets) <= 160


@pytest.mark.parametrize(
    ("text", "alphabet", "parts"),
    [
        ("a" * 160, Alphabet.GSM_7BIT, 1),
        ("a" * 161, Alphabet.GSM_7BIT, 2),
        ("a" * 306, Alphabet.GSM_7BIT, 2),
        ("a" * 307, Alphabet.GSM_7BIT, 3),
        ("€" * 80, Alphabet.GSM_7BIT, 1),
        ("€" * 81, Alphabet.GSM_7BIT, 2),
        ("好" * 70, Alphabet.UCS2, 1),
        ("好" * 71, Alphabet.UCS2, 2),
        ("好" * 134, Alphabet.UCS2, 2),
        ("好" * 135, Alphabet.UCS2, 3),
        ("😀" * 35, Alphabet.UCS2, 1),
        ("😀" * 36, Alphabet.UCS2, 2),
    ],
)
def test_the_limits_are_those_of_the_standard(text: str, alphabet: Alphabet, parts: int) -> None:
    segmented = segment(text)
    assert (segmented.alphabet, len(segmented.parts)) == (alphabet, parts)


def test_an_escape_is_never_the_last_septet_of_a_part() -> None:
    text = "a" * 152 + "€" + "b" * 20
    assert [len(part) for part in segment(text).parts] == [152, 21]


def test_a_text_of_more_than_255_parts_is_refused() -> None:
    with pytest.raises(TextTooLongError):
        segment("好" * (67 * 255 + 1))


def test_the_header_counts_parts_from_one() -> None:
    assert concatenation_header(0x1FF, 3, 1) == bytes((5, 0, 3, 0xFF, 3, 1))
