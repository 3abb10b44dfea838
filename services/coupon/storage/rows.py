"""Rows of the tables as domain values, and back to columns."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from services.coupon.domain.baskets import Place
from services.coupon.domain.campaigns import (
    AmountOff,
    Benefit,
    Campaign,
    Conditions,
    Funder,
    Limits,
    PercentOff,
    Stock,
)
from services.coupon.domain.checkouts import Checkout, CheckoutState
from services.coupon.domain.coupons import Coupon, CouponState
from services.coupon.domain.discounts import Discount

Row = Sequence[Any]
Json = Mapping[str, Any]

STOCK_COLUMNS = (
    "campaign_id",
    "code",
    "name_zh",
    "name_en",
    "benefit_kind",
    "amount_minor",
    "basis_points",
    "ceiling_minor",
    "valid_from",
    "valid_until",
    "conditions",
    "quantity",
    "per_member",
    "currency",
    "funder",
    "created_at",
    "issued",
    "reserved",
    "redeemed",
)
COUPON_COLUMNS = (
    "member_id",
    "coupon_id",
    "campaign_id",
    "ordinal",
    "issued_at",
    "expires_at",
    "state",
    "checkout_id",
)
CHECKOUT_COLUMNS = (
    "checkout_id",
    "member_id",
    "state",
    "discounts",
    "currency",
    "place",
    "reserved_at",
    "redeemed_at",
    "cancelled_at",
    "rolled_back_at",
    "expired_coupon_ids",
)


def to_stock(row: Row) -> Stock:
    """Read a row of STOCK_COLUMNS."""
    campaign = Campaign(
        campaign_id=row[0],
        code=row[1],
        name_zh=row[2],
        name_en=row[3],
        benefit=AmountOff(row[5]) if row[4] == "AMOUNT_OFF" else PercentOff(row[6], row[7]),
        conditions=_conditions(row[8], row[9], row[10]),
        limits=Limits(row[11], row[12]),
        currency=row[13],
        funder=Funder(row[14]),
        created_at=row[15],
    )
    return Stock(campaign, issued=row[16], reserved=row[17], redeemed=row[18])


def _conditions(valid_from: Any, valid_until: Any, asked: Json) -> Conditions:
    return Conditions(
        valid_from=valid_from,
        valid_until=valid_until,
        valid_days_after_issue=asked["valid_days_after_issue"],
        minimum_spend_minor=asked["minimum_spend_minor"],
        categories=frozenset(asked["categories"]),
        merchant_ids=frozenset(UUID(text) for text in asked["merchant_ids"]),
        tiers=frozenset(asked["tiers"]),
        weekdays=frozenset(asked["weekdays"]),
        item_codes=frozenset(asked["item_codes"]),
        exclusive=asked["exclusive"],
    )


def conditions_json(conditions: Conditions) -> str:
    """All of the conditions but the validity window, which has columns of its own."""
    return json.dumps(
        {
            "valid_days_after_issue": conditions.valid_days_after_issue,
            "minimum_spend_minor": conditions.minimum_spend_minor,
            "categories": sorted(conditions.categories),
            "merchant_ids": sorted(str(each) for each in conditions.merchant_ids),
            "tiers": sorted(conditions.tiers),
            "weekdays": sorted(conditions.weekdays),
            "item_codes": sorted(conditions.item_codes),
            "exclusive": conditions.exclusive,
        },
        ensure_ascii=False,
    )


def benefit_columns(benefit: Benefit) -> tuple[str, int, int, int]:
    """`benefit_kind`, `amount_minor`, `basis_points`, `ceiling_minor`."""
    if isinstance(benefit, AmountOff):
        return ("AMOUNT_OFF", benefit.amount_minor, 0, 0)
    return ("PERCENT_OFF", 0, benefit.basis_points, benefit.ceiling_minor)


def to_coupon(row: Row) -> Coupon:
    """Read a row of COUPON_COLUMNS."""
    return Coupon(row[0], row[1], row[2], row[3], row[4], row[5], CouponState(row[6]), row[7])


def to_checkout(row: Row) -> Checkout:
    """Read a row of CHECKOUT_COLUMNS."""
    return Checkout(
        checkout_id=row[0],
        member_id=row[1],
        state=CheckoutState(row[2]),
        discounts=tuple(_discount(each) for each in row[3]),
        currency=row[4],
        place=None if row[5] is None else _place(row[5]),
        reserved_at=row[6],
        redeemed_at=row[7],
        cancelled_at=row[8],
        rolled_back_at=row[9],
        expired_coupon_ids=tuple(UUID(text) for text in row[10]),
    )


def _discount(content: Json) -> Discount:
    return Discount(
        coupon_id=UUID(content["coupon_id"]),
        campaign_id=UUID(content["campaign_id"]),
        campaign_code=content["campaign_code"],
        funder=Funder(content["funder"]),
        amount_minor=content["amount_minor"],
        line_amounts_minor=tuple(content["line_amounts_minor"]),
    )


def discounts_json(discounts: Sequence[Discount]) -> str:
    return json.dumps(
        [
            {
                "coupon_id": str(each.coupon_id),
                "campaign_id": str(each.campaign_id),
                "campaign_code": each.campaign_code,
                "funder": each.funder.value,
                "amount_minor": each.amount_minor,
                "line_amounts_minor": each.line_amounts_minor,
            }
            for each in discounts
        ]
    )


def _place(content: Json) -> Place:
    return Place(
        merchant_id=UUID(content["merchant_id"]),
        outlet_id=UUID(content["outlet_id"]),
        terminal_id=UUID(content["terminal_id"]),
        property_code=content["property_code"],
        time_zone=content["time_zone"],
    )


def place_json(place: Place | None) -> str | None:
    if place is None:
        return None
    return json.dumps(
        {
            "merchant_id": str(place.merchant_id),
            "outlet_id": str(place.outlet_id),
            "terminal_id": str(place.terminal_id),
            "property_code": place.property_code,
            "time_zone": place.time_zone,
        }
    )


def ids_json(ids: Sequence[UUID]) -> str:
    return json.dumps([str(each) for each in ids])
