"""What the gateway itself refuses, in words for a cashier's programmer."""

from __future__ import annotations

from chassis.kernel import Category, FieldViolation, Refusal

RETRY_AFTER_SECONDS = 1.0


OUR_FAULTS = frozenset({"CALLER_NOT_ALLOWED", "UNAUTHENTICATED", "DEADLINE_MISSING"})
"""What a service says of the gateway, as when certificates are being changed; never of a till."""


def not_the_tills(refusal: Refusal) -> Refusal:
    """Return a service's refusal of the gateway itself as a passing one, any other as it is.

    It passes when the deployment is mended: remembered as a request's answer, it would be the
    answer for good.
    """
    if refusal.reason not in OUR_FAULTS:
        return refusal
    return Refusal(
        Category.UNAVAILABLE,
        "UNAVAILABLE",
        "a service does not let the gateway in now; try again",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )


def invalid_field(field: str, rule: str) -> Refusal:
    """A field that breaks a rule no field rule of the contract can say."""
    return Refusal(
        Category.INVALID, "INVALID_FIELD", f"{field}: {rule}", fields=[FieldViolation(field, rule)]
    )


def request_id_reused(field: str) -> Refusal:
    return Refusal(
        Category.INVALID,
        "REQUEST_ID_REUSED",
        f"request_id was used before with another content: {field} differs; take a new one",
        fields=[FieldViolation(field, "differs from the first request with this request_id")],
        metadata={"field": field},
    )


def unauthenticated(message: str) -> Refusal:
    return Refusal(Category.UNAUTHENTICATED, "UNAUTHENTICATED", message)


def terminal_unknown() -> Refusal:
    return Refusal(
        Category.FORBIDDEN,
        "TERMINAL_UNKNOWN",
        "the terminal is not one of this merchant's; send its id as `huitouke-terminal`",
    )


def scope_missing(scope: str) -> Refusal:
    return Refusal(
        Category.FORBIDDEN,
        "SCOPE_MISSING",
        f"the key may not do this; ask the operator for one with {scope}",
        metadata={"scope": scope},
    )


def not_found(what: str) -> Refusal:
    return Refusal(Category.NOT_FOUND, "NOT_FOUND", f"no such {what}")


def code_taken(code: str) -> Refusal:
    return Refusal(Category.ALREADY_EXISTS, "CODE_TAKEN", f"the code {code} is taken")


def currency_mismatch(field: str) -> Refusal:
    return Refusal(
        Category.INVALID,
        "CURRENCY_MISMATCH",
        "the programme is kept in CNY; convert the amounts",
        fields=[FieldViolation(field, "must be CNY")],
    )


def occurred_at_out_of_range(rule: str) -> Refusal:
    field = "purchase.occurred_at"
    return Refusal(
        Category.INVALID,
        "OCCURRED_AT_OUT_OF_RANGE",
        f"{field}: {rule}",
        fields=[FieldViolation(field, rule)],
    )


_COUPON_CATEGORIES = {
    "COUPON_NOT_FOUND": Category.NOT_FOUND,
    "CURRENCY_MISMATCH": Category.INVALID,
}


def coupon_disqualified(coupon_id: str, reason: str, message: str) -> Refusal:
    """A coupon the till named does not apply; the reason is the coupon service's."""
    category = _COUPON_CATEGORIES.get(reason, Category.PRECONDITION)
    return Refusal(category, reason, message, metadata={"coupon_id": coupon_id})


def stored_value_not_accepted() -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "STORED_VALUE_NOT_ACCEPTED",
        "this merchant does not take stored value; take another tender",
    )


def top_up_not_allowed() -> Refusal:
    return Refusal(
        Category.PRECONDITION, "TOP_UP_NOT_ALLOWED", "this merchant may not sell stored value"
    )


def tenders_differ(to_pay_minor: int, field: str = "purchase.tenders") -> Refusal:
    """The till's tenders, in `field` of its request, do not add up to what is left to pay."""
    return Refusal(
        Category.INVALID,
        "TENDERS_DIFFER",
        f"the tenders must add up to {to_pay_minor}, what is left to pay in money",
        fields=[FieldViolation(field, f"must add up to {to_pay_minor}")],
        metadata={"to_pay_minor": str(to_pay_minor)},
    )


def checkout_not_found() -> Refusal:
    return Refusal(Category.NOT_FOUND, "CHECKOUT_NOT_FOUND", "no such checkout of this merchant")


def checkout_cancelled() -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "CHECKOUT_CANCELLED",
        "the checkout was cancelled and never happens; make a new one with a new request_id",
    )


def checkout_committed(checkout_id: str) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "CHECKOUT_COMMITTED",
        "the checkout happened; refund it instead of cancelling",
        metadata={"checkout_id": checkout_id},
    )


def checkout_expired() -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "CHECKOUT_EXPIRED",
        "the checkout was not committed before its commit_by, and what it held went back; "
        "open a new one with a new request_id",
    )


def checkout_open() -> Refusal:
    """The call needs a checkout that has come to its end."""
    return Refusal(
        Category.PRECONDITION,
        "CHECKOUT_OPEN",
        "the checkout is open; commit it, then refund it, or cancel it",
    )


def checkout_not_opened() -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "CHECKOUT_NOT_OPENED",
        "the checkout was made in one call; only what OpenCheckout opened is committed",
    )


def commit_exceeds_hold(points: int, stored_value_minor: int) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "COMMIT_EXCEEDS_HOLD",
        f"the checkout holds {points} points and {stored_value_minor} of stored value; commit "
        "with at most that, and take the rest by another tender",
        metadata={
            "held_points": str(points),
            "held_stored_value_minor": str(stored_value_minor),
        },
    )


def coupon_bill_changed(position: int) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "COUPON_BILL_CHANGED",
        f"lines[{position}] must be the opened bill's, for its amount or more: the coupons were "
        "priced on it; to sell less, cancel and make a Checkout with the coupons in one call",
        metadata={"line": str(position + 1)},
    )


def in_progress() -> Refusal:
    """Passing: the end is not known yet and comes by itself."""
    return Refusal(
        Category.UNAVAILABLE,
        "CHECKOUT_IN_PROGRESS",
        "the checkout goes on by itself; repeat the call with the same request_id to learn its end",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )


def already_refunded() -> Refusal:
    return Refusal(
        Category.PRECONDITION, "ALREADY_REFUNDED", "the checkout was refunded already, wholly"
    )


def refund_exceeds_checkout(left_minor: int) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "REFUND_EXCEEDS_CHECKOUT",
        f"only {left_minor} of the bill after coupons is left to be refunded; "
        "leave the amount out to refund all of it",
        metadata={"left_minor": str(left_minor)},
    )


def refund_exceeds_line(line_id: str, left_minor: int) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "REFUND_EXCEEDS_LINE",
        f"only {left_minor} of line {line_id} is left to be refunded, before coupons",
        metadata={"line_id": line_id, "left_minor": str(left_minor)},
    )
