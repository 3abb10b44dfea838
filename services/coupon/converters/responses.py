"""What the rules answer, as messages."""

from collections.abc import Callable
from datetime import datetime

from google.protobuf.message import Message
from huitouke.coupon.v1 import campaign_pb2, coupon_pb2, coupon_service_pb2
from huitouke.type.v1.merchant_category_pb2 import MerchantCategory
from huitouke.type.v1.place_pb2 import Place as PlaceMessage

from chassis.kernel import Decision
from services.coupon.converters.requests import CATEGORY_PREFIX, FUNDER_PREFIX
from services.coupon.converters.values import texts, to_stamp
from services.coupon.domain.answers import (
    Answer,
    CampaignMade,
    Cancelled,
    CouponClaimed,
    Redeemed,
    Reserved,
    RolledBack,
)
from services.coupon.domain.baskets import Place
from services.coupon.domain.book import Book
from services.coupon.domain.books import BooksReport
from services.coupon.domain.campaigns import AmountOff, Campaign, Conditions, Funder, Stock
from services.coupon.domain.commands import Command
from services.coupon.domain.coupons import Coupon, CouponState
from services.coupon.domain.deciding import Decided
from services.coupon.domain.discounts import Discount
from services.coupon.domain.events import Event
from services.coupon.domain.stacking import Disqualified

RESPONSES: tuple[type[Message], ...] = (
    coupon_service_pb2.CreateCampaignResponse,
    coupon_service_pb2.ClaimCouponResponse,
    coupon_service_pb2.ReserveResponse,
    coupon_service_pb2.RedeemResponse,
    coupon_service_pb2.CancelReservationResponse,
    coupon_service_pb2.RollBackResponse,
)
"""Every answer of a command, for the codec that remembers them. None holds a secret."""


def answering_in_messages(
    decide: Callable[[Book, Command, datetime], Decided],
) -> Callable[[Book, Command, datetime], Decision[Message, Event]]:
    """Wrap the rules so that what they answer is what will be remembered and sent."""

    def decide_and_convert(book: Book, command: Command, now: datetime) -> Decision[Message, Event]:
        decided = decide(book, command, now)
        assert decided.answer is not None, "no coupon command is a proof that can fail"
        return Decision(to_response(decided.answer), decided.events)

    return decide_and_convert


def to_response(answer: Answer) -> Message:
    match answer:
        case CampaignMade(campaign):
            made = to_campaign(Stock(campaign))
            return coupon_service_pb2.CreateCampaignResponse(campaign=made)
        case CouponClaimed(coupon, campaign):
            claimed = to_coupon(coupon, campaign, coupon.state)
            return coupon_service_pb2.ClaimCouponResponse(coupon=claimed)
        case Reserved(discounts):
            return coupon_service_pb2.ReserveResponse(discounts=map(to_discount, discounts))
        case Redeemed(redeemed_at, coupon_ids):
            return coupon_service_pb2.RedeemResponse(
                redeemed_at=to_stamp(redeemed_at), coupon_ids=texts(coupon_ids)
            )
        case Cancelled(cancelled_at, coupon_ids):
            return coupon_service_pb2.CancelReservationResponse(
                cancelled_at=to_stamp(cancelled_at), coupon_ids=texts(coupon_ids)
            )
        case RolledBack(rolled_back_at, restored, expired):
            return coupon_service_pb2.RollBackResponse(
                rolled_back_at=to_stamp(rolled_back_at),
                restored_coupon_ids=texts(restored),
                expired_coupon_ids=texts(expired),
            )


