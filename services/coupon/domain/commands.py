"""What may be asked of the coupon service; ids that it makes are drawn before the command."""

from dataclasses import dataclass
from datetime import tzinfo
from uuid import UUID

from services.coupon.domain.baskets import Basket
from services.coupon.domain.campaigns import Benefit, Conditions, Funder, Limits


@dataclass(frozen=True, slots=True)
class CreateCampaign:
    """Make a campaign whose code nobody has."""

    campaign_id: UUID
    code: str
    name_zh: str
    name_en: str
    benefit: Benefit
    conditions: Conditions
    limits: Limits
    currency: str
    funder: Funder


@dataclass(frozen=True, slots=True)
class ClaimCoupon:
    """Issue one coupon of the campaign to the member; its last day ends in `zone`."""

    member_id: UUID
    coupon_id: UUID
    campaign_code: str
    tier: str
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class ExpectedDiscount:
    """What the caller was told a coupon takes off; an empty split is not compared."""

    coupon_id: UUID
    amount_minor: int
    line_amounts_minor: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reserve:
    """Set coupons aside for a checkout, in the order they are used: all or none."""

    member_id: UUID
    checkout_id: UUID
    basket: Basket
    expected: tuple[ExpectedDiscount, ...]


@dataclass(frozen=True, slots=True)
class Redeem:
    """Use what the checkout reserved."""

    member_id: UUID
    checkout_id: UUID


@dataclass(frozen=True, slots=True)
class CancelReservation:
    """Give back what the checkout reserved, and fence it."""

    member_id: UUID
    checkout_id: UUID


@dataclass(frozen=True, slots=True)
class RollBack:
    """Restore the coupons that the checkout redeemed."""

    member_id: UUID
    checkout_id: UUID
    refund_id: UUID


CheckoutCommand = Reserve | Redeem | CancelReservation | RollBack
MemberCommand = ClaimCoupon | CheckoutCommand
Command = CreateCampaign | MemberCommand
