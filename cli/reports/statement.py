"""A member's statement: as a table, or as the CSV file that the ledger writes."""

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

import grpc
from huitouke.points.v1 import entry_pb2, report_service_pb2, report_service_pb2_grpc
from rich.markup import escape
from rich.table import Table

from cli.amounts import amount, asset_name
from cli.clients import operator_credentials, stream
from cli.endpoints import Endpoints
from cli.reports.periods import shown, to_timestamp

Part = report_service_pb2.ExportStatementResponse
ASSETS = (entry_pb2.ASSET_POINTS, entry_pb2.ASSET_CASH, entry_pb2.ASSET_BONUS)


def ask_statement(
    endpoints: Endpoints,
    member_id: str,
    since: datetime | None,
    before: datetime | None,
    *,
    as_csv: bool,
) -> Iterator[Part]:
    """The parts of a statement as they come; raises Refused."""
    formats = (report_service_pb2.STATEMENT_FORMAT_ROWS, report_service_pb2.STATEMENT_FORMAT_CSV)
    request = report_service_pb2.ExportStatementRequest(
        member_id=member_id,
        since=to_timestamp(since),
        before=to_timestamp(before),
        format=formats[as_csv],
    )
    with grpc.secure_channel(endpoints.points, operator_credentials(endpoints)) as channel:
        stub = report_service_pb2_grpc.ReportServiceStub(channel)
        yield from stream(stub.ExportStatement, request)


def write_csv(parts: Iterator[Part], to: BinaryIO | None = None) -> None:
    """Write the file's bytes as they are, to standard output where nothing else is named."""
    out = to or sys.stdout.buffer
    for part in parts:
        out.write(part.csv)
    out.flush()


def statement_table(member_id: str, parts: Iterator[Part]) -> Table:
    """Every posting with a column for each account, between the opening and the closing."""
    table = Table(title=f"Statement of {member_id}", title_justify="left")
    for name in ("posted at", "entry", "what"):
        table.add_column(name, no_wrap=True)
    for name in ("points", "principal", "gift"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("balance", justify="right", no_wrap=True)
    table.add_column("against")
    for part in parts:
        if part.HasField("opening"):
            table.add_row("", "", "opening", *_three(part.opening), style="bold", end_section=True)
        for line in part.lines:
            table.add_row(*_cells(line))
        if part.HasField("closing"):
            table.add_section()
            table.add_row("", "", "closing", *_three(part.closing), style="bold")
    return table


def _three(balances: report_service_pb2.StatementBalances) -> list[str]:
    values = (balances.points, balances.cash_minor, balances.bonus_minor)
    return [amount(asset, value) for asset, value in zip(ASSETS, values, strict=True)]


def _cells(line: report_service_pb2.StatementLine) -> list[str]:
    kind = entry_pb2.EntryKind.Name(line.kind).removeprefix("ENTRY_KIND_").lower()
    moved = amount(line.asset, line.amount)
    signed = moved if line.amount < 0 else f"+{moved}"
    rule = f" {line.rule_code}" if line.rule_code else ""
    return [
        shown(line.posted_at),
        f"{line.entry_id}.{line.line}",
        kind.replace("_", " "),
        *(signed if line.asset == asset else "" for asset in ASSETS),
        f"{amount(line.asset, line.balance_after)} {asset_name(line.asset)}",
        escape(f"{line.account}{rule}"),
    ]
