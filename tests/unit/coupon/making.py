"""Domain values for tests: a campaign, a coupon, a basket, each with what the test asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from services.coupon.domain.baskets import Basket, Line, Place
from services.coupon.domain.campaigns import (
    AmountOff,
    Benefit,
    Campaign,
    Conditions,
    Funder,
    Limits,
)
from services.coupon.domain.commands import CreateCampaign
from services.coupon.domain.coupons import Coupon
from services.coupon.domain.stacking import Candidate

NOON = datetime(2030, 5, 1, 4, tzinfo=UTC)
"""Noon in Shanghai, a Wednesday."""

SHANGHAI = ZoneInfo("Asia/Shanghai")
MEMBER = UUID(int=1)
PLACE = Place(UUID(int=101), UUID(int=102), UUID(int=103), "SHA01", "Asia/Shanghai")


def numbered(number: int) -> UUID:
    return UUID(int=1_000 + number)


def conditions(**more: Any) -> Conditions:
    """A window from yesterday for a month, and what the test asks for."""
    window = {"valid_from": NOON - timedelta(days=1), "valid_until": NOON + timedelta(days=30)}
    return Conditions(**window | more)


def campaign(
    number: int = 1,
    benefit: Benefit | None = None,
    limits: Limits | None = None,
    **asked: Any,
) -> Campaign:
    return Campaign(
        campaign_id=numbered(number),
        code=f"CODE{number}",
        name_zh="立减券",
        name_en="Money off",
        benefit=benefit or AmountOff(5_000),
        conditions=conditions(**asked),
        limits=limits or Limits(),
        currency="CNY",
        funder=Funder.ISSUER,
        created_at=NOON,
    )


def creating(made: Campaign) -> CreateCampaign:
    """The command that makes this campaign."""
    return CreateCampaign(
        campaign_id=made.campaign_id,
        code=made.code,
        name_zh=made.name_zh,
        name_en=made.name_en,
        benefit=made.benefit,
        conditions=made.conditions,
        limits=made.limits,
        currency=made.currency,
        funder=made.funder,
    )


def coupon(number: int = 1, of: Campaign | None = None, **more: Any) -> Coupon:
    owner = of or campaign(number)
    made = Coupon(
        member_id=MEMBER,
        coupon_id=numbered(500 + number),
        campaign_id=owner.campaign_id,
        ordinal=1,
        issued_at=NOON,
        expires_at=owner.conditions.valid_until,
    )
    return replace(made, **more)


def candidate(number: int = 1, benefit: Benefit | None = None, **asked: Any) -> Candidate:
    """A coupon that the member holds, of a campaign of its own."""
    owner = campaign(number, benefit, **asked)
    held = coupon(number, owner)
    return Candidate(held.coupon_id, (held, owner))


def basket(
    *amounts: int,
    category: str = "DINING",
    occurred_at: datetime = NOON,
    zone: tzinfo = SHANGHAI,
    currency: str = "CNY",
) -> Basket:
    """A basket of lines with item codes item-0, item-1, and so on."""
    return Basket(
        lines=tuple(Line(category, f"item-{at}", each) for at, each in enumerate(amounts)),
        currency=currency,
        place=PLACE,
        zone=zone,
        tier="CLASSIC",
        occurred_at=occurred_at,
    )
