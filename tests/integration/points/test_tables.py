"""What sets write and what the migrations made are the same columns."""

from __future__ import annotations

import psycopg
import pytest

from services.points.storage import tables

WRITTEN = {
    "members": {**tables.MEMBERS, **tables.MEMBER_HOLDS},
    "lots": tables.LOTS,
    "postings": tables.POSTINGS,
    "checkouts": {
        **tables.CHECKOUTS,
        **tables.CHECKOUT_HOLDS,
        **tables.FENCES,
        **tables.RETURNED,
    },
    "holds": tables.HOLDS,
    "hold_lots": tables.HOLD_LOTS,
    "reversals": tables.REVERSALS,
    "top_ups": {**tables.TOP_UPS, **tables.TOP_UP_GONE_BACK},
    "transfer_groups": tables.TRANSFER_GROUPS,
    "transfer_group_members": tables.TRANSFER_GROUP_MEMBERS,
    "transfers": tables.TRANSFERS,
    "adjustments": tables.ADJUSTMENTS,
    "withdrawals": tables.WITHDRAWALS,
    "top_up_refunds": tables.TOP_UP_REFUNDS,
    "programmes": tables.PROGRAMMES,
    "programme_drafts": tables.PROGRAMME_DRAFTS,
    "programme_retirements": tables.PROGRAMME_RETIREMENTS,
    "pending_points": tables.PENDING_POINTS,
    "rule_usage": tables.RULE_USAGE,
    "rule_budgets": tables.RULE_BUDGETS,
    "expiry_warnings": tables.EXPIRY_WARNINGS,
    "points_extensions": tables.POINTS_EXTENSIONS,
    "imported_rows": tables.IMPORTED_ROWS,
    "imports": tables.IMPORTS,
    "rejected_rows": tables.REJECTED_ROWS,
}
DEFAULTED = {"members": {"currency": "text"}, "rule_usage": {"changed_at": "timestamptz"}}
_COLUMNS = """
SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""


@pytest.mark.parametrize("table", WRITTEN)
def test_every_column_is_written_with_its_own_type(table: str, ledger_url: str) -> None:
    with psycopg.connect(ledger_url) as connection:
        rows = connection.execute(_COLUMNS, (table,)).fetchall()
    found: dict[str, str] = dict(rows)
    types = {"timestamp with time zone": "timestamptz"}
    assert {name: types.get(kind, kind) for name, kind in found.items()} == {
        **WRITTEN[table],
        **DEFAULTED.get(table, {}),
    }


def test_nothing_that_changes_with_every_command_is_in_an_index(ledger_url: str) -> None:
    changing = {*tables.MEMBER_BALANCES, *tables.MEMBER_HOLDS, "remaining", "expired", "held"}
    with psycopg.connect(ledger_url) as connection:
        indexed = connection.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename IN ('members', 'lots')"
        ).fetchall()
    assert len(indexed) == 3
    for (definition,) in indexed:
        columns = definition[definition.index("(") + 1 : definition.index(")")].split(", ")
        assert changing.isdisjoint(columns)
