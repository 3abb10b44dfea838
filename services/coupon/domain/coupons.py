"""Coupons: one member's rights, and the table of what may become of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from uuid import UUID


class CouponState(Enum):
    """DOMAIN §4: ISSUED ⇄ RESERVED → REDEEMED → ISSUED again by a roll-back, or the end."""

    ISSUED = "ISSUED"
    RESERVED = "RESERVED"
    REDEEMED = "REDEEMED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class Step(Enum):
    """What can happen to a coupon after its issue."""

    RESERVE = "RESERVE"
    REDEEM = "REDEEM"
    CANCEL = "CANCEL"
    ROLL_BACK = "ROLL_BACK"
    EXPIRE = "EXPIRE"


TRANSITIONS: Mapping[tuple[CouponState, Step], CouponState] = {
    (CouponState.ISSUED, Step.RESERVE): CouponState.RESERVED,
    (CouponState.ISSUED, Step.EXPIRE): CouponState.EXPIRED,
    (CouponState.RESERVED, Step.REDEEM): CouponState.REDEEMED,
    (CouponState.RESERVED, Step.CANCEL): CouponState.ISSUED,
    (CouponState.REDEEMED, Step.ROLL_BACK): CouponState.ISSUED,
}
"""All there is: a pair that is missing must never be asked for."""

HELD = frozenset({CouponState.RESERVED, CouponState.REDEEMED})
"""States in which a coupon belongs to a checkout."""


@dataclass(frozen=True, slots=True)
class Coupon:
    """One coupon. `expires_at` is exclusive; `checkout_id` is set exactly in the HELD states.

    `ordinal` counts the member's coupons of the campaign from 1, so that the database can refuse
    two coupons for one place under the per-member limit.
    """

    member_id: UUID
    coupon_id: UUID
    campaign_id: UUID
    ordinal: int
    issued_at: datetime
    expires_at: datetime
    state: CouponState = CouponState.ISSUED
    checkout_id: UUID | None = None

    def due(self, now: datetime) -> bool:
        """True when the coupon has ended but nobody has moved it yet.

        A reserved coupon never falls due: its checkout may still redeem it.
        """
        return self.state is CouponState.ISSUED and now >= self.expires_at

    def state_at(self, now: datetime) -> CouponState:
        """The state as anyone should see it at `now`."""
        return CouponState.EXPIRED if self.due(now) else self.state

    def after(self, step: Step, checkout_id: UUID | None = None) -> "Coupon":
        """The coupon after `step`; KeyError for a step the table doesn't know."""
        state = TRANSITIONS[self.state, step]
        return replace(self, state=state, checkout_id=checkout_id if state in HELD else None)
