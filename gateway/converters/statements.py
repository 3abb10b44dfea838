"""A member's statement as the CSV file that one merchant may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from huitouke.points.v1 import entry_pb2, report_service_pb2

from chassis.csv_rows import Cell, csv_rows
from gateway.converters.activities import kind_name
from gateway.converters.instants import to_instant
from gateway.domain.bills import CURRENCY

HEADER: Final = (
    "posted_at", "kind", "asset", "unit", "amount", "balance_after", "merchant", "rule_code",
    "reference_id",
)  # fmt: skip
_MONEY: Final = f"{CURRENCY} 0.01"
_UNITS: Final = {
    entry_pb2.ASSET_POINTS: "POINT",
    entry_pb2.ASSET_CASH: _MONEY,
    entry_pb2.ASSET_BONUS: _MONEY,
}
Balances = report_service_pb2.StatementBalances


def csv_opening(balances: Balances) -> bytes:
    """Return the header, and each asset's balance at the beginning."""
    return csv_rows([HEADER, *_balances("OPENING", balances)])


def csv_closing(balances: Balances) -> bytes:
    """Return each asset's balance at the end."""
    return csv_rows(_balances("CLOSING", balances))


def csv_lines(
    lines: Sequence[report_service_pb2.StatementLine],
    names: Mapping[UUID, str],
    merchant_id: UUID,
) -> bytes:
    """Return postings as `merchant_id` may see them: of others only amounts and a name."""
    return csv_rows(_line(line, names, str(merchant_id)) for line in lines)


def _line(
    line: report_service_pb2.StatementLine, names: Mapping[UUID, str], merchant_id: str
) -> tuple[Cell, ...]:
    elsewhere = bool(line.merchant_id) and line.merchant_id != merchant_id
    return (
        f"{to_instant(line.posted_at):%Y-%m-%dT%H:%M:%S.%fZ}",
        kind_name(line.kind),
        _asset(line.asset),
        _UNITS[line.asset],
        line.amount,
        line.balance_after,
        names.get(UUID(line.merchant_id), "") if line.merchant_id else "",
        "" if elsewhere else line.rule_code,
        "" if elsewhere else line.reference_id,
    )


def _balances(kind: str, balances: Balances) -> list[tuple[Cell, ...]]:
    amounts = {
        entry_pb2.ASSET_POINTS: balances.points,
        entry_pb2.ASSET_CASH: balances.cash_minor,
        entry_pb2.ASSET_BONUS: balances.bonus_minor,
    }
    return [
        ("", kind, _asset(asset), _UNITS[asset], "", amount, "", "", "")
        for asset, amount in amounts.items()
    ]


def _asset(asset: entry_pb2.Asset.ValueType) -> str:
    return entry_pb2.Asset.Name(asset).removeprefix("ASSET_")
