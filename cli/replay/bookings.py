"""The bookings file as published: its rows, which become stays, and what is wrong with one.

Columns as in N. Antonio, A. de Almeida, L. Nunes, "Hotel booking demand datasets",
Data in Brief 22 (2019); the room revenue of a stay is `adr` × nights, in euro.
"""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from huitouke.type.v1.booking_channel_pb2 import BookingChannel

T = TypeVar("T")

HOTEL_ZONE = "Europe/Lisbon"
"""Both hotels of the published file are in Portugal."""

PROPERTIES = {"Resort Hotel": "H1", "City Hotel": "H2"}

CHANNELS = {
    "Direct": BookingChannel.BOOKING_CHANNEL_DIRECT,
    "Corporate": BookingChannel.BOOKING_CHANNEL_CORPORATE,
    "Aviation": BookingChannel.BOOKING_CHANNEL_CORPORATE,
    "Online TA": BookingChannel.BOOKING_CHANNEL_OTA,
    "Offline TA/TO": BookingChannel.BOOKING_CHANNEL_AGENCY,
    "Groups": BookingChannel.BOOKING_CHANNEL_GROUP,
    "Complementary": BookingChannel.BOOKING_CHANNEL_GROUP,
}
"""`market_segment` → channel. Airline crews stay on a company contract; complimentary rooms are
given under a host's contract and earn nothing, as a group's."""

STAYED = "Check-Out"
NIGHTS_MAX = 366
ADR_MAX_EURO = Decimal(100_000)
COLUMNS = (
    "hotel",
    "market_segment",
    "adr",
    "stays_in_weekend_nights",
    "stays_in_week_nights",
    "reservation_status",
    "reservation_status_date",
)


@dataclass(frozen=True, slots=True)
class Stay:
    """One row that ended in a stay. `line` is its line in the file, the header being line 1."""

    line: int
    property_code: str
    channel: "BookingChannel.ValueType"
    nights: int
    adr_euro: Decimal
    left_at: datetime

    def amount_fen(self, fen_per_euro: Decimal) -> int:
        """Room revenue adr × nights at the given rate, rounded half up once, at the end."""
        amount = self.adr_euro * self.nights * fen_per_euro
        return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


@dataclass(frozen=True, slots=True)
class Malformed:
    """One row that can't be read."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class NoStay:
    """One row that never became a stay (cancelled, no-show)."""

    line: int
    status: str


class UnreadableFile(Exception):
    """The file as a whole is not a bookings file; the message says what is missing."""


def read_bookings(path: Path) -> Iterator[Stay | NoStay | Malformed]:
    """Every row of a bookings CSV (plain or gzip), in order; one bad row spoils no other.

    Raises:
        UnreadableFile: It can't be opened, is no text, or lacks a column.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", errors="replace", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise UnreadableFile(f"{path} lacks the columns {', '.join(missing)}")
            while (row := _next_row(reader)) is not None:
                yield row if isinstance(row, Malformed) else _parse(reader.line_num, row)
    except OSError as error:
        raise UnreadableFile(f"{path} can't be read: {error.strerror or error}") from error


def _next_row(reader: "csv.DictReader[str]") -> dict[str, str] | Malformed | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        return Malformed(reader.line_num, f"not CSV: {error}")


def _parse(line: int, row: dict[str, str]) -> Stay | NoStay | Malformed:
    try:
        status = _required(row, "reservation_status")
        if status != STAYED:
            return NoStay(line, status)
        return Stay(
            line=line,
            property_code=_among(row, "hotel", PROPERTIES),
            channel=_among(row, "market_segment", CHANNELS),
            nights=_nights(row),
            adr_euro=_euro(row, "adr"),
            left_at=_noon(row, "reservation_status_date"),
        )
    except ValueError as error:
        return Malformed(line, str(error))


def _required(row: dict[str, str], column: str) -> str:
    value = row.get(column)
    if not value:
        raise ValueError(f"{column} is missing")
    return value


def _nights(row: dict[str, str]) -> int:
    nights = _whole(row, "stays_in_weekend_nights") + _whole(row, "stays_in_week_nights")
    if nights > NIGHTS_MAX:
        raise ValueError(f"{nights} nights are more than {NIGHTS_MAX}")
    return nights


def _whole(row: dict[str, str], column: str) -> int:
    text = _required(row, column)
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{column} is {text!r}, not a whole number")
    return int(text)


def _euro(row: dict[str, str], column: str) -> Decimal:
    text = _required(row, column)
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{column} is {text!r}, not an amount") from None
    if not value.is_finite() or abs(value) > ADR_MAX_EURO:
        raise ValueError(f"{column} is {text!r}, out of range")
    return value


def _among(row: dict[str, str], column: str, known: dict[str, T]) -> T:
    text = _required(row, column)
    if text not in known:
        raise ValueError(f"{column} is {text!r}, not one of {', '.join(known)}")
    return known[text]


def _noon(row: dict[str, str], column: str) -> datetime:
    """Noon of that day at the hotel: the hour guests leave, and a day that no zone can move."""
    text = _required(row, column)
    for form in ("%m/%d/%Y", "%Y-%m-%d"):
        try:
            day = datetime.strptime(text, form).replace(tzinfo=ZoneInfo(HOTEL_ZONE), hour=12)
        except ValueError:
            continue
        return day.astimezone(UTC)
    raise ValueError(f"{column} is {text!r}, not a date as month/day/year or year-month-day")
