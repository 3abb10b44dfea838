"""`huitouke replay`: a bookings file through the gateway, whole, twice, interrupted, malformed."""

from __future__ import annotations

import csv
import hashlib
import random
import signal
from pathlib import Path

import psycopg
import pytest

from cli.suite import Suite
from tests.e2e.commands import begin, run
from tests.waiting import wait_until

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "hotel_bookings.csv.gz"
STAYS_PUBLISHED, ROWS_PUBLISHED = 6_938, 14_938

COLUMNS = (
    "hotel",
    "market_segment",
    "adr",
    "stays_in_weekend_nights",
    "stays_in_week_nights",
    "reservation_status",
    "reservation_status_date",
)
MALFORMED = (
    ("Seaside Hotel", "Direct", "80", "1", "1", "Check-Out", "2016-05-01"),
    ("City Hotel", "Direct", "eighty", "1", "1", "Check-Out", "2016-05-01"),
    ("City Hotel", "Carrier pigeon", "80", "1", "1", "Check-Out", "2016-05-01"),
    ("City Hotel", "Direct", "80", "-1", "1", "Check-Out", "2016-05-01"),
    ("City Hotel", "Direct", "80", "1", "1", "Check-Out", "2016-02-30"),
)


def bookings(path: Path, stays: int, *, malformed: bool = False) -> Path:
    """A synthetic file: stays of all segments, some free of charge, and bookings never stayed."""
    chance = random.Random(str(path))
    rows = [_stay(chance, number) for number in range(stays)]
    rows += [("City Hotel", "Groups", "60", "0", "2", "Canceled", "2016-03-01")] * 3
    if malformed:
        rows[4:4] = MALFORMED
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return path


def _stay(chance: random.Random, number: int) -> tuple[str, ...]:
    hotel = chance.choice(("Resort Hotel", "City Hotel"))
    segment = chance.choice(("Direct", "Corporate", "Online TA", "Groups", "Complementary"))
    rate = "0" if number % 10 == 9 else f"{chance.uniform(20, 300):.2f}"
    nights = str(chance.randint(1, 5)), str(chance.randint(0, 5))
    return (hotel, segment, rate, *nights, "Check-Out", f"2016-07-{chance.randint(1, 28):02d}")


def booked(suite: Suite, file: Path) -> int:
    """Checkouts that are committed for this file, read behind the gateway's back."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    with psycopg.connect(suite.database_url("gateway")) as connection:
        row = connection.execute(
            "SELECT count(*) FROM checkouts WHERE state = 2 AND starts_with(request_id, %s)",
            (f"replay/{digest}/",),
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_file_replayed_twice_is_booked_once_and_its_faults_are_named(
    suite: Suite, tmp_path: Path
) -> None:
    file = bookings(tmp_path / "bookings.csv", 60, malformed=True)
    for _ in range(2):
        code, output = run(suite, "replay", str(file))
        assert code == 0, output[-4_000:]
        assert "They agree." in output
        assert "5 malformed" in output
        for line in range(6, 11):
            assert f"line {line}: " in output
        assert "6 stays whose amount isn't positive" in output
        assert booked(suite, file) == 54


def test_a_replay_interrupted_and_killed_goes_on_where_it_was(suite: Suite, tmp_path: Path) -> None:
    file = bookings(tmp_path / "interrupted.csv", 160)  # far more than are booked while we look
    for goal, number in ((10, signal.SIGINT), (30, signal.SIGKILL)):
        process = begin(suite, "replay", str(file), "--in-flight", "1")
        try:
            wait_until(
                lambda goal=goal: booked(suite, file) >= goal,  # type: ignore[misc]
                90,
                "the replay is under way",
            )
            process.send_signal(number)
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode != 0
        assert "Traceback" not in output
        assert booked(suite, file) < 144
    code, output = run(suite, "replay", str(file))
    assert code == 0, output[-4_000:]
    assert booked(suite, file) == 144


def test_the_published_file_is_replayed_whole_and_agrees_to_the_fen_and_the_point(
    suite: Suite,
) -> None:
    if not PUBLISHED.exists():
        pytest.skip(f"{PUBLISHED} is missing: it is published data and not part of the project")
    code, output = run(suite, "replay", str(PUBLISHED), timeout_seconds=400)
    assert code == 0, output[-4_000:]
    assert f"{STAYS_PUBLISHED:,} stays" in output
    assert f"{ROWS_PUBLISHED - STAYS_PUBLISHED:,} bookings that never became one" in output
    assert "They agree." in output
