"""What has happened: one event per fact, `version` gap-free per key (member or campaign)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.coupon.domain.baskets import Place
from services.coupon.domain.campaigns import Campaign
from services.coupon.domain.coupons import Coupon
from services.coupon.domain.discounts import Discount


@dataclass(frozen=True, slots=True)
class CampaignCreated:
    """A campaign exists; keyed by its id, of which this is the first event."""

    campaign: Campaign
    version: int


@dataclass(frozen=True, slots=True)
class CouponIssued:
    """A member has a new coupon."""

    member_id: UUID
    version: int
    coupon: Coupon
    campaign: Campaign


@dataclass(frozen=True, slots=True)
class CouponsReserved:
    """Coupons were set aside for a checkout."""

    member_id: UUID
    version: int
    checkout_id: UUID
    coupon_ids: tuple[UUID, ...]
    reserved_at: datetime


@dataclass(frozen=True, slots=True)
class CouponReservationCancelled:
    """What was set aside was given back; a fence before any reservation is no event."""

    member_id: UUID
    version: int
    checkout_id: UUID
    coupon_ids: tuple[UUID, ...]
    cancelled_at: datetime


@dataclass(frozen=True, slots=True)
class CouponsRedeemed:
    """A checkout used coupons."""

    member_id: UUID
    version: int
    checkout_id: UUID
    discounts: tuple[Discount, ...]
    currency: str
    place: Place
    redeemed_at: datetime


@dataclass(frozen=True, slots=True)
class CouponsRolledBack:
    """A refund restored coupons, or found them ended."""

    member_id: UUID
    version: int
    checkout_id: UUID
    refund_id: UUID
    restored_coupon_ids: tuple[UUID, ...]
    expired_coupon_ids: tuple[UUID, ...]
    rolled_back_at: datetime


MemberEvent = (
    CouponIssued
    | CouponsReserved
    | CouponReservationCancelled
    | CouponsRedeemed
    | CouponsRolledBack
)
Event = CampaignCreated | MemberEvent
