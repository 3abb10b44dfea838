"""Whether one coupon may be used on one basket, and if not, the first reason why."""

from datetime import datetime

from chassis.kernel import Refusal
from services.coupon.domain import errors
from services.coupon.domain.baskets import Basket
from services.coupon.domain.campaigns import Campaign
from services.coupon.domain.coupons import Coupon, CouponState
from services.coupon.domain.discounts import is_eligible


def why_unusable(
    coupon: Coupon, campaign: Campaign, basket: Basket, now: datetime
) -> Refusal | None:
    """The first reason why the coupon does not apply, or None.

    Validity is judged by `now`, the server's time, so that no till can go back to a better day;
    the weekday by when the guest buys, because a meal is paid after midnight too.
    """
    return _why_not_held(coupon, campaign, now) or _why_not_fitting(campaign, basket)


def _why_not_held(coupon: Coupon, campaign: Campaign, now: datetime) -> Refusal | None:
    """Why the coupon itself is not free to be used."""
    match coupon.state_at(now):
        case CouponState.RESERVED:
            return errors.coupon_reserved()
        case CouponState.REDEEMED:
            return errors.coupon_redeemed()
        case CouponState.REVOKED:
            return errors.coupon_revoked()
        case CouponState.EXPIRED:
            return errors.coupon_expired(coupon.expires_at)
        case CouponState.ISSUED if now < campaign.conditions.valid_from:
            return errors.coupon_not_valid_yet(campaign.conditions.valid_from)
    return None


def _why_not_fitting(campaign: Campaign, basket: Basket) -> Refusal | None:
    """Why the campaign's conditions don't fit the basket.

    The minimum spend is asked of the eligible lines before any coupon, so that it does not
    depend on the order in which coupons are named.
    """
    asked = campaign.conditions
    if basket.currency != campaign.currency:
        return errors.currency_mismatch(campaign.currency)
    if asked.tiers and basket.tier not in asked.tiers:
        return errors.tier_not_eligible(basket.tier)
    if asked.merchant_ids and basket.place.merchant_id not in asked.merchant_ids:
        return errors.basket_not_eligible("the coupon is not for this merchant")
    if asked.weekdays and basket.iso_weekday() not in asked.weekdays:
        return errors.wrong_weekday(asked.weekdays)
    eligible = [line.amount_minor for line in basket.lines if is_eligible(asked, line)]
    if not eligible:
        return errors.basket_not_eligible("no line is of the coupon's categories or items")
    if sum(eligible) < asked.minimum_spend_minor:
        return errors.minimum_spend(asked.minimum_spend_minor)
    return None
