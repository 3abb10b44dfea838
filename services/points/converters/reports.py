"""Statements into messages.

The values come from storage, which converters don't know: Protocols name what they need of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from huitouke.points.v1 import entry_pb2

from services.points.converters.values import TO_ENTRY_KIND, to_stamp
from services.points.domain.assets import EntryKind


class StatementEntry(Protocol):
    """One entry of a statement."""

    @property
    def version(self) -> int: ...
    @property
    def kind(self) -> EntryKind: ...
    @property
    def posted_at(self) -> datetime: ...
    @property
    def points(self) -> int: ...
    @property
    def cash_minor(self) -> int: ...
    @property
    def bonus_minor(self) -> int: ...
    @property
    def merchant_id(self) -> UUID | None: ...
    @property
    def reference_id(self) -> UUID | None: ...


def to_entries(entries: Sequence[StatementEntry]) -> list[entry_pb2.Entry]:
    return [
        entry_pb2.Entry(
            entry_id=str(entry.version),
            kind=TO_ENTRY_KIND[entry.kind],
            posted_at=to_stamp(entry.posted_at),
            points=entry.points,
            cash_minor=entry.cash_minor,
            bonus_minor=entry.bonus_minor,
            merchant_id=str(entry.merchant_id or ""),
            reference_id=str(entry.reference_id or ""),
        )
        for entry in entries
    ]
