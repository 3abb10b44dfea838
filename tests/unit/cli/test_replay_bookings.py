"""Reading the published bookings file."""

import csv
import gzip
from decimal import Decimal
from pathlib import Path

import pytest
from huitouke.type.v1.booking_channel_pb2 import BookingChannel
from hypothesis import given
from hypothesis import strategies as st

from cli.replay.bookings import COLUMNS, Malformed, NoStay, Stay, UnreadableFile, read_bookings

GOOD = {
    "hotel": "City Hotel",
    "market_segment": "Direct",
    "adr": "98.55",
    "stays_in_weekend_nights": "1",
    "stays_in_week_nights": "2",
    "reservation_status": "Check-Out",
    "reservation_status_date": "7/3/2015",
}


def bookings(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_stay_knows_its_line_channel_nights_and_the_noon_its_guest_left(tmp_path: Path) -> None:
    (stay,) = read_bookings(bookings(tmp_path / "b.csv", GOOD))
    assert isinstance(stay, Stay)
    assert (stay.line, stay.property_code, stay.nights) == (2, "H2", 3)
    assert stay.channel == BookingChannel.BOOKING_CHANNEL_DIRECT
    assert stay.left_at.isoformat() == "2015-07-03T11:00:00+00:00"


def test_the_amount_is_adr_times_nights_at_the_rate_rounded_half_up_once(tmp_path: Path) -> None:
    (stay,) = read_bookings(bookings(tmp_path / "b.csv", GOOD))
    assert isinstance(stay, Stay)
    assert stay.amount_fen(Decimal(780)) == 230_607
    assert stay.amount_fen(Decimal("100.5")) == 29_713  # 295.65 × 100.5 = 29,712.825


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("adr", "ninety", "adr is 'ninety', not an amount"),
        ("adr", "NaN", "adr is 'NaN', out of range"),
        ("adr", "1e9", "adr is '1e9', out of range"),
        ("adr", "", "adr is missing"),
        ("stays_in_week_nights", "-1", "stays_in_week_nights is '-1', not a whole number"),
        ("stays_in_week_nights", "400", "401 nights are more than 366"),
        ("hotel", "Motel", "hotel is 'Motel', not one of Resort Hotel, City Hotel"),
        ("reservation_status_date", "31/12/2015", "reservation_status_date is '31/12/2015', not"),
        ("market_segment", "Carrier pigeon", "market_segment is 'Carrier pigeon', not one of"),
        ("reservation_status", "", "reservation_status is missing"),
    ],
)
def test_a_malformed_row_is_told_with_its_line_and_reason_and_stops_nothing(
    tmp_path: Path, column: str, value: str, reason: str
) -> None:
    path = bookings(tmp_path / "b.csv", GOOD, GOOD | {column: value}, GOOD)
    before, bad, after = read_bookings(path)
    assert isinstance(before, Stay)
    assert isinstance(after, Stay)
    assert isinstance(bad, Malformed)
    assert bad.line == 3
    assert bad.reason.startswith(reason)


def test_a_cancelled_booking_is_no_stay_whatever_else_it_says(tmp_path: Path) -> None:
    row = GOOD | {"reservation_status": "Canceled", "market_segment": "Undefined", "adr": ""}
    assert list(read_bookings(bookings(tmp_path / "b.csv", row))) == [NoStay(2, "Canceled")]


def test_a_row_cut_short_is_malformed(tmp_path: Path) -> None:
    path = bookings(tmp_path / "b.csv", GOOD)
    with path.open("a") as file:
        file.write("City Hotel,Direct\n")
    _, bad = read_bookings(path)
    assert isinstance(bad, Malformed)
    assert bad.line == 3


def test_a_gzip_file_reads_like_a_plain_one(tmp_path: Path) -> None:
    plain = bookings(tmp_path / "b.csv", GOOD)
    packed = tmp_path / "b.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(read_bookings(packed)) == list(read_bookings(plain))


def test_a_file_without_the_columns_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("name,age\nsomebody,3\n")
    with pytest.raises(UnreadableFile, match="lacks the columns hotel, market_segment"):
        list(read_bookings(path))


def test_a_file_that_is_not_there_or_no_gzip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="can't be read"):
        list(read_bookings(tmp_path / "absent.csv"))
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(b"no gzip at all")
    with pytest.raises(UnreadableFile, match="can't be read"):
        list(read_bookings(broken))


@given(st.text(max_size=300))
def test_no_text_whatever_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "b.csv"
    path.write_text(",".join(COLUMNS) + "\n" + text, encoding="utf-8")
    assert all(isinstance(row, Stay | NoStay | Malformed) for row in read_bookings(path))
