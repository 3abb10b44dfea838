"""`huitouke import` against a real server: resumed, reported, mended."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from cli.endpoints import Endpoints
from cli.local.ports import free_port
from tests.integration.points.running import migrated
from tests.integration.points.test_import_kills import server

PROGRAM = [sys.executable, "-m", "cli.main", "import"]
HEADER = "reference,member_id,asset,amount,earned_at,expires_at"


@pytest.fixture
def state(database_url: str, certificates: Path, tmp_path: Path) -> Iterator[Path]:
    """The state folder of a suite of which only the ledger runs."""
    migrated(database_url)
    port = free_port()
    nowhere = dict.fromkeys(
        ("partner", "admin", "member", "coupon", "notify", "kafka_bootstrap"), "127.0.0.1:1"
    )
    spools = {"topic_prefix": "", "sms_spool": "", "mail_spool": ""}
    Endpoints(points=f"127.0.0.1:{port}", certificates=str(certificates), **nowhere, **spools).save(
        tmp_path
    )
    with server(database_url, certificates, port):
        yield tmp_path


def run(state: Path, file: Path, import_id: str, *options: str) -> tuple[int, str]:
    command = [*PROGRAM, str(file), "--import-id", import_id, "--state", str(state), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def amount_in(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT coalesce(sum(points), 0)::bigint FROM members").fetchone()
    assert row is not None
    return int(row[0])


def test_a_file_is_imported_reported_mended_and_imported_again_without_doubling(
    state: Path, database_url: str
) -> None:
    file, import_id = state / "balances.csv", str(uuid4())
    lines = [f"A-{number},{uuid4()},POINTS,{number},2024-05-01," for number in range(1, 601)]
    lines[9] = f"A-10,{uuid4()},POINTS,10,2024-05-01,2024-06-30"
    lines[19] = f"A-20,{uuid4()},POINTS,twenty,2024-05-01,"
    whole = sum(range(1, 601))
    file.write_text("\n".join([HEADER, *lines]) + "\n")

    code, output = run(state, file, import_id)
    assert code == 3, output
    assert "598 brought in, 0 were in already, 2 rejected" in output
    assert "line 11: IMPORT_ROW_EXPIRED" in output
    assert "line 21: UNREADABLE: amount is 'twenty'" in output
    assert amount_in(database_url) == whole - 30

    code, output = run(state, file, import_id)
    assert code == 3, output
    assert "going on behind line 601" in output
    assert "0 brought in, 0 were in already, 2 rejected" in output
    code, output = run(state, file, import_id, "--again")
    assert "0 brought in, 598 were in already, 2 rejected" in output
    assert amount_in(database_url) == whole - 30

    report = state / "balances.csv.rejected.csv"
    rows = list(csv.DictReader(report.open()))
    assert [(row["line"], row["reason"]) for row in rows] == [
        ("11", "IMPORT_ROW_EXPIRED"),
        ("21", "UNREADABLE"),
    ]
    rows[0]["expires_at"], rows[1]["amount"] = "", "20"
    with report.open("w") as mended:
        writer = csv.DictWriter(mended, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    code, output = run(state, report, import_id, "--again")
    assert code == 0, output
    assert "2 brought in, 0 were in already, 0 rejected" in output
    assert amount_in(database_url) == whole


def test_what_can_not_be_imported_at_all_is_said_in_one_line(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("a,b\n1,2\n")
    code, output = run(state, file, str(uuid4()))
    assert code == 1
    assert output.startswith("huitouke: ")
    assert "lacks the columns reference" in output
    file.write_text(f"{HEADER}\n")
    code, output = run(tmp_path / "nowhere", file, str(uuid4()))
    assert (code, "no suite runs" in output) == (1, True)
    code, output = run(state, file, str(uuid4()), "--time-zone", "Nowhere")
    assert (code, "no IANA time zone" in output) == (2, True)
