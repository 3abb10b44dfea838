"""Writing what came of movements: one statement a table and batch, none without movements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection

from chassis.storage import sets
from services.points.domain.movements import (
    Adjustment,
    MovementChanges,
    SoldValue,
    TopUpRefund,
    Transfer,
    TransferGroup,
    Withdrawal,
)
from services.points.domain.purchases import Place
from services.points.storage import tables
from services.points.storage.tables import columns_of


def save(connection: Connection, changes: MovementChanges) -> None:
    """Save everything; new top-ups are in their table by now."""
    _save_groups(connection, changes.groups)
    _insert_transfers(connection, changes.transfers)
    _insert_adjustments(connection, changes.adjustments)
    new = {each.adjustment_id for each in changes.adjustments}
    decided = [each for id_, each in changes.decided.items() if id_ not in new]
    sets.update_from_columns(
        connection,
        "adjustments",
        keys={"adjustment_id": ("uuid", [each.adjustment_id for each in decided])},
        values=columns_of(tables.ADJUSTMENT_DECISION, [_decision(each) for each in decided]),
    )
    _insert_withdrawals(connection, changes.withdrawals)
    _update_sold(connection, changes.sold)
    _insert_refunds(connection, changes.refunds)


def _save_groups(connection: Connection, groups: Mapping[UUID, TransferGroup]) -> None:
    """Put each group's row and all its members; a new group must be new in the table as well."""
    ordered = [groups[group_id] for group_id in sorted(groups)]
    new = [group for group in ordered if not group.stored_revision]
    rows = [(group.group_id, group.revision, group.updated_at) for group in new]
    sets.insert_columns(connection, "transfer_groups", columns_of(tables.TRANSFER_GROUPS, rows))
    known = [group for group in ordered if group.stored_revision]
    sets.update_from_columns(
        connection,
        "transfer_groups",
        keys={"group_id": ("uuid", [group.group_id for group in known])},
        values={
            "revision": ("bigint", [group.revision for group in known]),
            "updated_at": ("timestamptz", [group.updated_at for group in known]),
        },
    )
    sets.delete_by_keys(
        connection,
        "transfer_group_members",
        {"group_id": ("uuid", [group.group_id for group in known])},
    )
    members = [(each, group.group_id) for group in ordered for each in group.member_ids]
    sets.insert_columns(
        connection,
        "transfer_group_members",
        columns_of(tables.TRANSFER_GROUP_MEMBERS, sorted(members)),
    )


def _insert_transfers(connection: Connection, transfers: Sequence[Transfer]) -> None:
    sets.insert_columns(connection, "transfers", columns_of(tables.TRANSFERS, transfers))


def _insert_adjustments(connection: Connection, adjustments: Sequence[Adjustment]) -> None:
    rows = [
        (
            each.adjustment_id,
            each.member_id,
            each.asset,
            each.amount,
            each.reason_code,
            each.reason_text,
            each.requested_by,
            each.requested_at,
            *_decision(each),
        )
        for each in adjustments
    ]
    sets.insert_columns(connection, "adjustments", columns_of(tables.ADJUSTMENTS, rows))


def _decision(adjustment: Adjustment) -> Sequence[object]:
    return (
        adjustment.state,
        adjustment.decided_by,
        adjustment.decided_at,
        adjustment.version,
    )


def _insert_withdrawals(connection: Connection, withdrawals: Sequence[Withdrawal]) -> None:
    rows = [
        (
            each.answer.withdrawal_id,
            each.member_id,
            each.version,
            each.answer.withdrawn_at,
            each.currency,
            each.tender,
            *_place(each.place),
            each.answer.cash_minor,
            each.answer.paid_out_minor,
            each.answer.gift_deducted_minor,
            each.answer.bonus_taken_back_minor,
        )
        for each in withdrawals
    ]
    sets.insert_columns(connection, "withdrawals", columns_of(tables.WITHDRAWALS, rows))


def _update_sold(connection: Connection, sold: Mapping[UUID, SoldValue]) -> None:
    rows = [
        (
            each.withdrawn_minor,
            each.bonus_taken_back_minor,
            each.gift_deducted_minor,
            each.refunded_at,
        )
        for each in sold.values()
    ]
    sets.update_from_columns(
        connection,
        "top_ups",
        keys={"top_up_id": ("uuid", list(sold))},
        values=columns_of(tables.TOP_UP_GONE_BACK, rows),
    )


def _insert_refunds(connection: Connection, refunds: Sequence[TopUpRefund]) -> None:
    rows = [
        (
            each.answer.refund_id,
            each.answer.top_up_id,
            each.member_id,
            each.version,
            each.answer.refunded_at,
            each.currency,
            *_place(each.place),
            each.answer.cash_refunded_minor,
            each.answer.bonus_taken_back_minor,
        )
        for each in refunds
    ]
    sets.insert_columns(connection, "top_up_refunds", columns_of(tables.TOP_UP_REFUNDS, rows))


def _place(place: Place) -> Sequence[object]:
    return (place.merchant_id, place.outlet_id, place.terminal_id, place.property_code)
