"""A statement as messages and as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from huitouke.points.v1 import report_service_pb2 as pb

from chassis.csv_rows import Cell, csv_rows
from services.points.converters.values import TO_ASSET, TO_ENTRY_KIND, to_stamp
from services.points.domain.accounts import CURRENCY
from services.points.domain.assets import Asset
from services.points.domain.statements import StatementFrame, StatementLine

HEADER: Final = (
    "posted_at", "entry_id", "line", "kind", "asset", "unit", "amount", "balance_after", "account",
    "rule_code", "merchant_id", "reference_id",
)  # fmt: skip
UNITS: Final = {
    Asset.POINTS: "POINT",
    Asset.CASH: f"{CURRENCY} 0.01",
    Asset.BONUS: f"{CURRENCY} 0.01",
}
OPENING, CLOSING = "OPENING", "CLOSING"


def to_lines(lines: Sequence[StatementLine]) -> list[pb.StatementLine]:
    return [
        pb.StatementLine(
            entry_id=str(line.version),
            line=line.line,
            kind=TO_ENTRY_KIND[line.kind],
            posted_at=to_stamp(line.posted_at),
            asset=TO_ASSET[line.asset],
            amount=line.amount,
            balance_after=line.balance_after,
            account=line.house,
            rule_code=line.rule,
            merchant_id=str(line.merchant_id or ""),
            reference_id=str(line.reference_id or ""),
        )
        for line in lines
    ]


def to_statement_balances(balances: Mapping[Asset, int]) -> pb.StatementBalances:
    return pb.StatementBalances(
        points=balances[Asset.POINTS],
        cash_minor=balances[Asset.CASH],
        bonus_minor=balances[Asset.BONUS],
    )


def csv_opening(frame: StatementFrame) -> bytes:
    """The header, and each asset's balance at the beginning."""
    return csv_rows([HEADER, *_balances(OPENING, frame.since, frame.opening)])


def csv_lines(lines: Sequence[StatementLine]) -> bytes:
    return csv_rows(
        (
            _instant(line.posted_at),
            line.version,
            line.line,
            line.kind,
            line.asset,
            UNITS[line.asset],
            line.amount,
            line.balance_after,
            line.house,
            line.rule,
            str(line.merchant_id or ""),
            str(line.reference_id or ""),
        )
        for line in lines
    )


def csv_closing(frame: StatementFrame) -> bytes:
    """Each asset's balance at the end."""
    return csv_rows(_balances(CLOSING, frame.before, frame.closing))


def _balances(
    kind: str, at: datetime | None, balances: Mapping[Asset, int]
) -> list[tuple[Cell, ...]]:
    nothing = ("",) * 4
    return [
        (_instant(at), "", "", kind, asset, UNITS[asset], "", balances[asset], *nothing)
        for asset in Asset
    ]


def _instant(instant: datetime | None) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if instant else ""
