"""`huitouke import FILE`: progress while it runs, a file of what was rejected, and a summary."""

import csv
import time
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.endpoints import Endpoints
from cli.importing.rows import COLUMNS, LINE, Unreadable, read_fields, read_rows
from cli.importing.sending import Importer, Tally, channel_of, importer_over

SHOWN_MAX = 10
REASON, MESSAGE = "reason", "message"
UNREADABLE = "UNREADABLE"
"""The reason of rows that never reached the ledger."""


def import_balances(
    endpoints: Endpoints,
    path: Path,
    import_id: UUID,
    console: Console,
    *,
    zone: ZoneInfo,
    again: bool,
    report: Path,
) -> bool:
    """Import the file behind what was acknowledged before, or all of it `again`.

    Writes the rejected rows to `report`, in the file's columns with line, reason and message:
    mended, it can be imported itself. True when no row of the import is rejected.

    Raises:
        UnreadableFile: It is not a file of opening balances.
        Refused: The ledger refused for good, or is not there.
    """
    with channel_of(endpoints) as channel:
        importer = importer_over(channel, str(import_id))
        behind = 0 if again else importer.acknowledged_line()
        if behind:
            console.print(f"going on behind line {behind:,}; --again sends everything again")
        tally = _send(importer, path, zone, behind, console)
        rejected = _rejected(importer, tally)
    _write_report(path, rejected, report)
    _summarize(console, tally, rejected, report)
    return not rejected


def _send(importer: Importer, path: Path, zone: ZoneInfo, behind: int, console: Console) -> Tally:
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    started = time.monotonic()
    total = sum(1 for line, _ in read_fields(path) if line > behind)
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("importing", total=total)

        def advance(tally: Tally) -> None:
            done = tally.imported + tally.repeated + tally.rejected + len(tally.unreadable)
            bar.update(task, completed=done)

        rows = (
            row for row in read_rows(path, zone) if row.line > behind or isinstance(row, Unreadable)
        )
        tally = importer.send(rows, advance)
    seconds = time.monotonic() - started
    console.print(f"{total:,} rows in {seconds:.1f} s: {total / max(seconds, 0.001):,.0f} rows/s")
    return tally


def _rejected(importer: Importer, tally: Tally) -> dict[int, tuple[str, str]]:
    """Reason and message by line, of what the ledger has rejected and of what it never saw."""
    rejected = {row.line: (row.reason, row.message) for row in importer.rejected_rows()}
    return rejected | {row.line: (UNREADABLE, row.message) for row in tally.unreadable}


def _write_report(path: Path, rejected: dict[int, tuple[str, str]], report: Path) -> None:
    """Write the rejected rows as the file has them; no file where none is rejected."""
    if not rejected:
        report.unlink(missing_ok=True)
        return
    draft = report.with_suffix(".draft")
    with draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([LINE, *COLUMNS, REASON, MESSAGE])
        for line, fields in read_fields(path):
            if line in rejected:
                writer.writerow([line, *(fields[name] for name in COLUMNS), *rejected[line]])
    draft.replace(report)


def _summarize(
    console: Console, tally: Tally, rejected: dict[int, tuple[str, str]], report: Path
) -> None:
    console.print(
        f"{tally.imported:,} brought in, {tally.repeated:,} were in already, "
        f"{len(rejected):,} rejected"
    )
    for line in sorted(rejected)[:SHOWN_MAX]:
        reason, message = rejected[line]
        console.print(f"  line {line}: {reason}: {message}", markup=False)
    if len(rejected) > SHOWN_MAX:
        console.print(f"  and {len(rejected) - SHOWN_MAX:,} more")
    if rejected:
        console.print(f"They are in {report}: mend it and import it under the same id.")
