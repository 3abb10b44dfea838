"""Rows of imports into commands, and how far an import has come into its message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from huitouke.points.v1 import import_pb2

from services.points.converters.values import ASSETS, TO_ASSET, to_instant, to_stamp
from services.points.domain.assets import Asset
from services.points.domain.commands import ImportBalance
from services.points.domain.records import RejectedRow


class Totals(Protocol):
    """What an import has brought in of one asset."""

    @property
    def asset(self) -> Asset: ...
    @property
    def rows(self) -> int: ...
    @property
    def amount(self) -> int: ...


class Progress(Protocol):
    """How far an import has come."""

    @property
    def import_id(self) -> UUID: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...
    @property
    def acknowledged_line(self) -> int: ...
    @property
    def rejected(self) -> int: ...
    @property
    def totals(self) -> Sequence[Totals]: ...


def to_import_row(import_id: UUID, row: import_pb2.OpeningBalance) -> ImportBalance:
    """The command that a validated row stands for; refuses INVALID_FIELD."""
    return ImportBalance(
        import_id,
        row.line,
        row.reference,
        UUID(row.member_id),
        ASSETS[row.asset],
        row.amount,
        to_instant(row.earned_at, "earned_at"),
        to_instant(row.expires_at, "expires_at") if row.HasField("expires_at") else None,
    )


def to_rejected(rejected: RejectedRow) -> import_pb2.RejectedRow:
    return import_pb2.RejectedRow(
        line=rejected.line,
        reference=rejected.reference,
        reason=rejected.reason,
        message=rejected.message,
    )


def to_import(progress: Progress) -> import_pb2.Import:
    return import_pb2.Import(
        import_id=str(progress.import_id),
        started_at=to_stamp(progress.started_at),
        updated_at=to_stamp(progress.updated_at),
        acknowledged_line=progress.acknowledged_line,
        rows_imported=sum(totals.rows for totals in progress.totals),
        rows_rejected=progress.rejected,
        assets=[
            import_pb2.ImportedAsset(
                asset=TO_ASSET[totals.asset], rows=totals.rows, amount=totals.amount
            )
            for totals in progress.totals
        ],
    )
