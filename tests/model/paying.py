"""How a purchase was paid, and how stored value is divided."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import floor

from huitouke.points.v1 import programme_pb2

from tests.model.arithmetic import day_end, months_end
from tests.model.guests import Facts, Gift, Lot


@dataclass
class Checkout:
    """One checkout id for ever: cancelled at an instant, or posted, and perhaps reversed.

    `paid` are the four parts of its bill: worth of points, CASH, BONUS, money. `back` is what of
    each reversals gave back so far; `claimed` the earned points they took back, gift by gift.
    `rules` are those that it was posted by, `day` the property's when it was bought.
    """

    member_id: str
    cancelled_at: datetime | None = None
    answer: Facts = field(default_factory=dict)
    points: int = 0
    paid: list[int] = field(default_factory=list)
    spent: list[tuple[Lot, int]] = field(default_factory=list)
    gifts: list[Gift] = field(default_factory=list)
    clawback: int = 0
    day: str = ""
    rules: dict[str, programme_pb2.EarningRule] = field(default_factory=dict)
    capture: bool = False
    back: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    points_back: int = 0
    claimed: list[int] = field(default_factory=list)
    reversed: bool = False

    @property
    def bill(self) -> int:
        return sum(self.paid)


def gift_part(amount: int, cash: int, bonus: int, spend_order: int) -> int:
    """What of a payment comes out of BONUS; the rest is CASH."""
    if not amount:
        return 0
    if spend_order == programme_pb2.SPEND_ORDER_CASH_FIRST:
        return max(0, amount - cash)
    if spend_order == programme_pb2.SPEND_ORDER_BONUS_FIRST:
        return min(amount, bonus)
    return floor(Fraction(amount * bonus, cash + bonus))


def points_end(
    when: datetime, now: datetime, programme: programme_pb2.Programme, zone: str
) -> datetime | None:
    """N months after earning, at the month's end, or when a fixed day ends; for ever without both.

    Never before the end of the month after now's. Months without activity count from earning on
    until there is activity.
    """
    months = programme.points_expire_after_months + programme.points_expire_after_idle_months
    if programme.points_expire_on:
        ends = day_end(programme.points_expire_on, zone)
    elif months:
        ends = months_end(when, months, zone)
    else:
        return None
    return max(ends, months_end(now, 1, zone))
