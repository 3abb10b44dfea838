"""Requests as commands; ids that the service makes are drawn here, outside the rules."""

from uuid import UUID

from huitouke.coupon.v1 import campaign_pb2, coupon_pb2, coupon_service_pb2
from huitouke.type.v1.merchant_category_pb2 import MerchantCategory

from chassis.identifiers import new_id
from services.coupon.converters.values import to_instant, to_local_instant, to_zone
from services.coupon.domain.baskets import Basket, Line, Place
from services.coupon.domain.campaigns import (
    AmountOff,
    Benefit,
    Conditions,
    Funder,
    Limits,
    PercentOff,
)
from services.coupon.domain.commands import (
    CancelReservation,
    ClaimCoupon,
    Command,
    CreateCampaign,
    ExpectedDiscount,
    Redeem,
    Reserve,
    RollBack,
)

WriteRequest = (
    coupon_service_pb2.CreateCampaignRequest
    | coupon_service_pb2.ClaimCouponRequest
    | coupon_service_pb2.ReserveRequest
    | coupon_service_pb2.RedeemRequest
    | coupon_service_pb2.CancelReservationRequest
    | coupon_service_pb2.RollBackRequest
)

CATEGORY_PREFIX = "MERCHANT_CATEGORY_"
FUNDER_PREFIX = "COUPON_FUNDER_"


def to_command(request: WriteRequest) -> Command:
    """Return the command of a request that keeps its field rules.

    Raises Refusal INVALID_FIELD for what those rules can't say: a time zone that doesn't exist,
    an instant outside of time.
    """
    match request:
        case coupon_service_pb2.CreateCampaignRequest():
            return _create_campaign(request.campaign)
        case coupon_service_pb2.ClaimCouponRequest():
            return _claim(request)
        case coupon_service_pb2.ReserveRequest():
            return _reserve(request)
        case coupon_service_pb2.RedeemRequest():
            return Redeem(UUID(request.member_id), UUID(request.checkout_id))
        case coupon_service_pb2.CancelReservationRequest():
            return CancelReservation(UUID(request.member_id), UUID(request.checkout_id))
        case coupon_service_pb2.RollBackRequest():
            refund_id = UUID(request.refund_id)
            return RollBack(UUID(request.member_id), UUID(request.checkout_id), refund_id)


def to_basket(basket: coupon_pb2.Basket) -> Basket:
    place = basket.place
    zone = to_zone(place.time_zone, "basket.place.time_zone")
    return Basket(
        lines=tuple(_line(line) for line in basket.lines),
        currency=basket.currency,
        place=Place(
            merchant_id=UUID(place.merchant_id),
            outlet_id=UUID(place.outlet_id),
            terminal_id=UUID(place.terminal_id),
            property_code=place.property_code,
            time_zone=place.time_zone,
        ),
        zone=zone,
        tier=basket.tier,
        occurred_at=to_local_instant(basket.occurred_at, zone, "basket.occurred_at"),
    )


def _line(line: coupon_pb2.BasketLine) -> Line:
    return Line(_category(line.category), line.item_code, line.amount_minor)


def _category(category: MerchantCategory.ValueType) -> str:
    return MerchantCategory.Name(category).removeprefix(CATEGORY_PREFIX)


def _create_campaign(campaign: campaign_pb2.Campaign) -> CreateCampaign:
    funder = campaign_pb2.CouponFunder.Name(campaign.funder)
    return CreateCampaign(
        campaign_id=new_id(),
        code=campaign.code,
        name_zh=campaign.name_zh,
        name_en=campaign.name_en,
        benefit=_benefit(campaign),
        conditions=_conditions(campaign.conditions),
        limits=Limits(campaign.limits.quantity, campaign.limits.per_member),
        currency=campaign.currency,
        funder=Funder(funder.removeprefix(FUNDER_PREFIX)),
    )


def _benefit(campaign: campaign_pb2.Campaign) -> Benefit:
    if campaign.WhichOneof("benefit") == "amount_off":
        return AmountOff(campaign.amount_off.amount_minor)
    return PercentOff(campaign.percent_off.basis_points, campaign.percent_off.ceiling_minor)


def _conditions(conditions: campaign_pb2.CouponConditions) -> Conditions:
    path = "campaign.conditions"
    return Conditions(
        valid_from=to_instant(conditions.valid_from, f"{path}.valid_from"),
        valid_until=to_instant(conditions.valid_until, f"{path}.valid_until"),
        valid_days_after_issue=conditions.valid_days_after_issue,
        minimum_spend_minor=conditions.minimum_spend_minor,
        categories=frozenset(_category(each) for each in conditions.categories),
        merchant_ids=frozenset(UUID(each) for each in conditions.merchant_ids),
        tiers=frozenset(conditions.tiers),
        weekdays=frozenset(conditions.weekdays),
        item_codes=frozenset(conditions.item_codes),
        exclusive=conditions.exclusive,
    )


def _claim(request: coupon_service_pb2.ClaimCouponRequest) -> ClaimCoupon:
    return ClaimCoupon(
        member_id=UUID(request.member_id),
        coupon_id=new_id(),
        campaign_code=request.campaign_code,
        tier=request.tier,
        zone=to_zone(request.time_zone, "time_zone"),
    )


def _reserve(request: coupon_service_pb2.ReserveRequest) -> Reserve:
    return Reserve(
        member_id=UUID(request.member_id),
        checkout_id=UUID(request.checkout_id),
        basket=to_basket(request.basket),
        expected=tuple(
            ExpectedDiscount(
                UUID(each.coupon_id), each.amount_minor, tuple(each.line_amounts_minor)
            )
            for each in request.discounts
        ),
    )
