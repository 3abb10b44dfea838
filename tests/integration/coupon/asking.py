"""Requests that tests send: synthetic members, tills and campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.coupon.v1 import campaign_pb2, coupon_pb2
from huitouke.coupon.v1 import coupon_service_pb2 as pb
from huitouke.type.v1.merchant_category_pb2 import (
    MERCHANT_CATEGORY_DINING,
    MerchantCategory,
)
from huitouke.type.v1.place_pb2 import Place

from chassis.identifiers import new_id
from tests.integration.coupon.running import NOON

_numbers = count(1)
MERCHANT, OUTLET, TERMINAL = (str(UUID(int=number)) for number in (101, 102, 103))


def stamp(instant: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(instant)
    return message


def fresh_request_id() -> str:
    return f"test-{next(_numbers)}-{new_id().hex}"


def a_campaign(
    code: str = "WELCOME50", *, quantity: int = 0, per_member: int = 0, **conditions: Any
) -> pb.CreateCampaignRequest:
    """A campaign of 50.00 off that runs for a month, from yesterday."""
    conditions = {
        "valid_from": stamp(NOON - timedelta(days=1)),
        "valid_until": stamp(NOON + timedelta(days=30)),
        **conditions,
    }
    return pb.CreateCampaignRequest(
        request_id=fresh_request_id(),
        campaign=campaign_pb2.Campaign(
            code=code,
            name_zh="立减券",
            name_en="Money off",
            amount_off=campaign_pb2.AmountOff(amount_minor=5_000),
            conditions=campaign_pb2.CouponConditions(**conditions),
            limits=campaign_pb2.CouponLimits(quantity=quantity, per_member=per_member),
            currency="CNY",
            funder=campaign_pb2.COUPON_FUNDER_ISSUER,
        ),
    )


def a_percent_campaign(
    code: str, basis_points: int, *, ceiling_minor: int = 0, **more: Any
) -> pb.CreateCampaignRequest:
    request = a_campaign(code, **more)
    request.campaign.percent_off.basis_points = basis_points
    request.campaign.percent_off.ceiling_minor = ceiling_minor
    return request


def a_claim(
    member_id: str, code: str = "WELCOME50", *, request_id: str = "", tier: str = "CLASSIC"
) -> pb.ClaimCouponRequest:
    return pb.ClaimCouponRequest(
        request_id=request_id or fresh_request_id(),
        member_id=member_id,
        campaign_code=code,
        tier=tier,
        time_zone="Asia/Shanghai",
    )


def a_basket(
    *amounts: int,
    category: MerchantCategory.ValueType = MERCHANT_CATEGORY_DINING,
    occurred_at: datetime = NOON,
    **more: Any,
) -> coupon_pb2.Basket:
    place = {
        "merchant_id": MERCHANT,
        "outlet_id": OUTLET,
        "terminal_id": TERMINAL,
        "property_code": "SHA01",
        "time_zone": "Asia/Shanghai",
    }
    basket = {"currency": "CNY", "tier": "CLASSIC"} | more
    return coupon_pb2.Basket(
        lines=[
            coupon_pb2.BasketLine(category=category, item_code=f"item-{place_}", amount_minor=each)
            for place_, each in enumerate(amounts)
        ],
        place=Place(**place),
        occurred_at=stamp(occurred_at),
        **basket,
    )


def qualifying(member_id: str, basket: coupon_pb2.Basket, *coupon_ids: str) -> pb.QualifyRequest:
    return pb.QualifyRequest(member_id=member_id, basket=basket, coupon_ids=coupon_ids)


def reserving(
    member_id: str,
    checkout_id: str,
    basket: coupon_pb2.Basket,
    discounts: Sequence[coupon_pb2.Discount],
    *,
    request_id: str = "",
) -> pb.ReserveRequest:
    return pb.ReserveRequest(
        request_id=request_id or fresh_request_id(),
        member_id=member_id,
        checkout_id=checkout_id,
        basket=basket,
        discounts=discounts,
    )


def expecting(coupon_id: str, amount_minor: int) -> coupon_pb2.Discount:
    return coupon_pb2.Discount(coupon_id=coupon_id, amount_minor=amount_minor)


def redeeming(member_id: str, checkout_id: str, *, request_id: str = "") -> pb.RedeemRequest:
    return pb.RedeemRequest(
        request_id=request_id or fresh_request_id(), member_id=member_id, checkout_id=checkout_id
    )


def cancelling(
    member_id: str, checkout_id: str, *, request_id: str = ""
) -> pb.CancelReservationRequest:
    return pb.CancelReservationRequest(
        request_id=request_id or fresh_request_id(), member_id=member_id, checkout_id=checkout_id
    )


def rolling_back(
    member_id: str, checkout_id: str, *, refund_id: str = "", request_id: str = ""
) -> pb.RollBackRequest:
    return pb.RollBackRequest(
        request_id=request_id or fresh_request_id(),
        member_id=member_id,
        checkout_id=checkout_id,
        refund_id=refund_id or str(new_id()),
    )


def an_id() -> str:
    return str(new_id())
