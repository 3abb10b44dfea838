"""The refusals of movements, worded once; each reason stands in error_reason.proto."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.kernel import Category, FieldViolation, Refusal


def transfer_exists(transfer_id: UUID) -> Refusal:
    return _taken("TRANSFER_EXISTS", "transfer_id", transfer_id)


def transfer_to_self() -> Refusal:
    rule = "must be another member than from_member_id"
    return Refusal(
        Category.INVALID,
        "TRANSFER_TO_SELF",
        f"to_member_id: {rule}",
        fields=[FieldViolation("to_member_id", rule)],
    )


def not_in_one_group() -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "NOT_IN_ONE_GROUP",
        "points are passed on inside a family group only; put both members into one first",
    )


def transfer_limit(period: str, limit: int, left: int) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "TRANSFER_LIMIT",
        f"a member gives {limit} points at most in one {period.lower()}; {left} are left",
        metadata={"period": period, "limit_points": str(limit), "left_points": str(left)},
    )


def transfer_group_not_found() -> Refusal:
    return Refusal(Category.NOT_FOUND, "TRANSFER_GROUP_NOT_FOUND", "no such family group")


def transfer_group_changed(revision: int) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "TRANSFER_GROUP_CHANGED",
        f"the group is at revision {revision}, not at expected_revision; look at it and put it "
        "again",
        metadata={"revision": str(revision)},
    )


def member_in_another_group(member_id: UUID) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "MEMBER_IN_ANOTHER_GROUP",
        "a member is in one family group at most; take the member out of the other first",
        metadata={"member_id": str(member_id)},
    )


def transfer_group_size(limit: int) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "TRANSFER_GROUP_SIZE",
        f"a family group has {limit} members at most",
        metadata={"limit_members": str(limit)},
    )


def adjustment_exists(adjustment_id: UUID) -> Refusal:
    return _taken("ADJUSTMENT_EXISTS", "adjustment_id", adjustment_id)


def adjustment_not_found(adjustment_id: UUID) -> Refusal:
    return Refusal(
        Category.NOT_FOUND,
        "ADJUSTMENT_NOT_FOUND",
        "the member has no adjustment of this id",
        metadata={"adjustment_id": str(adjustment_id)},
    )


def adjustment_decided(adjustment_id: UUID, state: str) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "ADJUSTMENT_DECIDED",
        f"the adjustment is {state.lower()} already; make a new one",
        metadata={"adjustment_id": str(adjustment_id), "state": state},
    )


def second_person_required() -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "SECOND_PERSON_REQUIRED",
        "who asked for an adjustment can't approve it; have somebody else do it",
    )


def withdrawal_exists(withdrawal_id: UUID) -> Refusal:
    return _taken("WITHDRAWAL_EXISTS", "withdrawal_id", withdrawal_id)


def insufficient_cash(available_minor: int) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "INSUFFICIENT_CASH",
        f"only {available_minor} of principal is available; gift is never paid out",
        metadata={"available_minor": str(available_minor)},
    )


def nothing_to_pay_out(deducted_minor: int) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "NOTHING_TO_PAY_OUT",
        f"gift spent before its principal takes up {deducted_minor}, so that nothing would be "
        "paid out; spend the principal instead",
        metadata={"gift_deducted_minor": str(deducted_minor)},
    )


def top_up_refund_exists(refund_id: UUID) -> Refusal:
    return _taken("TOP_UP_REFUND_EXISTS", "refund_id", refund_id)


def top_up_not_found(top_up_id: UUID) -> Refusal:
    return Refusal(
        Category.NOT_FOUND,
        "TOP_UP_NOT_FOUND",
        "the member has no top-up of this id, sold by this merchant",
        metadata={"top_up_id": str(top_up_id)},
    )


def top_up_spent(top_up_id: UUID) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "TOP_UP_SPENT",
        "something of the top-up was spent, withdrawn or is held; withdraw what is left of it",
        metadata={"top_up_id": str(top_up_id)},
    )


def top_up_too_old(until: datetime) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "TOP_UP_TOO_OLD",
        f"the top-up could be refunded until {until.isoformat()}; withdraw it instead",
        metadata={"refundable_until": until.isoformat()},
    )


def top_up_refunded(top_up_id: UUID) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "TOP_UP_REFUNDED",
        "the top-up was refunded already",
        metadata={"top_up_id": str(top_up_id)},
    )


def _taken(reason: str, name: str, value: UUID) -> Refusal:
    return Refusal(
        Category.ALREADY_EXISTS,
        reason,
        f"{name} was used before under another request_id",
        metadata={name: str(value)},
    )
