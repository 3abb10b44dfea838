"""The file of opening balances: what its rows say, and what is wrong with one."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from huitouke.points.v1 import entry_pb2

from cli.importing.rows import Readable, Unreadable, UnreadableFile, read_rows

HEADER = "reference,member_id,asset,amount,earned_at,expires_at"
MEMBER = "0199aaaa-0000-7000-8000-000000000001"
SHANGHAI = ZoneInfo("Asia/Shanghai")


def rows_of(folder: Path, *lines: str, header: str = HEADER) -> list[Readable | Unreadable]:
    path = folder / "balances.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return list(read_rows(path, SHANGHAI))


def only(folder: Path, line: str) -> Readable | Unreadable:
    (row,) = rows_of(folder, line)
    return row


def test_dates_are_whole_days_of_the_files_calendar(tmp_path: Path) -> None:
    row = only(tmp_path, f"A-1,{MEMBER},POINTS,1200,2024-05-01,2027-04-30")
    assert isinstance(row, Readable)
    balance = row.balance
    assert (row.line, balance.line, balance.reference, balance.amount) == (2, 2, "A-1", 1200)
    assert (balance.member_id, balance.asset) == (MEMBER, entry_pb2.ASSET_POINTS)
    assert balance.earned_at.ToDatetime(tzinfo=UTC) == datetime(2024, 4, 30, 16, tzinfo=UTC)
    assert balance.expires_at.ToDatetime(tzinfo=UTC) == datetime(2027, 4, 30, 16, tzinfo=UTC)


def test_instants_are_taken_with_their_own_zone_and_an_empty_expiry_is_never(
    tmp_path: Path,
) -> None:
    row = only(tmp_path, f"A-1,{MEMBER},CASH,1200,2024-05-01T10:00:00+08:00,")
    assert isinstance(row, Readable)
    assert row.balance.earned_at.ToDatetime(tzinfo=UTC) == datetime(2024, 5, 1, 2, tzinfo=UTC)
    assert not row.balance.HasField("expires_at")


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (f"A-1,{MEMBER},MILES,1200,2024-05-01,", "asset"),
        (f"A-1,{MEMBER},POINTS,12.5,2024-05-01,", "amount"),
        (f"A-1,{MEMBER},POINTS,,2024-05-01,", "amount"),
        (f"A-1,{MEMBER},POINTS,{'9' * 19},2024-05-01,", "amount"),
        (f"A-1,{MEMBER},POINTS,1200,01/05/2024,", "earned_at"),
        (f"A-1,{MEMBER},POINTS,1200,,", "earned_at"),
        (f"A-1,{MEMBER},POINTS,1200,2024-05-01T10:00:00,", "earned_at"),
        (f"A-1,{MEMBER},POINTS,1200,2024-05-01,2024-02-30", "expires_at"),
        (f"A-1,{MEMBER},POINTS,1200,2024-05-01,9999-12-31", "expires_at"),
        ("A-1", "asset"),
    ],
)
def test_a_row_that_can_not_be_read_says_which_column(
    tmp_path: Path, line: str, column: str
) -> None:
    good = f"A-2,{MEMBER},POINTS,1,2024-05-01,"
    bad, fine = rows_of(tmp_path, line, good)
    assert isinstance(bad, Unreadable)
    assert bad.message.startswith(column)
    assert isinstance(fine, Readable)


def test_a_column_of_lines_gives_each_row_its_line(tmp_path: Path) -> None:
    lines = [f"{number},A-{number},{MEMBER},POINTS,1,2024-05-01," for number in (7, 90)]
    rows = rows_of(tmp_path, *lines, header=f"line,{HEADER}")
    assert [row.line for row in rows] == [7, 90]
    with pytest.raises(UnreadableFile, match="line 7 comes after 90; lines must ascend"):
        rows_of(tmp_path, *reversed(lines), header=f"line,{HEADER}")
    with pytest.raises(UnreadableFile, match="not a number"):
        rows_of(tmp_path, f"x{lines[0]}", header=f"line,{HEADER}")


def test_a_file_that_is_none_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="lacks the columns earned_at, expires_at"):
        rows_of(tmp_path, header="reference,member_id,asset,amount")
    with pytest.raises(UnreadableFile, match="can't be read"):
        list(read_rows(tmp_path / "missing.csv", SHANGHAI))


def test_a_gzipped_file_with_a_byte_order_mark_is_read_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "balances.csv.gz"
    text = f"\ufeff{HEADER}\nA-1,{MEMBER},BONUS,5,2024-05-01,\n"
    path.write_bytes(gzip.compress(text.encode()))
    (row,) = read_rows(path, SHANGHAI)
    assert isinstance(row, Readable)
