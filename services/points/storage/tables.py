"""The ledger's tables as sets write them: each column with its PostgreSQL type, in one place.

The migrations create them; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis.storage import sets

TableColumns = Mapping[str, str]


def columns_of(types: TableColumns, rows: Sequence[Sequence[object]]) -> sets.Columns:
    """Turn rows, in the order of `types`, into one array per column."""
    values: Sequence[Sequence[object]] = (
        list(zip(*rows, strict=True)) if rows else [()] * len(types)
    )
    return {
        name: (kind, column) for (name, kind), column in zip(types.items(), values, strict=True)
    }


MEMBER_BALANCES: TableColumns = {
    "version": "bigint",
    "last_posted_at": "timestamptz",
    "points": "bigint",
    "cash_minor": "bigint",
    "bonus_minor": "bigint",
    "points_debt": "bigint",
    "points_next_expiry": "timestamptz",
    "points_next_earned_at": "timestamptz",
    "points_next_remaining": "bigint",
    "bonus_next_expiry": "timestamptz",
    "last_lot_number": "integer",
    "purchases": "bigint",
    "points_pending": "bigint",
    "next_maturing_at": "timestamptz",
}
MEMBERS: TableColumns = {"member_id": "uuid", **MEMBER_BALANCES}
MEMBER_HOLDS: TableColumns = {
    "points_held": "bigint",
    "cash_held_minor": "bigint",
    "bonus_held_minor": "bigint",
    "open_holds": "integer",
    "next_hold_timeout": "timestamptz",
}
"""Written only by batches that change holds."""

LOT_STATE: TableColumns = {
    "open": "boolean",
    "remaining": "bigint",
    "expired": "bigint",
    "held": "bigint",
}
LOTS: TableColumns = {
    "member_id": "uuid",
    "lot_number": "integer",
    "asset": "asset",
    "amount": "bigint",
    "earned_at": "timestamptz",
    "expires_at": "timestamptz",
    **LOT_STATE,
}

POSTINGS: TableColumns = {
    "member_id": "uuid",
    "version": "bigint",
    "line": "smallint",
    "kind": "entry_kind",
    "asset": "asset",
    "house": "house_account",
    "funder": "funder",
    "lot_number": "integer",
    "amount": "bigint",
    "balance_after": "bigint",
    "basis_minor": "bigint",
    "posted_at": "timestamptz",
    "reference_id": "uuid",
    "merchant_id": "uuid",
    "programme_version": "integer",
    "rule": "text",
}

PLACE: TableColumns = {
    "merchant_id": "uuid",
    "outlet_id": "uuid",
    "terminal_id": "uuid",
    "property_code": "text",
}

CHECKOUTS: TableColumns = {
    "checkout_id": "uuid",
    "member_id": "uuid",
    "state": "checkout_state",
    "version": "bigint",
    "posted_at": "timestamptz",
    "occurred_at": "timestamptz",
    "currency": "text",
    **PLACE,
    "programme_version": "integer",
    "bill_minor": "bigint",
    "points_value_minor": "bigint",
    "to_pay_minor": "bigint",
    "points_after": "bigint",
    "cash_after_minor": "bigint",
    "bonus_after_minor": "bigint",
    "points_debt_after": "bigint",
    "next_expiring_points_after": "bigint",
    "next_expiry_after": "timestamptz",
    "points_pending_after": "bigint",
    "facts": "bytea",
}
CHECKOUT_HOLDS: TableColumns = {
    "kind": "entry_kind",
    "points_held_after": "bigint",
    "cash_held_after_minor": "bigint",
    "bonus_held_after_minor": "bigint",
}
"""Written only of captures and where something was held after."""
RETURNED: TableColumns = {
    "reversed_minor": "bigint",
    "points_restored": "bigint",
    "points_value_restored_minor": "bigint",
    "cash_restored_minor": "bigint",
    "bonus_restored_minor": "bigint",
}
REVERSED_CHECKOUTS: TableColumns = {
    "state": "checkout_state",
    "resolved_at": "timestamptz",
    **RETURNED,
}
FENCES: TableColumns = {
    "checkout_id": "uuid",
    "member_id": "uuid",
    "state": "checkout_state",
    "resolved_at": "timestamptz",
}

REVERSALS: TableColumns = {
    "reversal_id": "uuid",
    "checkout_id": "uuid",
    "member_id": "uuid",
    "version": "bigint",
    "reversed_at": "timestamptz",
    **PLACE,
    "amount_minor": "bigint",
    "points_value_minor": "bigint",
    "points_restored": "bigint",
    "cash_restored_minor": "bigint",
    "bonus_restored_minor": "bigint",
    "money_minor": "bigint",
    "points_taken_back": "bigint",
    "debt_recorded": "bigint",
    "pending_cancelled": "bigint",
}

TOP_UPS: TableColumns = {
    "top_up_id": "uuid",
    "member_id": "uuid",
    "version": "bigint",
    "posted_at": "timestamptz",
    "currency": "text",
    **PLACE,
    "cash_minor": "bigint",
    "bonus_minor": "bigint",
    "cash_lot_number": "integer",
    "bonus_lot_number": "integer",
    "tender": "tender_kind",
}
TOP_UP_GONE_BACK: TableColumns = {
    "withdrawn_minor": "bigint",
    "bonus_taken_back_minor": "bigint",
    "gift_deducted_minor": "bigint",
    "refunded_at": "timestamptz",
}

HOLD_END: TableColumns = {
    "state": "hold_state",
    "resolved_at": "timestamptz",
    "resolved_version": "bigint",
    "points_captured": "bigint",
    "cash_captured_minor": "bigint",
    "bonus_captured_minor": "bigint",
}
HOLDS: TableColumns = {
    "member_id": "uuid",
    "hold_id": "uuid",
    "merchant_id": "uuid",
    "checkout_id": "uuid",
    "currency": "text",
    "points": "bigint",
    "cash_minor": "bigint",
    "bonus_minor": "bigint",
    "authorized_at": "timestamptz",
    "timeout_at": "timestamptz",
    "version": "bigint",
    **HOLD_END,
}
HOLD_LOTS: TableColumns = {
    "member_id": "uuid",
    "hold_id": "uuid",
    "lot_number": "integer",
    "amount": "bigint",
}

EXPIRY_WARNINGS: TableColumns = {
    "member_id": "uuid",
    "asset": "asset",
    "last_day": "date",
    "days": "smallint",
    "version": "bigint",
}

POINTS_EXTENSIONS: TableColumns = {
    "member_id": "uuid",
    "version": "bigint",
    "checkout_id": "uuid",
    "programme_version": "integer",
    "extended_at": "timestamptz",
    "expires_at": "timestamptz",
    "points": "bigint",
}

IMPORTED_ROWS: TableColumns = {
    "import_id": "uuid",
    "reference": "text",
    "line": "bigint",
    "member_id": "uuid",
    "version": "bigint",
    "lot_number": "integer",
    "asset": "asset",
    "amount": "bigint",
    "earned_at": "timestamptz",
    "expires_at": "timestamptz",
}
IMPORTS: TableColumns = {
    "import_id": "uuid",
    "acknowledged_line": "bigint",
    "started_at": "timestamptz",
    "updated_at": "timestamptz",
}
REJECTED_ROWS: TableColumns = {
    "import_id": "uuid",
    "line": "bigint",
    "reference": "text",
    "reason": "text",
    "message": "text",
}

PROGRAMMES: TableColumns = {
    "version": "integer",
    "valid_from": "timestamptz",
    "content": "jsonb",
    "published_at": "timestamptz",
}
TRANSFER_GROUPS: TableColumns = {
    "group_id": "uuid",
    "revision": "bigint",
    "updated_at": "timestamptz",
}
TRANSFER_GROUP_MEMBERS: TableColumns = {"member_id": "uuid", "group_id": "uuid"}

PROGRAMME_DRAFTS: TableColumns = {
    "draft_id": "uuid",
    "revision": "integer",
    "title": "text",
    "state": "draft_state",
    "valid_from": "timestamptz",
    "content": "jsonb",
    "updated_at": "timestamptz",
    "version": "integer",
}
PROGRAMME_RETIREMENTS: TableColumns = {
    "number": "integer",
    "version": "integer",
    "valid_until": "timestamptz",
    "retired_at": "timestamptz",
}

RULE_USAGE: TableColumns = {
    "member_id": "uuid",
    "rule": "text",
    "period": "text",
    "points": "bigint",
}
RULE_BUDGETS: TableColumns = {
    "rule": "text",
    "budget_points": "bigint",
    "given_points": "bigint",
}

PENDING_POINTS: TableColumns = {
    "member_id": "uuid",
    "version": "bigint",
    "line": "smallint",
    "checkout_id": "uuid",
    "merchant_id": "uuid",
    "programme_version": "integer",
    "rule": "text",
    "funder": "funder",
    "points": "bigint",
    "basis_minor": "bigint",
    "earned_at": "timestamptz",
    "matures_at": "timestamptz",
    "expires_at": "timestamptz",
    "state": "pending_state",
    "resolved_version": "bigint",
    "lot_number": "integer",
    "cancelled": "bigint",
}

TRANSFERS: TableColumns = {
    "transfer_id": "uuid",
    "group_id": "uuid",
    "from_member_id": "uuid",
    "from_version": "bigint",
    "to_member_id": "uuid",
    "to_version": "bigint",
    "transferred_at": "timestamptz",
    "day": "date",
    "points": "bigint",
    "note": "text",
}

ADJUSTMENT_DECISION: TableColumns = {
    "state": "adjustment_state",
    "decided_by": "text",
    "decided_at": "timestamptz",
    "version": "bigint",
}
ADJUSTMENTS: TableColumns = {
    "adjustment_id": "uuid",
    "member_id": "uuid",
    "asset": "asset",
    "amount": "bigint",
    "reason_code": "text",
    "reason_text": "text",
    "requested_by": "text",
    "requested_at": "timestamptz",
    **ADJUSTMENT_DECISION,
}

WITHDRAWALS: TableColumns = {
    "withdrawal_id": "uuid",
    "member_id": "uuid",
    "version": "bigint",
    "withdrawn_at": "timestamptz",
    "currency": "text",
    "tender": "tender_kind",
    **PLACE,
    "cash_minor": "bigint",
    "paid_out_minor": "bigint",
    "gift_deducted_minor": "bigint",
    "bonus_taken_back_minor": "bigint",
}

TOP_UP_REFUNDS: TableColumns = {
    "refund_id": "uuid",
    "top_up_id": "uuid",
    "member_id": "uuid",
    "version": "bigint",
    "refunded_at": "timestamptz",
    "currency": "text",
    **PLACE,
    "cash_minor": "bigint",
    "bonus_minor": "bigint",
}
