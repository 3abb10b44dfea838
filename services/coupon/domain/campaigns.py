"""Campaigns: the rules of one kind of coupon, and the stock that its limits are counted on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from services.coupon.domain.coupons import CouponState


class Funder(Enum):
    """Who bears a coupon's discount."""

    ISSUER = "ISSUER"
    MERCHANT = "MERCHANT"


@dataclass(frozen=True, slots=True)
class AmountOff:
    """A fixed amount, in minor units, more than 0."""

    amount_minor: int


@dataclass(frozen=True, slots=True)
class PercentOff:
    """A share in basis points (1 to 10,000), at most `ceiling_minor` where that is not 0."""

    basis_points: int
    ceiling_minor: int = 0


Benefit = AmountOff | PercentOff


@dataclass(frozen=True, slots=True)
class Conditions:
    """A conjunction; an empty set, or 0, asks nothing.

    `valid_until` is exclusive. `categories` are the names of merchant categories ("DINING"),
    `weekdays` ISO numbers (1 is Monday), `minimum_spend_minor` minor units of eligible lines.
    """

    valid_from: datetime
    valid_until: datetime
    valid_days_after_issue: int = 0
    minimum_spend_minor: int = 0
    categories: frozenset[str] = frozenset()
    merchant_ids: frozenset[UUID] = frozenset()
    tiers: frozenset[str] = frozenset()
    weekdays: frozenset[int] = frozenset()
    item_codes: frozenset[str] = frozenset()
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits on coupons ever issued: in all and per member; 0 is no limit."""

    quantity: int = 0
    per_member: int = 0


@dataclass(frozen=True, slots=True)
class Campaign:
    """The rules of one kind of coupon; they never change once the campaign exists."""

    campaign_id: UUID
    code: str
    name_zh: str
    name_en: str
    benefit: Benefit
    conditions: Conditions
    limits: Limits
    currency: str
    funder: Funder
    created_at: datetime


_COUNTER: Mapping[CouponState, str] = {
    CouponState.RESERVED: "reserved",
    CouponState.REDEEMED: "redeemed",
}


@dataclass(slots=True)
class Stock:
    """A campaign with its counters: ever issued, reserved now, redeemed now.

    Counters move only while the campaign's row is locked (or the campaign is new in this batch);
    unlocked, they are a view that may lag, in which `issued` can only be too low.
    """

    campaign: Campaign
    issued: int = 0
    reserved: int = 0
    redeemed: int = 0
    locked: bool = False
    changed: bool = False

    @property
    def exhausted(self) -> bool:
        """True when every coupon is issued: final, because issuing is never undone."""
        return 0 < self.campaign.limits.quantity <= self.issued

    def issue(self) -> None:
        """Count one more coupon; the caller has checked that there is one."""
        self._begin_change()
        assert not self.exhausted, "a coupon was issued beyond the campaign's quantity"
        self.issued += 1

    def move(self, before: CouponState, after: CouponState) -> None:
        """Follow one coupon from state to state."""
        self._begin_change()
        for state, step in ((before, -1), (after, 1)):
            if counter := _COUNTER.get(state):
                setattr(self, counter, getattr(self, counter) + step)
        assert min(self.reserved, self.redeemed) >= 0, "more coupons came back than went out"

    def _begin_change(self) -> None:
        assert self.locked, "a campaign's counters may change only while its row is locked"
        self.changed = True
