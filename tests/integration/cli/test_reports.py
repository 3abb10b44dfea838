"""The reports as an operator sees them, asked of a ledger that has lived for some years."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from chassis.clock import ManualClock
from cli.clients import Refused
from cli.endpoints import Endpoints
from cli.reports.liability import ask_liability, show_liability
from cli.reports.statement import ask_statement, statement_table, write_csv
from cli.reports.trial_balance import ask_trial_balance, trial_balance_table
from tests.integration.points.requests import post, purchase, top_up
from tests.integration.points.running import migrated, running

BEGIN = datetime(2023, 1, 15, 4, tzinfo=UTC)
MONTHS = 36
GUESTS = [UUID(int=number << 64) for number in range(1, 9)]


def endpoints_of(port: int, certificates: Path) -> Endpoints:
    """A suite of which only the ledger is there."""
    names = [field.name for field in fields(Endpoints)]
    known = {"points": f"127.0.0.1:{port}", "certificates": str(certificates)}
    return Endpoints(**{name: known.get(name, "") for name in names})


@asynccontextmanager
async def old_ledger(database_url: str, certificates: Path) -> AsyncIterator[Endpoints]:
    """Three years of guests who dine once a month, top up at times and redeem seldom."""
    clock, random = ManualClock(BEGIN), Random(7)
    async with running(migrated(database_url), certificates, clock=clock) as points:
        caller = points.caller()
        for month in range(MONTHS):
            for guest in GUESTS:
                if month % 12 == 0:
                    await caller.call("TopUp", top_up(guest, 100_000))
                spent = random.choice([0, 0, 0, 500])
                stored = random.choice([0, 3_000])
                bought = purchase(
                    guest, 60_000, occurred_at=clock.now(), stored=stored,
                    points=spent if month > 2 else 0,
                )  # fmt: skip
                await caller.call("Post", post(bought))
            clock.advance(timedelta(days=30))
        yield endpoints_of(points.port, certificates)


def shown(show: Callable[[Console], object]) -> str:
    console = Console(width=140, file=StringIO(), record=True)
    show(console)
    return console.export_text()


def test_the_liability_is_shown_with_its_groups_and_an_estimate(
    database_url: str, certificates: Path
) -> None:
    async def look() -> str:
        async with old_ledger(database_url, certificates) as endpoints:
            report = await asyncio.to_thread(ask_liability, endpoints, None)
            for asset in report.assets:
                for groups in (asset.by_source, asset.by_rule, asset.by_earned_month,
                               asset.by_expiry_month):  # fmt: skip
                    shares = [group.figures.breakage for group in groups]
                    assert sum(shares) == asset.breakage.amount == asset.total.breakage
            assert report.assets[0].breakage.amount > 0
            return shown(lambda console: show_liability(report, console))

    text = " ".join(asyncio.run(look()).split())
    for part in (
        "100 points = 1 CNY",
        "of it held",
        "owed by members",
        "POINTS by source",
        "POINTS by last month of use",
        "CASH by month of earning",
        "BONUS by source",
        "will presumably expire unused",
        "with nothing left",
        "Kaplan and Meier",
    ):
        assert part in text


def test_a_trial_balance_is_shown_with_sums_of_zero(database_url: str, certificates: Path) -> None:
    async def look() -> str:
        async with old_ledger(database_url, certificates) as endpoints:
            year = datetime(2024, 1, 1), datetime(2025, 1, 1)  # noqa: DTZ001 - as it is typed
            found = await asyncio.to_thread(ask_trial_balance, endpoints, *year)
            assert found.balanced
            return shown(lambda console: console.print(trial_balance_table(found)))

    text = asyncio.run(look())
    assert "Trial balance from 2024-01-01 00:00:00 to 2025-01-01 00:00:00" in text
    assert "SETTLEMENT" in text


def test_a_statement_is_shown_as_a_table_and_written_as_csv(
    database_url: str, certificates: Path
) -> None:
    async def look() -> tuple[str, bytes]:
        async with old_ledger(database_url, certificates) as endpoints:
            asked: Any = (endpoints, str(GUESTS[0]), datetime(2025, 6, 1), None)  # noqa: DTZ001

            def both() -> tuple[str, bytes]:
                table = statement_table(asked[1], ask_statement(*asked, as_csv=False))
                file = BytesIO()
                write_csv(ask_statement(*asked, as_csv=True), file)
                return shown(lambda console: console.print(table)), file.getvalue()

            return await asyncio.to_thread(both)

    text, content = asyncio.run(look())
    rows = list(csv.reader(StringIO(content.decode(), newline="")))
    assert rows[0][0] == "posted_at"
    assert [row[3] for row in rows[1:4]] == ["OPENING"] * 3
    assert [row[3] for row in rows[-3:]] == ["CLOSING"] * 3
    for part in ("opening", "closing", "principal", "gift", "ISSUED BASE_DINING"):
        assert part in text


def test_a_member_that_is_none_is_refused_in_words(database_url: str, certificates: Path) -> None:
    async def ask() -> None:
        async with running(migrated(database_url), certificates) as points:
            endpoints = endpoints_of(points.port, certificates)

            def read() -> None:
                list(ask_statement(endpoints, "nobody", None, None, as_csv=False))

            with pytest.raises(Refused) as refused:
                await asyncio.to_thread(read)
            assert refused.value.reason == "INVALID_FIELD"

    asyncio.run(ask())
