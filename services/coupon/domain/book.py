"""The book of one batch: everything its commands may touch, and what they changed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.coupon.domain.campaigns import Campaign, Stock
from services.coupon.domain.checkouts import Checkout, Redemption, RollBackEntry
from services.coupon.domain.coupons import Coupon, Step

CouponKey = tuple[UUID, UUID]
"""(member id, coupon id)."""


@dataclass(slots=True)
class Member:
    """A member's row, locked: the version of the last event and when it happened."""

    member_id: UUID
    version: int
    changed_at: datetime | None
    changed: bool = False

    def next_version(self, now: datetime) -> int:
        """Draw the version of the member's next event."""
        self.version += 1
        self.changed_at = now
        self.changed = True
        return self.version


@dataclass(slots=True)
class Book:
    """State of one batch.

    Holds the locked members, and of what they own that which the batch's commands name. `issued`
    counts the coupons that a member ever got of a campaign. What `put_...` and `add_...` have
    changed is kept by key, for the repository to save.
    """

    members: dict[UUID, Member] = field(default_factory=dict)
    stocks: dict[UUID, Stock] = field(default_factory=dict)
    coupons: dict[CouponKey, Coupon] = field(default_factory=dict)
    checkouts: dict[UUID, Checkout] = field(default_factory=dict)
    issued: dict[tuple[UUID, UUID], int] = field(default_factory=dict)
    new_campaigns: dict[UUID, Stock] = field(default_factory=dict)
    new_coupons: set[CouponKey] = field(default_factory=set)
    changed_coupons: set[CouponKey] = field(default_factory=set)
    new_checkouts: set[UUID] = field(default_factory=set)
    changed_checkouts: set[UUID] = field(default_factory=set)
    redemptions: list[Redemption] = field(default_factory=list)
    roll_backs: list[RollBackEntry] = field(default_factory=list)
    not_before: datetime | None = None
    _ids_by_code: dict[str, UUID] = field(default_factory=dict)

    def hold(self, stocks: Iterable[Stock]) -> None:
        """Take in campaigns as they were read."""
        for stock in stocks:
            self.stocks[stock.campaign.campaign_id] = stock
            self._ids_by_code[stock.campaign.code] = stock.campaign.campaign_id

    def stock_of_code(self, code: str) -> Stock | None:
        campaign_id = self._ids_by_code.get(code)
        return None if campaign_id is None else self.stocks[campaign_id]

    def add_campaign(self, campaign: Campaign) -> None:
        """Add a campaign that nobody else can see yet, so that its counters are ours."""
        stock = Stock(campaign, locked=True)
        self.hold([stock])
        self.new_campaigns[campaign.campaign_id] = stock

    def issue(self, coupon: Coupon) -> None:
        """Add a coupon and count it, for its campaign and for its member."""
        key = (coupon.member_id, coupon.coupon_id)
        self.stocks[coupon.campaign_id].issue()
        self.issued[coupon.member_id, coupon.campaign_id] = coupon.ordinal
        self.coupons[key] = coupon
        self.new_coupons.add(key)

    def move(self, coupon: Coupon, step: Step, checkout_id: UUID | None = None) -> Coupon:
        """Take a coupon one step further and its campaign's counters with it."""
        key = (coupon.member_id, coupon.coupon_id)
        moved = coupon.after(step, checkout_id)
        if step is not Step.EXPIRE:  # an issued coupon that ends was in no counter but `issued`
            self.stocks[coupon.campaign_id].move(coupon.state, moved.state)
        self.coupons[key] = moved
        if key not in self.new_coupons:
            self.changed_coupons.add(key)
        return moved

    def put_checkout(self, checkout: Checkout) -> None:
        """Keep a checkout's new state."""
        key = checkout.checkout_id
        if key not in self.checkouts:
            self.new_checkouts.add(key)
        elif key not in self.new_checkouts:
            self.changed_checkouts.add(key)
        self.checkouts[key] = checkout

    def coupons_of(self, checkout: Checkout) -> list[Coupon]:
        """The checkout's coupons in the order they were used."""
        return [self.coupons[checkout.member_id, each] for each in checkout.coupon_ids]
