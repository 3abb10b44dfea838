"""Using several coupons on one basket: the one path that Qualify and Reserve share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from chassis.kernel import Refusal
from services.coupon.domain import errors
from services.coupon.domain.baskets import Basket
from services.coupon.domain.campaigns import Campaign
from services.coupon.domain.conditions import why_unusable
from services.coupon.domain.coupons import Coupon
from services.coupon.domain.discounts import Discount, discount


@dataclass(frozen=True, slots=True)
class Candidate:
    """A coupon somebody wants to use; `held` is None where the member has no such coupon."""

    coupon_id: UUID
    held: tuple[Coupon, Campaign] | None


@dataclass(frozen=True, slots=True)
class Disqualified:
    """A coupon that does not apply, and why."""

    coupon_id: UUID
    why: Refusal


@dataclass(slots=True)
class Combination:
    """What coupons take off together, in the order named, and which don't apply."""

    left_minor: list[int]
    discounts: list[Discount] = field(default_factory=list)
    disqualified: list[Disqualified] = field(default_factory=list)
    exclusive: bool = False

    def use(self, off: Discount, *, exclusive: bool) -> None:
        """Let a coupon take its discount off what is left."""
        taken = zip(self.left_minor, off.line_amounts_minor, strict=True)
        self.left_minor = [left - amount for left, amount in taken]
        self.discounts.append(off)
        self.exclusive = exclusive


def combine(
    candidates: Sequence[Candidate], basket: Basket, now: datetime, *, coupons_max: int
) -> Combination:
    """Use coupons one after the other, each on what the former ones left of its lines.

    A coupon that does not apply, or not beside those before it, is disqualified and takes
    nothing off. An exclusive coupon goes alone: beside it whoever comes second is disqualified.
    """
    combination = Combination([line.amount_minor for line in basket.lines])
    for candidate in candidates:
        why = _consider(combination, candidate, basket, now, coupons_max)
        if why is not None:
            combination.disqualified.append(Disqualified(candidate.coupon_id, why))
    return combination


def _consider(
    combination: Combination,
    candidate: Candidate,
    basket: Basket,
    now: datetime,
    coupons_max: int,
) -> Refusal | None:
    """Use the candidate, or return why it can't be used."""
    if candidate.held is None:
        return errors.coupon_not_found()
    coupon, campaign = candidate.held
    exclusive = campaign.conditions.exclusive
    why = why_unusable(coupon, campaign, basket, now) or _why_not_beside(
        combination, coupons_max, exclusive=exclusive
    )
    if why is not None:
        return why
    off = discount(coupon.coupon_id, campaign, basket.lines, combination.left_minor)
    if not off.amount_minor:
        return _nothing_off(combination)
    combination.use(off, exclusive=exclusive)
    return None


def _why_not_beside(
    combination: Combination, coupons_max: int, *, exclusive: bool
) -> Refusal | None:
    """Why another coupon may not be used beside those already used."""
    if not combination.discounts:
        return None
    if combination.exclusive or exclusive:
        return errors.not_stackable("an exclusive coupon is used alone", rule="EXCLUSIVE")
    if len(combination.discounts) >= coupons_max:
        return errors.not_stackable(
            f"a checkout takes {coupons_max} coupons at most",
            rule="COUPONS_PER_CHECKOUT",
            limit=str(coupons_max),
        )
    return None


def _nothing_off(combination: Combination) -> Refusal:
    """A coupon that would take nothing off must not be spent on it."""
    if combination.discounts:
        return errors.not_stackable("the coupons before it leave nothing to take off", rule="EMPTY")
    return errors.basket_not_eligible("the coupon's share of these lines rounds to nothing")
