"""The programmes that histories run under: every kind of rule, and a change in the middle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from huitouke.points.v1 import programme_pb2 as pb
from huitouke.points.v1.purchase_pb2 import FUNDER_ISSUER, FUNDER_MERCHANT
from huitouke.type.v1.booking_channel_pb2 import (
    BOOKING_CHANNEL_CORPORATE,
    BOOKING_CHANNEL_DIRECT,
)
from huitouke.type.v1.merchant_category_pb2 import (
    MERCHANT_CATEGORY_DINING,
    MERCHANT_CATEGORY_ROOM,
    MERCHANT_CATEGORY_SPA,
)

from services.points.domain.movements import MovementTerms
from tests.model.expressions import FAILING_AT_NOON, FRIENDS_AT_TABLE, LUCKY
from tests.model.movements import Limits

ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
SUMMER = datetime(2026, 5, 20, tzinfo=UTC)
AUTUMN = datetime(2027, 9, 1, tzinfo=UTC)
YEARS_LATER = datetime(2029, 3, 1, tzinfo=UTC)


def rule(code: str, stacking_class: Any, funder: Any = FUNDER_ISSUER, **more: Any) -> Any:
    parts = set(pb.Condition.DESCRIPTOR.fields_by_name) & set(more)
    asked = {name: more.pop(name) for name in parts}
    return pb.EarningRule(
        code=code,
        stacking_class=stacking_class,
        funder=funder,
        condition=pb.Condition(**asked),
        **more,
    )


BASES = [
    rule(
        "BASE_ROOM",
        pb.STACKING_CLASS_BASE,
        categories=[MERCHANT_CATEGORY_ROOM],
        channels=[BOOKING_CHANNEL_DIRECT, BOOKING_CHANNEL_CORPORATE],
        points_per_unit_milli=1000,
        pending=pb.Pending(days=5, until_stay_ends=True),
    ),
    rule(
        "BASE_DINING",
        pb.STACKING_CLASS_BASE,
        categories=[MERCHANT_CATEGORY_DINING],
        points_per_unit_milli=1000,
    ),
    rule(
        "BASE_SPA",
        pb.STACKING_CLASS_BASE,
        FUNDER_MERCHANT,
        categories=[MERCHANT_CATEGORY_SPA],
        points_per_unit_milli=1337,
        rounding=pb.ROUNDING_UP,
        caps=pb.Caps(per_member_day=900, per_checkout=700),
    ),
]
FIRST = pb.Programme(
    version=2,
    earning_rules=[
        *BASES,
        rule(
            "GOLD",
            pb.STACKING_CLASS_BEST_OF,
            tiers=["GOLD"],
            multiplier_milli=1500,
            rounding=pb.ROUNDING_HALF_UP,
            pending=pb.Pending(days=5),
        ),
        rule(
            "SPA_FRIENDS",
            pb.STACKING_CLASS_BEST_OF,
            FUNDER_MERCHANT,
            categories=[MERCHANT_CATEGORY_SPA],
            tags=["friend"],
            multiplier_milli=2500,
        ),
        rule(
            "BIG",
            pb.STACKING_CLASS_ADD,
            minimum_spend_minor=60_000,
            fixed_points=50,
            caps=pb.Caps(per_member=120),
        ),
        rule("WELCOME", pb.STACKING_CLASS_ADD, first_purchase_only=True, fixed_points=33),
        rule("LUCKY", pb.STACKING_CLASS_ADD, expression=LUCKY, fixed_points=5, budget_points=60),
        rule("TABLE", pb.STACKING_CLASS_ADD, expression=FRIENDS_AT_TABLE, fixed_points=11),
        rule("NOON", pb.STACKING_CLASS_ADD, expression=FAILING_AT_NOON, fixed_points=3),
    ],
    redemption=pb.Redemption(points_per_unit=100, minimum_points=100),
    stored_value=pb.StoredValueTerms(
        top_up_tiers=[
            pb.TopUpTier(from_minor=50_000, bonus_minor=3_000),
            pb.TopUpTier(from_minor=100_000, bonus_minor=10_000),
        ],
        top_up_limit_minor=400_000,
        balance_limit_minor=500_000,
        spend_order=pb.SPEND_ORDER_PROPORTIONAL,
        bonus_expires_after_months=6,
    ),
    points_expire_after_months=12,
)
IDLE = pb.Programme()
IDLE.CopyFrom(FIRST)
IDLE.version = 3
IDLE.points_expire_after_months = 0
IDLE.points_expire_after_idle_months = 3
SECOND = pb.Programme(
    version=4,
    earning_rules=[
        *BASES,
        rule("WEEKEND", pb.STACKING_CLASS_BEST_OF, weekdays=[6, 7], multiplier_milli=2000),
        rule("BIRTHDAY", pb.STACKING_CLASS_BEST_OF, birth_month_only=True, multiplier_milli=3000),
        rule(
            "SPA_VISIT",
            pb.STACKING_CLASS_ADD,
            FUNDER_MERCHANT,
            categories=[MERCHANT_CATEGORY_SPA],
            fixed_points=7,
            pending=pb.Pending(days=30),
        ),
        rule("LUCKY", pb.STACKING_CLASS_ADD, expression=LUCKY, fixed_points=5, budget_points=90),
    ],
    redemption=pb.Redemption(
        points_per_unit=250,
        minimum_points=5,
        maximum_shares=[
            pb.CategoryShare(category=MERCHANT_CATEGORY_DINING, share_basis_points=5_000)
        ],
    ),
    stored_value=pb.StoredValueTerms(
        top_up_tiers=[pb.TopUpTier(from_minor=50_000, bonus_minor=5_000)],
        top_up_limit_minor=500_000,
        balance_limit_minor=500_000,
        spend_order=pb.SPEND_ORDER_BONUS_FIRST,
        bonus_expires_after_months=24,
    ),
    points_expire_on="2028-02-29",
    clawback=pb.CLAWBACK_REFUSE,
)
THIRD = pb.Programme(
    version=5,
    earning_rules=BASES,
    redemption=pb.Redemption(points_per_unit=100),
    stored_value=pb.StoredValueTerms(
        top_up_tiers=[pb.TopUpTier(from_minor=1, bonus_minor=9)],
        top_up_limit_minor=500_000,
        balance_limit_minor=900_000,
        spend_order=pb.SPEND_ORDER_CASH_FIRST,
    ),
)
FIRST.valid_from.FromDatetime(ALWAYS)
IDLE.valid_from.FromDatetime(SUMMER)
SECOND.valid_from.FromDatetime(AUTUMN)
THIRD.valid_from.FromDatetime(YEARS_LATER)
PROGRAMMES = [FIRST, IDLE, SECOND, THIRD]
"""Version 1 is the one a new installation starts with."""

MOVEMENTS = MovementTerms(
    group_members_max=2,
    transfer_points_max=900,
    transfer_points_day_max=1_200,
    transfer_points_month_max=1_500,
    adjust_points_max=500,
    adjust_minor_max=20_000,
)
LIMITS = Limits(2, 900, 1_200, 1_500, 500, 20_000)
"""The same as the model reads them: small, so that histories run into them."""
