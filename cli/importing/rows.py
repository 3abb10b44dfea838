"""The file of opening balances: its rows, and what is wrong with one.

Columns: `reference` (what the other system calls the lot), `member_id`, `asset` (POINTS, CASH or
BONUS), `amount` (points, or minor units), `earned_at`, `expires_at` (empty for never); `line`, if
there is one, gives each row its line, as in a file of rejected rows. Instants are ISO 8601 with a
zone; a date alone is a whole day by the file's calendar: earned at its beginning, expiring at its
end.
"""

import csv
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from huitouke.points.v1 import entry_pb2, import_pb2

COLUMNS = ("reference", "member_id", "asset", "amount", "earned_at", "expires_at")
LINE = "line"
ASSETS = {
    "POINTS": entry_pb2.ASSET_POINTS,
    "CASH": entry_pb2.ASSET_CASH,
    "BONUS": entry_pb2.ASSET_BONUS,
}
AMOUNT_DIGITS_MAX = 18

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Readable:
    """One row, ready to be sent."""

    line: int
    balance: import_pb2.OpeningBalance


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One row that can't be sent, and why."""

    line: int
    message: str


class UnreadableFile(Exception):
    """The file as a whole is not one of opening balances; the message says what is missing."""


def read_rows(path: Path, zone: ZoneInfo) -> Iterator[Readable | Unreadable]:
    """Every row by ascending line; one bad row spoils no other, and only one is held at a time.

    Raises:
        UnreadableFile: It can't be opened, is no text, lacks a column, or its lines don't ascend.
    """
    last = 0
    for line, fields in read_fields(path):
        if line <= last:
            raise UnreadableFile(f"{path}: line {line} comes after {last}; lines must ascend")
        last = line
        yield _row(line, fields, zone)


def read_fields(path: Path) -> Iterator[tuple[int, Fields]]:
    """Every row as it is written, with its line.

    Raises:
        UnreadableFile: As `read_rows`, but for the order of lines.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise UnreadableFile(f"{path} lacks the columns {', '.join(missing)}")
            for fields in reader:
                whole = {name: fields.get(name) or "" for name in (*COLUMNS, LINE)}
                yield _line(path, reader.line_num, whole), whole
    except OSError as error:
        raise UnreadableFile(f"{path} can't be read: {error.strerror or error}") from error
    except csv.Error as error:
        raise UnreadableFile(f"{path} is no CSV: {error}") from error


def _line(path: Path, number: int, fields: Fields) -> int:
    text = fields[LINE].strip()
    if not text:
        return number
    if not (text.isascii() and text.isdigit()) or len(text) > AMOUNT_DIGITS_MAX:
        raise UnreadableFile(f"{path}: line is {text!r} in line {number}, not a number")
    return int(text)


def _row(line: int, fields: Fields, zone: ZoneInfo) -> Readable | Unreadable:
    try:
        balance = import_pb2.OpeningBalance(
            line=line,
            reference=fields["reference"].strip(),
            member_id=fields["member_id"].strip(),
            asset=_asset(fields["asset"].strip()),
            amount=_amount(fields["amount"].strip()),
        )
        balance.earned_at.FromDatetime(_instant("earned_at", fields, zone, whole_days=0))
        if fields["expires_at"].strip():
            balance.expires_at.FromDatetime(_instant("expires_at", fields, zone, whole_days=1))
    except ValueError as error:
        return Unreadable(line, str(error))
    return Readable(line, balance)


def _asset(text: str) -> "entry_pb2.Asset.ValueType":
    if text not in ASSETS:
        raise ValueError(f"asset is {text!r}, not one of {', '.join(ASSETS)}")
    return ASSETS[text]


def _amount(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > AMOUNT_DIGITS_MAX:
        raise ValueError(f"amount is {text!r}, not a whole number of points or minor units")
    return int(text)


def _instant(name: str, fields: Fields, zone: ZoneInfo, *, whole_days: int) -> datetime:
    """The instant in UTC; of a date alone, midnight `whole_days` after its beginning."""
    text = fields[name].strip()
    try:
        if len(text) == len("2026-01-31"):
            day = date.fromisoformat(text) + timedelta(days=whole_days)
            return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        instant = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{name} is {text!r}, not a date (2026-01-31) or an instant (2026-01-31T10:00:00+08:00)"
        ) from None
    if instant.tzinfo is None:
        raise ValueError(f"{name} is {text!r}, an hour without a zone; add one, +08:00 say")
    return instant.astimezone(UTC)
