"""Rows into columns: what sets are written from."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.storage import sets
from services.points.storage.tables import TableColumns

Rows = Sequence[Sequence[object]]


def columns_of(types: TableColumns, rows: Rows) -> sets.Columns:
    """Turn rows, in the order of `types`, into one array per column."""
    values: Sequence[Sequence[object]] = (
        list(zip(*rows, strict=True)) if rows else [()] * len(types)
    )
    return {
        name: (kind, column) for (name, kind), column in zip(types.items(), values, strict=True)
    }
