"""The ledger's refusals, worded once; each reason stands in error_reason.proto."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from chassis.kernel import Category, FieldViolation, Refusal

OCCURRED_AT_FIELD = "purchase.occurred_at"


def invalid_field(field: str, rule: str) -> Refusal:
    """Refuse a field that breaks `rule`, which names the way out."""
    return Refusal(
        Category.INVALID, "INVALID_FIELD", f"{field}: {rule}", fields=[FieldViolation(field, rule)]
    )


def insufficient_points(available: int) -> Refusal:
    return _rule(
        "INSUFFICIENT_POINTS", f"only {available} points are available", available=available
    )


def insufficient_stored_value(available_minor: int) -> Refusal:
    return _rule(
        "INSUFFICIENT_STORED_VALUE",
        f"only {available_minor} of stored value is available",
        available_minor=available_minor,
    )


def tender_exceeds_bill(bill_minor: int, tendered_minor: int) -> Refusal:
    return _rule(
        "TENDER_EXCEEDS_BILL",
        "points and stored value together exceed the bill; tender less",
        bill_minor=bill_minor,
        tendered_minor=tendered_minor,
    )


def to_pay_differs(to_pay_minor: int) -> Refusal:
    return _rule(
        "TO_PAY_DIFFERS",
        f"{to_pay_minor} is left to pay in money, another amount than expected; quote again",
        to_pay_minor=to_pay_minor,
    )


def redemption_share(message: str, **metadata: int) -> Refusal:
    return _rule("REDEMPTION_SHARE", message, **metadata)


def currency_mismatch(currency: str) -> Refusal:
    return Refusal(
        Category.INVALID,
        "CURRENCY_MISMATCH",
        f"the account is kept in {currency}",
        metadata={"currency": currency},
    )


def top_up_limit(limit_minor: int) -> Refusal:
    return _rule("TOP_UP_LIMIT", f"one top-up takes {limit_minor} at most", limit_minor=limit_minor)


def balance_limit(limit_minor: int, held_minor: int) -> Refusal:
    return _rule(
        "BALANCE_LIMIT",
        f"the card may hold {limit_minor} at most, gift included, and holds {held_minor}",
        limit_minor=limit_minor,
        balance_minor=held_minor,
    )


def checkout_exists(checkout_id: UUID) -> Refusal:
    return _taken("CHECKOUT_EXISTS", "checkout_id", checkout_id)


def top_up_exists(top_up_id: UUID) -> Refusal:
    return _taken("TOP_UP_EXISTS", "top_up_id", top_up_id)


def reversal_exists(reversal_id: UUID) -> Refusal:
    return _taken("REVERSAL_EXISTS", "reversal_id", reversal_id)


def checkout_cancelled(checkout_id: UUID) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "CHECKOUT_CANCELLED",
        "the checkout was cancelled before it was posted; start a new one",
        metadata={"checkout_id": str(checkout_id)},
    )


def checkout_not_found(checkout_id: UUID) -> Refusal:
    return Refusal(
        Category.NOT_FOUND,
        "CHECKOUT_NOT_FOUND",
        "the member has no posted checkout of this id",
        metadata={"checkout_id": str(checkout_id)},
    )


def already_reversed(checkout_id: UUID) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "ALREADY_REVERSED",
        "the checkout was reversed already, wholly",
        metadata={"checkout_id": str(checkout_id)},
    )


def hold_not_found(hold_id: UUID) -> Refusal:
    return Refusal(
        Category.NOT_FOUND,
        "HOLD_NOT_FOUND",
        "the member has no hold of this id",
        metadata={"hold_id": str(hold_id)},
    )


def hold_exists(hold_id: UUID) -> Refusal:
    return _taken("HOLD_EXISTS", "hold_id", hold_id)


def hold_captured(hold_id: UUID) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "HOLD_CAPTURED",
        "the hold was captured already, and a hold resolves once",
        metadata={"hold_id": str(hold_id), "state": "CAPTURED"},
    )


def hold_released(hold_id: UUID) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "HOLD_RELEASED",
        "the hold was released already, and a hold resolves once; authorise another",
        metadata={"hold_id": str(hold_id), "state": "RELEASED"},
    )


def hold_expired(hold_id: UUID, timeout_at: datetime) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "HOLD_EXPIRED",
        f"the hold timed out at {timeout_at}; authorise another",
        metadata={
            "hold_id": str(hold_id),
            "state": "EXPIRED",
            "timeout_at": timeout_at.isoformat(),
        },
    )


def capture_exceeds_hold(points: int, stored_value_minor: int) -> Refusal:
    return _rule(
        "CAPTURE_EXCEEDS_HOLD",
        f"the hold has {points} points and {stored_value_minor} of stored value, no more",
        points=points,
        stored_value_minor=stored_value_minor,
    )


def hold_of_checkout(hold_id: UUID, checkout_id: UUID) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "HOLD_OF_CHECKOUT",
        "the hold belongs to a checkout: post that one with hold_id to capture it",
        metadata={"hold_id": str(hold_id), "checkout_id": str(checkout_id)},
    )


def too_many_holds(limit: int) -> Refusal:
    return _rule(
        "TOO_MANY_HOLDS",
        f"the member has {limit} open holds, as many as allowed; capture or release one first",
        limit=limit,
    )


def checkout_has_hold(checkout_id: UUID, hold_id: UUID) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "CHECKOUT_HAS_HOLD",
        "the checkout has an open hold: name it in hold_id, or release it first",
        metadata={"checkout_id": str(checkout_id), "hold_id": str(hold_id)},
    )


def reversal_exceeds_checkout(left_minor: int) -> Refusal:
    return _rule(
        "REVERSAL_EXCEEDS_CHECKOUT",
        f"amount_minor: only {left_minor} of the bill is left to be reversed; "
        "leave the amount out to reverse all of it",
        left_minor=left_minor,
    )


def earned_points_spent(missing_points: int) -> Refusal:
    return _rule(
        "EARNED_POINTS_SPENT",
        f"{missing_points} of the points earned by it are spent, and the programme lets nobody "
        "owe points; earn them first or reverse less",
        missing_points=missing_points,
    )


def programme_not_found(what: str) -> Refusal:
    return Refusal(Category.NOT_FOUND, "PROGRAMME_NOT_FOUND", f"no programme {what}")


def occurred_at_out_of_range(rule: str) -> Refusal:
    return Refusal(
        Category.INVALID,
        "OCCURRED_AT_OUT_OF_RANGE",
        f"{OCCURRED_AT_FIELD}: {rule}",
        fields=[FieldViolation(OCCURRED_AT_FIELD, rule)],
    )


def condition_invalid(field: str, problem: str, line: int, column: int) -> Refusal:
    """Refuse a rule's condition in CEL; `problem` names the place and what is wrong there."""
    return Refusal(
        Category.INVALID,
        "CONDITION_INVALID",
        f"{field}: {problem}",
        fields=[FieldViolation(field, problem)],
        metadata={"line": str(line), "column": str(column)},
    )


