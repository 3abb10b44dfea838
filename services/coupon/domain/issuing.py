"""Making campaigns and giving their coupons to members, within hard limits."""

from datetime import datetime

from chassis.kernel import Decision
from services.coupon.domain import errors
from services.coupon.domain.answers import CampaignMade, CouponClaimed
from services.coupon.domain.book import Book
from services.coupon.domain.campaigns import Campaign, Stock
from services.coupon.domain.commands import ClaimCoupon, CreateCampaign
from services.coupon.domain.coupons import Coupon
from services.coupon.domain.events import CampaignCreated, CouponIssued
from services.coupon.domain.validity import end_of_coupon


def create_campaign(
    book: Book, command: CreateCampaign, now: datetime
) -> Decision[CampaignMade, CampaignCreated]:
    """Make the campaign; raises CAMPAIGN_EXISTS where its code is taken."""
    if command.conditions.valid_from >= command.conditions.valid_until:
        field = "campaign.conditions.valid_until"
        raise errors.invalid_field(field, "must be after valid_from")
    if book.stock_of_code(command.code) is not None:
        raise errors.campaign_exists(command.code)
    campaign = Campaign(
        campaign_id=command.campaign_id,
        code=command.code,
        name_zh=command.name_zh,
        name_en=command.name_en,
        benefit=command.benefit,
        conditions=command.conditions,
        limits=command.limits,
        currency=command.currency,
        funder=command.funder,
        created_at=now,
    )
    book.add_campaign(campaign)
    return Decision(CampaignMade(campaign), (CampaignCreated(campaign, version=1),))


def claim_coupon(
    book: Book, command: ClaimCoupon, now: datetime
) -> Decision[CouponClaimed, CouponIssued]:
    """Issue one coupon; raises the first of the campaign's rules that is against it.

    A claim is judged by what lasts longest: the campaign's window, the member's tier, the
    member's limit, and only then whether any coupon is left.
    """
    stock = book.stock_of_code(command.campaign_code)
    if stock is None:
        raise errors.campaign_not_found()
    campaign = stock.campaign
    place = (command.member_id, campaign.campaign_id)
    ordinal = book.issued.get(place, 0) + 1
    _check_claim(stock, command, ordinal, now)
    coupon = Coupon(
        member_id=command.member_id,
        coupon_id=command.coupon_id,
        campaign_id=campaign.campaign_id,
        ordinal=ordinal,
        issued_at=now,
        expires_at=end_of_coupon(campaign.conditions, now, command.zone),
    )
    book.issue(coupon)
    version = book.members[command.member_id].next_version(now)
    return Decision(
        CouponClaimed(coupon, campaign),
        (CouponIssued(command.member_id, version, coupon, campaign),),
    )


def _check_claim(stock: Stock, command: ClaimCoupon, ordinal: int, now: datetime) -> None:
    conditions, limits = stock.campaign.conditions, stock.campaign.limits
    if not conditions.valid_from <= now < conditions.valid_until:
        raise errors.campaign_not_valid(conditions.valid_from, conditions.valid_until)
    if conditions.tiers and command.tier not in conditions.tiers:
        raise errors.tier_not_eligible(command.tier)
    if 0 < limits.per_member < ordinal:
        raise errors.member_limit(limits.per_member)
    if stock.exhausted:
        raise errors.quantity_exhausted()
