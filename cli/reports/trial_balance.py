"""How every account moved in a period."""

from datetime import datetime

import grpc
from huitouke.points.v1 import report_service_pb2, report_service_pb2_grpc
from rich.table import Table

from cli.amounts import amount, asset_name
from cli.clients import REPORT_TIMEOUT_SECONDS, call, operator_credentials
from cli.endpoints import Endpoints
from cli.reports.periods import shown, to_timestamp

Balance = report_service_pb2.GetTrialBalanceResponse


def ask_trial_balance(
    endpoints: Endpoints, since: datetime | None, before: datetime | None
) -> Balance:
    """Ask a running suite's ledger; raises Refused."""
    request = report_service_pb2.GetTrialBalanceRequest(
        since=to_timestamp(since), before=to_timestamp(before)
    )
    with grpc.secure_channel(endpoints.points, operator_credentials(endpoints)) as channel:
        stub = report_service_pb2_grpc.ReportServiceStub(channel)
        answer: Balance = call(
            stub.GetTrialBalance, request, timeout_seconds=REPORT_TIMEOUT_SECONDS
        )
        return answer


def trial_balance_table(found: Balance) -> Table:
    """A section for each asset with its sums, which must be 0 for openings and closings."""
    begin = shown(found.since) if found.HasField("since") else "the beginning"
    table = Table(
        title=f"Trial balance from {begin} to {shown(found.before)}", title_justify="left"
    )
    for name in ("asset", "account", "merchant"):
        table.add_column(name, overflow="fold")
    for name in ("opening", "debits", "credits", "closing"):
        table.add_column(name, justify="right")
    for asset in found.assets:
        lines = [asset.members, *asset.accounts]
        for line in lines:
            numbers = (line.opening, line.debits, line.credits, line.closing)
            cells = [amount(asset.asset, number) for number in numbers]
            table.add_row(asset_name(asset.asset), line.account, line.merchant_id, *cells)
        sums = [
            amount(asset.asset, sum(getattr(line, side) for line in lines))
            for side in ("opening", "debits", "credits", "closing")
        ]
        table.add_row("", "sum", "", *sums, style="bold", end_section=True)
    return table
