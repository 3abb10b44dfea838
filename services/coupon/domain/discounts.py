"""What one coupon takes off what is left of a basket."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.coupon.domain.allocation import allocate
from services.coupon.domain.baskets import Line
from services.coupon.domain.campaigns import AmountOff, Benefit, Campaign, Conditions, Funder

WHOLE_BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Discount:
    """What a coupon takes off, in minor units: in all, and per basket line in the same order."""

    coupon_id: UUID
    campaign_id: UUID
    campaign_code: str
    funder: Funder
    amount_minor: int
    line_amounts_minor: tuple[int, ...]


def is_eligible(conditions: Conditions, line: Line) -> bool:
    """True when the coupon may take something off this line: its category and item code fit."""
    return (not conditions.categories or line.category in conditions.categories) and (
        not conditions.item_codes or line.item_code in conditions.item_codes
    )


def amount_off(benefit: Benefit, eligible_minor: int) -> int:
    """What `benefit` takes off eligible lines worth `eligible_minor`: never more than that.

    A share is rounded half up to the minor unit, then held under its ceiling.
    """
    if isinstance(benefit, AmountOff):
        return min(benefit.amount_minor, eligible_minor)
    half = WHOLE_BASIS_POINTS // 2
    share = (eligible_minor * benefit.basis_points + half) // WHOLE_BASIS_POINTS
    return min(share, benefit.ceiling_minor) if benefit.ceiling_minor else share


def discount(
    coupon_id: UUID, campaign: Campaign, lines: Sequence[Line], left_minor: Sequence[int]
) -> Discount:
    """What the coupon takes off lines of which `left_minor` is left after former coupons.

    Its amount is split over the eligible lines in proportion to what is left of each.
    """
    conditions = campaign.conditions
    weights = [
        left if is_eligible(conditions, line) else 0
        for line, left in zip(lines, left_minor, strict=True)
    ]
    amount = amount_off(campaign.benefit, sum(weights))
    return Discount(
        coupon_id=coupon_id,
        campaign_id=campaign.campaign_id,
        campaign_code=campaign.code,
        funder=campaign.funder,
        amount_minor=amount,
        line_amounts_minor=allocate(amount, weights),
    )
