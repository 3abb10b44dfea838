"""Why the member service refuses; no message quotes what a guest gave."""

from __future__ import annotations

from uuid import UUID

from chassis.kernel import Category, FieldViolation, Refusal


def invalid_field(field: str, rule: str) -> Refusal:
    return Refusal(
        Category.INVALID, "INVALID_FIELD", f"{field}: {rule}", fields=[FieldViolation(field, rule)]
    )


def member_not_found() -> Refusal:
    return Refusal(Category.NOT_FOUND, "MEMBER_NOT_FOUND", "no member answers to this identifier")


def already_enrolled(member_id: UUID) -> Refusal:
    """Only for who has proven the mobile: it tells whom it belongs to."""
    return Refusal(
        Category.ALREADY_EXISTS,
        "ALREADY_ENROLLED",
        "the mobile belongs to a member already; use that member",
        metadata={"member_id": str(member_id)},
    )


def mobile_invalid() -> Refusal:
    return Refusal(
        Category.INVALID,
        "MOBILE_INVALID",
        "mobile: is no mobile number that can exist; ask for it again",
        fields=[FieldViolation("mobile", "must be a valid mobile number in E.164 form")],
    )


def mobile_not_proven() -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "MOBILE_NOT_PROVEN",
        "nobody vouches for the mobile; staff of a front desk do, with vouched_by_staff",
    )


def email_taken() -> Refusal:
    return Refusal(
        Category.ALREADY_EXISTS,
        "EMAIL_TAKEN",
        "the e-mail belongs to a member already; leave it out or take another",
        fields=[FieldViolation("email", "must not be another member's")],
    )


def referrer_unknown() -> Refusal:
    return Refusal(
        Category.INVALID,
        "REFERRER_UNKNOWN",
        "referrer_code: is not one of ours; ask for it again or leave it out",
        fields=[FieldViolation("referrer_code", "must be a member's referral code")],
    )


def card_unknown() -> Refusal:
    return Refusal(
        Category.NOT_FOUND, "CARD_UNKNOWN", "no such card was issued: mistyped or forged"
    )


def card_not_usable(state: str, way_out: str) -> Refusal:
    """The refusal of a card that was issued but isn't active; its reason is CARD_<state>."""
    return Refusal(Category.PRECONDITION, f"CARD_{state}", f"the card is {way_out}")


def card_state(state: str) -> Refusal:
    return Refusal(
        Category.PRECONDITION,
        "CARD_STATE",
        f"a card that is {state} does not allow this",
        metadata={"state": state},
    )


def numbers_exhausted() -> Refusal:
    """All random candidates are taken: a matter of chance, the next try draws others."""
    return Refusal(
        Category.UNAVAILABLE,
        "UNAVAILABLE",
        "no free number was drawn; try again",
        retry_after_seconds=0.05,
    )