def to_campaign(stock: Stock) -> campaign_pb2.Campaign:
    campaign = stock.campaign
    message = campaign_pb2.Campaign(
        campaign_id=str(campaign.campaign_id),
        code=campaign.code,
        name_zh=campaign.name_zh,
        name_en=campaign.name_en,
        conditions=_conditions(campaign.conditions),
        limits=campaign_pb2.CouponLimits(
            quantity=campaign.limits.quantity, per_member=campaign.limits.per_member
        ),
        currency=campaign.currency,
        funder=_funder(campaign.funder),
        created_at=to_stamp(campaign.created_at),
        counts=campaign_pb2.CampaignCounts(
            issued=stock.issued, reserved=stock.reserved, redeemed=stock.redeemed
        ),
    )
    _set_benefit(message, campaign)
    return message


def _set_benefit(message: campaign_pb2.Campaign, campaign: Campaign) -> None:
    benefit = campaign.benefit
    if isinstance(benefit, AmountOff):
        message.amount_off.amount_minor = benefit.amount_minor
    else:
        message.percent_off.basis_points = benefit.basis_points
        message.percent_off.ceiling_minor = benefit.ceiling_minor


def _conditions(conditions: Conditions) -> campaign_pb2.CouponConditions:
    categories = sorted(conditions.categories)
    return campaign_pb2.CouponConditions(
        valid_from=to_stamp(conditions.valid_from),
        valid_until=to_stamp(conditions.valid_until),
        valid_days_after_issue=conditions.valid_days_after_issue,
        minimum_spend_minor=conditions.minimum_spend_minor,
        categories=[MerchantCategory.Value(CATEGORY_PREFIX + each) for each in categories],
        merchant_ids=sorted(str(each) for each in conditions.merchant_ids),
        tiers=sorted(conditions.tiers),
        weekdays=sorted(conditions.weekdays),
        exclusive=conditions.exclusive,
        item_codes=sorted(conditions.item_codes),
    )


def to_coupon(coupon: Coupon, campaign: Campaign, state: CouponState) -> coupon_pb2.Coupon:
    """Return the coupon as it is seen in `state`, the one of the time of reading."""
    return coupon_pb2.Coupon(
        coupon_id=str(coupon.coupon_id),
        campaign_id=str(coupon.campaign_id),
        campaign_code=campaign.code,
        member_id=str(coupon.member_id),
        state=coupon_pb2.CouponState.Value(f"COUPON_STATE_{state.value}"),
        issued_at=to_stamp(coupon.issued_at),
        expires_at=to_stamp(coupon.expires_at),
        name_zh=campaign.name_zh,
        name_en=campaign.name_en,
        checkout_id="" if coupon.checkout_id is None else str(coupon.checkout_id),
    )


def to_discount(discount: Discount) -> coupon_pb2.Discount:
    return coupon_pb2.Discount(
        coupon_id=str(discount.coupon_id),
        amount_minor=discount.amount_minor,
        line_amounts_minor=discount.line_amounts_minor,
        funder=_funder(discount.funder),
        campaign_code=discount.campaign_code,
    )


def _funder(funder: Funder) -> campaign_pb2.CouponFunder.ValueType:
    return campaign_pb2.CouponFunder.Value(FUNDER_PREFIX + funder.value)


def to_disqualification(disqualified: Disqualified) -> coupon_pb2.Disqualification:
    return coupon_pb2.Disqualification(
        coupon_id=str(disqualified.coupon_id),
        reason=disqualified.why.reason,
        message=disqualified.why.message,
    )


def to_place(place: Place) -> PlaceMessage:
    return PlaceMessage(
        merchant_id=str(place.merchant_id),
        outlet_id=str(place.outlet_id),
        terminal_id=str(place.terminal_id),
        property_code=place.property_code,
        time_zone=place.time_zone,
    )


def to_books(report: BooksReport) -> coupon_service_pb2.VerifyBooksResponse:
    return coupon_service_pb2.VerifyBooksResponse(
        issued=report.issued,
        redeemed=report.redeemed,
        open_redemptions=report.open_redemptions,
        reserved=report.reserved,
        campaigns_differing=report.campaigns_differing,
        balanced=report.balanced,
    )
