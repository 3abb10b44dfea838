"""Every refusal the coupon rules know, in one place: reason, words and way out."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from chassis.kernel import Category, FieldViolation, Refusal


def invalid_field(field: str, rule: str) -> Refusal:
    return Refusal(
        Category.INVALID, "INVALID_FIELD", f"{field}: {rule}", fields=[FieldViolation(field, rule)]
    )


def campaign_not_found() -> Refusal:
    return Refusal(Category.NOT_FOUND, "CAMPAIGN_NOT_FOUND", "there is no such campaign")


def campaign_exists(code: str) -> Refusal:
    return Refusal(
        Category.ALREADY_EXISTS, "CAMPAIGN_EXISTS", f"campaign code {code} is taken; choose another"
    )


def campaign_not_valid(valid_from: datetime, valid_until: datetime) -> Refusal:
    window = {"valid_from": valid_from.isoformat(), "valid_until": valid_until.isoformat()}
    return Refusal(
        Category.PRECONDITION,
        "CAMPAIGN_NOT_VALID",
        f"the campaign runs from {window['valid_from']} until {window['valid_until']}",
        metadata=window,
    )


def quantity_exhausted() -> Refusal:
    """No EXHAUSTED category: a coupon never comes back to be issued, so the answer is final."""
    return Refusal(
        Category.PRECONDITION, "QUANTITY_EXHAUSTED", "every coupon of the campaign is issued"
    )


def member_limit(limit: int) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "MEMBER_LIMIT",
        f"the member has had {limit} of this campaign, as many as allowed",
        metadata={"limit": str(limit)},
    )


def tier_not_eligible(tier: str) -> Refusal:
    return Refusal(
        Category.PRECONDITION, "TIER_NOT_ELIGIBLE", f"the campaign is not for tier {tier}"
    )


def coupon_not_found() -> Refusal:
    return Refusal(Category.NOT_FOUND, "COUPON_NOT_FOUND", "the member has no such coupon")


def coupon_redeemed() -> Refusal:
    return Refusal(Category.PRECONDITION, "COUPON_REDEEMED", "the coupon was used")


def coupon_reserved() -> Refusal:
    return Refusal(
        Category.PRECONDITION, "COUPON_RESERVED", "the coupon is set aside for another checkout"
    )


def coupon_expired(expires_at: datetime) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "COUPON_EXPIRED",
        f"the coupon ended at {expires_at.isoformat()}",
        metadata={"expires_at": expires_at.isoformat()},
    )


def coupon_not_valid_yet(valid_from: datetime) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "COUPON_EXPIRED",
        f"the coupon is valid from {valid_from.isoformat()}",
        metadata={"valid_from": valid_from.isoformat()},
    )


def coupon_revoked() -> Refusal:
    return Refusal(Category.PRECONDITION, "COUPON_REVOKED", "the coupon was withdrawn")


def minimum_spend(minimum_minor: int) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "MINIMUM_SPEND",
        f"the eligible lines must come to {minimum_minor} minor units at least",
        metadata={"minimum_minor": str(minimum_minor)},
    )


def basket_not_eligible(message: str, **metadata: str) -> Refusal:
    return Refusal(Category.PRECONDITION, "BASKET_NOT_ELIGIBLE", message, metadata=metadata)


def wrong_weekday(weekdays: Collection[int]) -> Refusal:
    named = ",".join(str(day) for day in sorted(weekdays))
    return basket_not_eligible(
        f"the coupon is for ISO weekdays {named} at the property", weekdays=named
    )


def currency_mismatch(currency: str) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "CURRENCY_MISMATCH",
        f"the coupon is in {currency}",
        metadata={"currency": currency},
    )


def not_stackable(message: str, **metadata: str) -> Refusal:
    return Refusal(Category.PRECONDITION, "NOT_STACKABLE", message, metadata=metadata)


def amount_changed(coupon_id: UUID, expected_minor: int, amount_minor: int) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "AMOUNT_CHANGED",
        f"the coupon takes off {amount_minor} minor units, not {expected_minor}, or splits them "
        "otherwise; qualify again",
        metadata={
            "coupon_id": str(coupon_id),
            "expected_minor": str(expected_minor),
            "amount_minor": str(amount_minor),
        },
    )


def checkout_exists() -> Refusal:
    return Refusal(
        Category.ALREADY_EXISTS,
        "CHECKOUT_EXISTS",
        "coupons were reserved for this checkout under another request_id",
    )


def checkout_not_found() -> Refusal:
    return Refusal(
        Category.NOT_FOUND, "CHECKOUT_NOT_FOUND", "the member reserved nothing for this checkout"
    )


def checkout_cancelled() -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "CHECKOUT_CANCELLED",
        "the checkout was cancelled; start another with a new checkout id",
    )


def checkout_redeemed() -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "CHECKOUT_REDEEMED",
        "the checkout's coupons were redeemed; roll it back instead",
    )


def checkout_not_redeemed() -> Refusal:
    """Passing: a refund may overtake the redemption it undoes, and is right a moment later."""
    return Refusal(
        Category.ABORTED,
        "CHECKOUT_NOT_REDEEMED",
        "the checkout's coupons are reserved, not redeemed yet; redeem them, then repeat",
    )
