"""What the day needs before it starts: two merchants with keys, and a coupon campaign."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.coupon.v1 import campaign_pb2, coupon_service_pb2
from huitouke.coupon.v1.coupon_service_pb2_grpc import CouponServiceStub
from huitouke.gateway.v1 import admin_service_pb2 as admin
from huitouke.gateway.v1 import merchant_pb2
from huitouke.gateway.v1.admin_service_pb2_grpc import AdminServiceStub
from huitouke.type.v1.merchant_category_pb2 import MerchantCategory

from cli.clients import Metadata, call, new_request_id, operator_credentials, till_metadata
from cli.endpoints import Endpoints

PROPERTY = "SHA01"
COUPON_OFF_FEN = 5_000
COUPON_FROM_FEN = 20_000


@dataclass(frozen=True, slots=True)
class Till:
    """One merchant's till, with what it sends on each call."""

    merchant_name: str
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Stage:
    """The two tills and the campaign's code."""

    front_desk: Till
    restaurant: Till
    campaign_code: str


def set_stage(endpoints: Endpoints, token: str) -> Stage:
    """Make what the day needs. `token` makes its codes its own, so that a day can be told twice."""
    credentials = operator_credentials(endpoints)
    with grpc.secure_channel(endpoints.admin, credentials) as channel:
        stub = AdminServiceStub(channel)
        front_desk = _till(stub, token, _front_desk(token))
        restaurant = _till(stub, token, _restaurant(token))
    with grpc.secure_channel(endpoints.coupon, credentials) as channel:
        code = _campaign(CouponServiceStub(channel), token)
    return Stage(front_desk, restaurant, code)


def _front_desk(token: str) -> merchant_pb2.Merchant:
    return merchant_pb2.Merchant(
        code=f"FRONT-DESK-{token}",
        name="Front desk",
        category=MerchantCategory.MERCHANT_CATEGORY_ROOM,
        accepts_stored_value=True,
        sells_stored_value=True,
    )


def _restaurant(token: str) -> merchant_pb2.Merchant:
    return merchant_pb2.Merchant(
        code=f"RESTAURANT-{token}",
        name="Restaurant 外滩",
        category=MerchantCategory.MERCHANT_CATEGORY_DINING,
        accepts_stored_value=True,
    )


def _till(stub: Any, token: str, merchant: merchant_pb2.Merchant) -> Till:
    made = call(
        stub.CreateMerchant,
        admin.CreateMerchantRequest(request_id=new_request_id("demo/merchant"), merchant=merchant),
    ).merchant
    outlet = merchant_pb2.Outlet(
        merchant_id=made.merchant_id, name=f"{made.name}, {token}", property_code=PROPERTY
    )
    outlet_id = call(
        stub.CreateOutlet,
        admin.CreateOutletRequest(request_id=new_request_id("demo/outlet"), outlet=outlet),
    ).outlet.outlet_id
    terminal = merchant_pb2.Terminal(outlet_id=outlet_id, name="till 1")
    terminal_id = call(
        stub.CreateTerminal,
        admin.CreateTerminalRequest(request_id=new_request_id("demo/terminal"), terminal=terminal),
    ).terminal.terminal_id
    scopes = [value for value in merchant_pb2.Scope.values() if value]
    key = call(
        stub.CreateApiKey,
        admin.CreateApiKeyRequest(
            request_id=new_request_id("demo/key"), merchant_id=made.merchant_id, scopes=scopes
        ),
    )
    return Till(made.name, till_metadata(key.secret_text, terminal_id))


def _campaign(stub: Any, token: str) -> str:
    code = f"DINNER50-{token}"
    now = datetime.now(UTC)
    valid_from, valid_until = Timestamp(), Timestamp()
    valid_from.FromDatetime(now - timedelta(minutes=1))
    valid_until.FromDatetime(now + timedelta(days=30))
    campaign = campaign_pb2.Campaign(
        code=code,
        name_zh="晚餐立减50元",
        name_en="50 off dinner",
        amount_off=campaign_pb2.AmountOff(amount_minor=COUPON_OFF_FEN),
        conditions=campaign_pb2.CouponConditions(
            valid_from=valid_from,
            valid_until=valid_until,
            minimum_spend_minor=COUPON_FROM_FEN,
            categories=[MerchantCategory.MERCHANT_CATEGORY_DINING],
        ),
        limits=campaign_pb2.CouponLimits(quantity=100, per_member=1),
        currency="CNY",
        funder=campaign_pb2.COUPON_FUNDER_ISSUER,
    )
    call(
        stub.CreateCampaign,
        coupon_service_pb2.CreateCampaignRequest(
            request_id=new_request_id("demo/campaign"), campaign=campaign
        ),
    )
    return code
