"""CSV for people and their spreadsheets: RFC 4180, UTF-8, and no text that runs as a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Final

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"), full-width
characters of Chinese input included."""

Cell = str | int | None


def csv_rows(rows: Iterable[Sequence[Cell]]) -> bytes:
    """The rows as CSV, each ended by CRLF; quoted where a comma, a quote or a line end needs it.

    Numbers are written as they are, None is empty, and a text that a spreadsheet would run gets an
    apostrophe before it, which spreadsheets show as "this is text".
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _safe(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS):
        return f"'{cell}"
    return cell
