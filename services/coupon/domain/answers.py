"""What commands are answered with."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.coupon.domain.campaigns import Campaign
from services.coupon.domain.coupons import Coupon
from services.coupon.domain.discounts import Discount


@dataclass(frozen=True, slots=True)
class CampaignMade:
    """The campaign; nothing of it is issued yet."""

    campaign: Campaign


@dataclass(frozen=True, slots=True)
class CouponClaimed:
    """The coupon and the campaign it is of."""

    coupon: Coupon
    campaign: Campaign


@dataclass(frozen=True, slots=True)
class Reserved:
    """What each coupon takes off, in the order they are used."""

    discounts: tuple[Discount, ...]


@dataclass(frozen=True, slots=True)
class Redeemed:
    """When the coupons were used, however often that is asked."""

    redeemed_at: datetime
    coupon_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """When the checkout was fenced, and what was given back then."""

    cancelled_at: datetime
    coupon_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class RolledBack:
    """When the redemption was undone, and what became of each coupon then."""

    rolled_back_at: datetime
    restored_coupon_ids: tuple[UUID, ...]
    expired_coupon_ids: tuple[UUID, ...]


Answer = CampaignMade | CouponClaimed | Reserved | Redeemed | Cancelled | RolledBack
