"""CSV that any reader of RFC 4180 takes, and that no spreadsheet runs."""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.csv_rows import FORMULA_STARTS, Cell, csv_rows

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(StringIO(content.decode(), newline="")))


def test_lines_end_with_crlf_and_only_what_must_be_is_quoted() -> None:
    rows: list[tuple[Cell, ...]] = [("a", "b,c", 'say "hi"', "two\nlines"), (1, -2, None, "积分")]
    assert csv_rows(rows).decode() == 'a,"b,c","say ""hi""","two\nlines"\r\n1,-2,,积分\r\n'


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_a_text_that_begins_like_a_formula_is_made_a_text(start: str) -> None:
    assert read(csv_rows([(f"{start}1+1", "x")])) == [[f"'{start}1+1", "x"]]


def test_a_negative_number_stays_a_number() -> None:
    assert csv_rows([(-5, "-5")]) == b"-5,'-5\r\n"


@given(st.lists(st.lists(texts, min_size=2, max_size=4), max_size=5))
def test_every_text_comes_back_but_for_its_apostrophe(rows: list[list[str]]) -> None:
    expected = [
        [f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell for cell in row] for row in rows
    ]
    assert read(csv_rows(rows)) == expected
