"""What pays a bill: the worth of points, the two parts of stored value, and their limits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import gcd
from typing import NamedTuple

from services.points.domain import errors
from services.points.domain.accounts import Member
from services.points.domain.assets import Category
from services.points.domain.pins import Hold, parts_to_capture
from services.points.domain.programme import (
    BASIS_POINTS,
    MINOR_PER_UNIT,
    Redemption,
    SpendOrder,
)
from services.points.domain.purchases import Line, Purchase

REDEEM_FIELD = "purchase.redeem_points"


class Tenders(NamedTuple):
    """What pays a bill besides money, and what is left `to_pay_minor` in money; fen."""

    points: int
    points_value_minor: int
    cash_minor: int
    bonus_minor: int
    to_pay_minor: int


def plan_tenders(
    member: Member,
    purchase: Purchase,
    redemption: Redemption,
    spend_order: SpendOrder,
    now: datetime,
    hold: Hold | None = None,
) -> Tenders:
    """Check what is tendered against the bill, the programme and the accounts; changes nothing.

    With a `hold` all that is tendered comes out of it, else out of what is free at `now`. Refuses
    TENDER_EXCEEDS_BILL, REDEMPTION_SHARE, INSUFFICIENT_POINTS, INSUFFICIENT_STORED_VALUE,
    CAPTURE_EXCEEDS_HOLD, INVALID_FIELD.
    """
    bill = purchase.bill_minor
    points, pay = purchase.redeem_points, purchase.pay_stored_value_minor
    if not points and not pay:
        return Tenders(0, 0, 0, 0, bill)
    value = points_value(points, redemption)
    if value + pay > bill:
        raise errors.tender_exceeds_bill(bill, value + pay)
    if points:
        _check_share(points, value, purchase.lines, redemption)
    if hold is not None:
        held = parts_to_capture(hold, points, pay)
        return Tenders(points, value, held.cash_minor, held.bonus_minor, bill - value - pay)
    if points:
        available = member.points.available(now)
        if points > available:
            raise errors.insufficient_points(available)
    cash = member.cash.available(now)
    bonus = member.bonus.available(now)
    if pay > cash + bonus:
        raise errors.insufficient_stored_value(cash + bonus)
    from_cash, from_bonus = split_stored_value(pay, cash, bonus, spend_order)
    return Tenders(points, value, from_cash, from_bonus, bill - value - pay)


def points_value(points: int, redemption: Redemption) -> int:
    """What `points` are worth in fen; refuses a number that isn't worth whole fen."""
    value, rest = divmod(points * MINOR_PER_UNIT, redemption.points_per_unit)
    if rest:
        step = _step(redemption.points_per_unit)
        raise errors.invalid_field(
            REDEEM_FIELD, f"must be a multiple of {step} to be worth whole minor units"
        )
    return value


def split_stored_value(
    amount: int, cash: int, bonus: int, spend_order: SpendOrder
) -> tuple[int, int]:
    """Divide `amount` into (CASH, BONUS) of what both hold, which covers it.

    PROPORTIONAL takes BONUS's share rounded down, so the odd fen comes from CASH; neither part is
    ever more than there is.
    """
    if not amount:
        return 0, 0
    if spend_order is SpendOrder.PROPORTIONAL:
        from_bonus = amount * bonus // (cash + bonus)
    elif spend_order is SpendOrder.CASH_FIRST:
        from_bonus = max(0, amount - cash)
    else:
        from_bonus = min(amount, bonus)
    return amount - from_bonus, from_bonus


def _check_share(points: int, value: int, lines: Sequence[Line], redemption: Redemption) -> None:
    """Refuse fewer points than the minimum, or more than the categories' shares allow together."""
    if points < redemption.minimum_points:
        raise errors.redemption_share(
            f"at least {redemption.minimum_points} points are redeemed at once",
            minimum_points=redemption.minimum_points,
        )
    if not redemption.maximum_shares:
        return
    allowed = _allowed_value(lines, redemption)
    if value > allowed:
        raise errors.redemption_share(
            f"points may pay {allowed} of this bill at most", maximum_value_minor=allowed
        )


def _allowed_value(lines: Sequence[Line], redemption: Redemption) -> int:
    """What points may pay: for each category its amount times its share, rounded down."""
    amounts: dict[Category, int] = {}
    for line in lines:
        amounts[line.category] = amounts.get(line.category, 0) + line.amount_minor
    shares = dict(redemption.maximum_shares)
    return sum(
        amount * shares.get(category, BASIS_POINTS) // BASIS_POINTS
        for category, amount in amounts.items()
    )


def _step(points_per_unit: int) -> int:
    """The fewest points that are worth whole fen; every other such number is a multiple of it."""
    return points_per_unit // gcd(points_per_unit, MINOR_PER_UNIT)
