"""The ledger's tables as sets write them: each column with its PostgreSQL type, in one place.

The migrations create them; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping

TableColumns = Mapping[str, str]

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
}
MEMBERS: TableColumns = {"member_id": "uuid", **MEMBER_BALANCES}

LOT_STATE: TableColumns = {"open": "boolean", "remaining": "bigint", "expired": "bigint"}
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
}
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
}

EXPIRY_WARNINGS: TableColumns = {
    "member_id": "uuid",
    "asset": "asset",
    "last_day": "date",
    "days": "smallint",
    "version": "bigint",
}

PROGRAMMES: TableColumns = {
    "version": "integer",
    "valid_from": "timestamptz",
    "content": "jsonb",
    "published_at": "timestamptz",
}