def draft_not_found(draft_id: UUID) -> Refusal:
    return Refusal(
        Category.NOT_FOUND,
        "DRAFT_NOT_FOUND",
        "no programme draft has this id",
        metadata={"draft_id": str(draft_id)},
    )


def draft_conflict(revision: int) -> Refusal:
    return _rule(
        "DRAFT_CONFLICT",
        f"the draft is at revision {revision} by now; look at it and try again",
        revision=revision,
    )


def draft_closed(what: str) -> Refusal:
    return Refusal(
        Category.PRECONDITION, "DRAFT_CLOSED", f"the draft was {what} already; make a new one"
    )


def too_many_drafts(limit: int) -> Refusal:
    return _rule(
        "TOO_MANY_DRAFTS",
        f"there may be {limit} open drafts; activate or discard one first",
        limit=limit,
    )


def programme_retired(version: int) -> Refusal:
    return _rule("PROGRAMME_RETIRED", f"version {version} has ended already", version=version)


def programme_needed(version: int) -> Refusal:
    return _rule(
        "PROGRAMME_NEEDED",
        f"without version {version} no programme would be valid then; activate another one first",
        version=version,
    )


def version_conflict(latest: int) -> Refusal:
    return _rule(
        "VERSION_CONFLICT",
        f"version {latest} was published meanwhile; look at it and publish again",
        latest_version=latest,
    )


def period_invalid(field: str, rule: str) -> Refusal:
    """Refuse a report's instant that breaks `rule`."""
    return Refusal(
        Category.INVALID,
        "PERIOD_INVALID",
        f"{field}: {rule}",
        fields=[FieldViolation(field, rule)],
    )


def import_reference_taken(line: int) -> Refusal:
    return Refusal(
        Category.ALREADY_EXISTS,
        "IMPORT_REFERENCE_TAKEN",
        f"reference: line {line} of this import has brought it in; give each lot one of its own",
        metadata={"line": str(line)},
    )


def import_row_differs(field: str) -> Refusal:
    return Refusal(
        Category.ALREADY_EXISTS,
        "IMPORT_ROW_DIFFERS",
        f"{field}: the row was brought in with another one; correct the member by an adjustment",
        metadata={"field": field},
    )


def import_row_expired(expires_at: datetime) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "IMPORT_ROW_EXPIRED",
        f"expires_at: {expires_at.isoformat()} has passed; leave the row out",
    )


def cash_never_expires() -> Refusal:
    return Refusal(
        Category.INVALID, "CASH_NEVER_EXPIRES", "expires_at: CASH never expires; leave it empty"
    )


def earned_in_future(earned_at: datetime) -> Refusal:
    return Refusal(
        Category.INVALID,
        "EARNED_IN_FUTURE",
        f"earned_at: {earned_at.isoformat()} lies in the future; it must not",
    )


def import_not_found(import_id: UUID) -> Refusal:
    return Refusal(
        Category.NOT_FOUND,
        "IMPORT_NOT_FOUND",
        "no rows of this import ever came",
        metadata={"import_id": str(import_id)},
    )


def _rule(reason: str, message: str, **metadata: int) -> Refusal:
    return Refusal(Category.PRECONDITION, reason, message, metadata=_text(metadata))


def _taken(reason: str, name: str, value: UUID) -> Refusal:
    return Refusal(
        Category.ALREADY_EXISTS,
        reason,
        f"{name} was used before under another request_id",
        metadata={name: str(value)},
    )


def _text(metadata: Mapping[str, int]) -> dict[str, str]:
    return {name: str(value) for name, value in metadata.items()}
