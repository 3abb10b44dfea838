"""What is owed to members: totals, who funds it, when it ends, and what will expire unused."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import grpc
from huitouke.points.v1 import purchase_pb2, report_service_pb2, report_service_pb2_grpc
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from cli.amounts import amount, asset_name, yuan
from cli.clients import REPORT_TIMEOUT_SECONDS, call, operator_credentials
from cli.endpoints import Endpoints
from cli.reports.periods import shown, to_timestamp

FIGURES = ("earned", "redeemed", "expired", "outstanding", "held", "pending", "breakage")
STATUS = {
    report_service_pb2.BREAKAGE_STATUS_ESTIMATED: "estimated for all that may expire",
    report_service_pb2.BREAKAGE_STATUS_PARTLY_ESTIMATED: "estimated in part",
    report_service_pb2.BREAKAGE_STATUS_TOO_LITTLE_HISTORY: "too little history for an estimate",
    report_service_pb2.BREAKAGE_STATUS_NOTHING_EXPIRES: "nothing outstanding can expire",
}
Report = report_service_pb2.GetLiabilityReportResponse
Asset = report_service_pb2.AssetLiability
Figures = report_service_pb2.LiabilityFigures
Row = tuple[tuple[str, ...], Figures]


def ask_liability(endpoints: Endpoints, as_of: datetime | None) -> Report:
    """Ask a running suite's ledger; raises Refused."""
    request = report_service_pb2.GetLiabilityReportRequest(as_of=to_timestamp(as_of))
    with grpc.secure_channel(endpoints.points, operator_credentials(endpoints)) as channel:
        stub = report_service_pb2_grpc.ReportServiceStub(channel)
        answer: Report = call(
            stub.GetLiabilityReport, request, timeout_seconds=REPORT_TIMEOUT_SECONDS
        )
        return answer


def show_liability(report: Report, console: Console) -> None:
    """The totals, then for each asset that ever moved its groups and its breakage.

    Months and rules of which nothing is left stand together in one line, so that columns add up.
    """
    console.print(totals_table(report))
    for asset in report.assets:
        if asset.total.earned or asset.total.pending:
            for part in _parts(asset):
                console.print()
                console.print(part)
    methods = {asset.breakage.method for asset in report.assets if asset.breakage.ages}
    for method in methods:
        console.print(f"\n[dim]Breakage: {escape(method)}[/]", highlight=False)


def totals_table(report: Report) -> Table:
    rate = f"{report.points_per_unit} points = 1 CNY, programme {report.programme_version}"
    table = Table(
        title=f"Owed to members on {shown(report.as_of)} ({report.time_zone}); {rate}",
        title_justify="left",
    )
    table.add_column("asset")
    for name in (
        "earned", "redeemed", "expired", "otherwise gone", "outstanding", "of it due",
        "of it held", "pending", "owed by members",
    ):  # fmt: skip
        table.add_column(name, justify="right")
    table.add_column("worth CNY", justify="right", style="bold")
    for asset in report.assets:
        total = asset.total
        numbers = (
            total.earned, total.redeemed, total.expired, asset.otherwise_gone, total.outstanding,
            asset.due, total.held, total.pending, asset.debt,
        )  # fmt: skip
        cells = [amount(asset.asset, number) for number in numbers]
        table.add_row(asset_name(asset.asset), *cells, yuan(total.value_minor))
    return table


def _parts(asset: Asset) -> Iterator[RenderableType]:
    name = asset_name(asset.asset)
    yield _table(asset, f"{name} by source", ("account", "funder", "merchant"), _sources(asset))
    rules = [((each.rule_code or "no rule",), each.figures) for each in asset.by_rule]
    if len(rules) > 1:
        yield _table(asset, f"{name} by rule", ("rule",), rules)
    earned = [((each.month,), each.figures) for each in asset.by_earned_month]
    yield _table(asset, f"{name} by month of earning", ("month",), earned)
    ends = [((each.month or "never",), each.figures) for each in asset.by_expiry_month]
    yield _table(asset, f"{name} by last month of use", ("month",), ends)
    yield _breakage(asset)


def _sources(asset: Asset) -> list[Row]:
    return [
        (
            (
                each.account,
                purchase_pb2.Funder.Name(each.funder).removeprefix("FUNDER_").lower()
                if each.funder
                else "members",
                each.merchant_id,
            ),
            each.figures,
        )
        for each in asset.by_source
    ]


def _table(asset: Asset, title: str, keys: tuple[str, ...], groups: Iterable[Row]) -> Table:
    table = Table(title=title, title_justify="left")
    for key in keys:
        table.add_column(key, overflow="fold")
    for figure in FIGURES:
        table.add_column(figure, justify="right")
    table.add_column("worth CNY", justify="right")
    for names, figures in _with_the_gone_in_one(groups):
        cells = [_cell(asset, figures, figure) for figure in FIGURES]
        filled = [*map(escape, names), *[""] * (len(keys) - len(names))]
        table.add_row(*filled, *cells, yuan(figures.value_minor))
    return table


def _cell(asset: Asset, figures: Figures, figure: str) -> str:
    """A figure, or nothing where it isn't known: which groups were held at a past instant."""
    if figure == "held" and figures.outstanding and not figures.HasField("held"):
        return ""
    return amount(asset.asset, getattr(figures, figure))


def _with_the_gone_in_one(groups: Iterable[Row]) -> Iterator[Row]:
    gone, many = Figures(), 0
    for names, figures in groups:
        if figures.outstanding or figures.pending:
            yield names, figures
            continue
        many += 1
        for figure in ("earned", "redeemed", "expired"):
            setattr(gone, figure, getattr(gone, figure) + getattr(figures, figure))
    if many:
        yield (f"{many} with nothing left",), gone


def _breakage(asset: Asset) -> RenderableType:
    found = asset.breakage
    said = f"[italic]{asset_name(asset.asset)} breakage: {STATUS.get(found.status, 'not said')}"
    if found.amount:
        said += f"; {amount(asset.asset, found.amount)} will presumably expire unused, worth "
        said += f"{yuan(found.value_minor)} CNY"
    if found.not_estimated:
        said += f"; {amount(asset.asset, found.not_estimated)} not estimated"
    if not found.ages:
        return said
    table = Table()
    table.add_column("age in months")
    for name in ("cohorts", "at risk", "redeemed", "share redeemed"):
        table.add_column(name, justify="right")
    table.add_column("seen enough")
    needed = f"no: {found.cohorts_required} cohorts and "
    needed += f"{amount(asset.asset, found.points_required)} are needed"
    for age in found.ages:
        table.add_row(
            str(age.age_months),
            str(age.cohorts),
            amount(asset.asset, age.at_risk),
            amount(asset.asset, age.redeemed),
            _percent(age.redeemed, age.at_risk),
            "yes" if age.known else needed,
        )
    return Group(said, table)


def _percent(part: int, whole: int) -> str:
    """With one decimal, rounded down."""
    tenths = part * 1000 // whole if whole else 0
    return f"{tenths // 10}.{tenths % 10} %"
