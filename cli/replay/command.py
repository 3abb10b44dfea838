"""`huitouke replay FILE`: progress while it runs, totals and the comparison at the end."""

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.endpoints import Endpoints
from cli.replay.bookings import Malformed, NoStay, Stay, read_bookings
from cli.replay.comparison import Comparison, compare
from cli.replay.merchants import FrontDesk, front_desks
from cli.replay.runner import Outcome, Plan, replay_stays

FEN_PER_EURO = Decimal(780)
"""The rate of a replay unless told otherwise: 7.80 CNY for one euro."""


@dataclass(slots=True)
class Rows:
    """The file, sorted by what becomes of each row."""

    stays: list[Stay] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    never_stayed: int = 0


def read_rows(path: Path) -> Rows:
    """Read the whole file; a malformed row is kept with its line and reason."""
    rows = Rows()
    for row in read_bookings(path):
        match row:
            case Stay():
                rows.stays.append(row)
            case Malformed():
                rows.malformed.append(row)
            case NoStay():
                rows.never_stayed += 1
    return rows


def replay(
    endpoints: Endpoints, path: Path, console: Console, fen_per_euro: Decimal, concurrency: int
) -> bool:
    """Replay the file and compare. True when the ledger agrees with it to the fen and the point.

    Raises:
        UnreadableFile: It is not a bookings file.
        Refused: The gateway refused to make the replay's merchants, or is not there.
    """
    rows = read_rows(path)
    plan = Plan(hashlib.sha256(path.read_bytes()).hexdigest(), fen_per_euro, concurrency)
    console.print(
        f"{len(rows.stays):,} stays, {rows.never_stayed:,} bookings that never became one, "
        f"{len(rows.malformed):,} malformed rows; 1 EUR = {fen_per_euro / 100} CNY"
    )
    with front_desks(endpoints) as desks:
        outcomes = _run(endpoints, plan, desks, rows.stays, console)
        comparison = _compare(endpoints, plan, desks, outcomes, console)
    _report(console, rows, outcomes, comparison)
    return comparison.agrees and not any(outcome.failure for outcome in outcomes)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=console,
    )


def _run(
    endpoints: Endpoints,
    plan: Plan,
    desks: dict[str, FrontDesk],
    stays: list[Stay],
    console: Console,
) -> list[Outcome]:
    started = time.monotonic()
    with _progress(console) as bar:
        task = bar.add_task("replaying", total=len(stays))
        outcomes = asyncio.run(
            replay_stays(endpoints, plan, desks, stays, lambda _: bar.advance(task))
        )
    seconds = time.monotonic() - started
    console.print(f"{len(stays):,} stays in {seconds:.1f} s: {len(stays) / seconds:,.0f} stays/s")
    return outcomes


def _compare(
    endpoints: Endpoints,
    plan: Plan,
    desks: dict[str, FrontDesk],
    outcomes: list[Outcome],
    console: Console,
) -> Comparison:
    with _progress(console) as bar:
        task = bar.add_task("comparing", total=sum(1 for o in outcomes if o.amount_fen > 0))
        return asyncio.run(compare(endpoints, plan, desks, outcomes, lambda: bar.advance(task)))


def _report(console: Console, rows: Rows, outcomes: list[Outcome], comparison: Comparison) -> None:
    free = [str(o.stay.line) for o in outcomes if o.amount_fen <= 0 and not o.failure]
    if free:
        console.print(
            f"{len(free):,} stays whose amount isn't positive are enrolled and have no checkout; "
            f"lines {', '.join(free)}"
        )
    _list(console, "malformed", [f"line {row.line}: {row.reason}" for row in rows.malformed])
    failed = [f"line {o.stay.line}: {o.failure}" for o in outcomes if o.failure]
    _list(console, "failed; run the command again", failed)
    differing = [f"line {line}: {what}" for line, what in sorted(comparison.differences.items())]
    _list(console, "differ", differing)
    table = Table(title="The ledger against the file", title_justify="left")
    for column in ("", "file", "ledger"):
        table.add_column(column, justify="right" if column else "left")
    file, ledger = comparison.file, comparison.ledger
    for name, left, right in (
        ("checkouts", file.checkouts, ledger.checkouts),
        ("amount, fen", file.amount_fen, ledger.amount_fen),
        ("points", file.points, ledger.points),
    ):
        table.add_row(name, f"{left:,}", f"{right:,}", style="" if left == right else "bold red")
    console.print(table)
    console.print("They agree." if comparison.agrees else "[bold red]They differ.[/]")


def _list(console: Console, title: str, lines: list[str]) -> None:
    if lines:
        console.print(f"{len(lines):,} {title}:")
        for line in lines:
            console.print(f"  {line}", markup=False)
