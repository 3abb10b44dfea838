"""What one checkout did with coupons: the record that makes each of its steps happen once."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from uuid import UUID

from services.coupon.domain.baskets import Place
from services.coupon.domain.discounts import Discount


class CheckoutState(Enum):
    """RESERVED → REDEEMED → ROLLED_BACK, or CANCELLED: from RESERVED, or before anything came."""

    RESERVED = "RESERVED"
    REDEEMED = "REDEEMED"
    CANCELLED = "CANCELLED"
    ROLLED_BACK = "ROLLED_BACK"


@dataclass(frozen=True, slots=True)
class Checkout:
    """One checkout's coupons, for ever.

    A cancellation that came before any reservation leaves a tombstone: CANCELLED, without place,
    currency, discounts and `reserved_at`. Each `..._at` is set once its step has happened.
    """

    checkout_id: UUID
    member_id: UUID
    state: CheckoutState
    discounts: tuple[Discount, ...] = ()
    currency: str = ""
    place: Place | None = None
    reserved_at: datetime | None = None
    redeemed_at: datetime | None = None
    cancelled_at: datetime | None = None
    rolled_back_at: datetime | None = None
    expired_coupon_ids: tuple[UUID, ...] = ()

    @property
    def coupon_ids(self) -> tuple[UUID, ...]:
        """The coupons in the order they were used."""
        return tuple(discount.coupon_id for discount in self.discounts)

    @property
    def restored_coupon_ids(self) -> tuple[UUID, ...]:
        """The coupons that a roll-back made usable again."""
        return tuple(each for each in self.coupon_ids if each not in self.expired_coupon_ids)

    def redeemed(self, now: datetime) -> "Checkout":
        assert self.state is CheckoutState.RESERVED
        return replace(self, state=CheckoutState.REDEEMED, redeemed_at=now)

    def cancelled(self, now: datetime) -> "Checkout":
        assert self.state is CheckoutState.RESERVED
        return replace(self, state=CheckoutState.CANCELLED, cancelled_at=now)

    def rolled_back(self, now: datetime, expired: tuple[UUID, ...]) -> "Checkout":
        assert self.state is CheckoutState.REDEEMED
        return replace(
            self,
            state=CheckoutState.ROLLED_BACK,
            rolled_back_at=now,
            expired_coupon_ids=expired,
        )


def tombstone(checkout_id: UUID, member_id: UUID, now: datetime) -> Checkout:
    """The fence for a checkout that was cancelled before anything was reserved for it."""
    return Checkout(checkout_id, member_id, CheckoutState.CANCELLED, cancelled_at=now)


@dataclass(frozen=True, slots=True)
class Redemption:
    """The immutable fact that a checkout used a coupon: what it cost, whom and where."""

    member_id: UUID
    coupon_id: UUID
    checkout_id: UUID
    campaign_id: UUID
    amount_minor: int
    currency: str
    funder: str
    merchant_id: UUID
    redeemed_at: datetime


@dataclass(frozen=True, slots=True)
class RollBackEntry:
    """The immutable fact that a redemption was undone; `restored` unless the coupon had ended."""

    member_id: UUID
    coupon_id: UUID
    checkout_id: UUID
    refund_id: UUID
    restored: bool
    rolled_back_at: datetime
