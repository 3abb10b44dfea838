"""What a purchase earns: the rules of the programme, asked one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from math import ceil, floor
from zoneinfo import ZoneInfo

from huitouke.points.v1 import programme_pb2 as pb
from huitouke.points.v1.purchase_pb2 import Line, Purchase
from huitouke.type.v1.merchant_category_pb2 import MERCHANT_CATEGORY_ROOM

from tests.model.arithmetic import largest_remainder
from tests.model.expressions import EXPRESSIONS
from tests.model.guests import Facts

BASE, BEST_OF, ADD = (
    pb.STACKING_CLASS_BASE,
    pb.STACKING_CLASS_BEST_OF,
    pb.STACKING_CLASS_ADD,
)


@dataclass
class Asked:
    """What rules may know besides the purchase, and which of them failed.

    `room` says how many points a rule may still give in this checkout.
    """

    purchase: Purchase
    first: bool
    room: Callable[[pb.EarningRule], int]
    faults: list[str] = field(default_factory=list)
    verdicts: dict[str, bool] = field(default_factory=dict)

    @property
    def local(self) -> datetime:
        bought = self.purchase.occurred_at.ToDatetime(tzinfo=UTC)
        return bought.astimezone(ZoneInfo(self.purchase.place.time_zone))

    def fits(self, rule: pb.EarningRule) -> bool:
        """Whether what a rule asks of the whole checkout holds; its expression comes last."""
        asked, purchase, member = rule.condition, self.purchase, self.purchase.member
        bought, local = purchase.occurred_at.ToDatetime(tzinfo=UTC), self.local
        place = purchase.place
        return (
            (not asked.tiers or member.tier in asked.tiers)
            and (not asked.tags or any(tag in asked.tags for tag in member.tags))
            and sum(line.amount_minor for line in purchase.lines) >= asked.minimum_spend_minor
            and not (rule.HasField("valid_from") and bought < _instant(rule.valid_from))
            and not (rule.HasField("valid_until") and bought >= _instant(rule.valid_until))
            and (not asked.seasons or purchase.season in asked.seasons)
            and (not asked.first_purchase_only or self.first)
            and (not asked.properties or place.property_code in asked.properties)
            and (not asked.merchants or place.merchant_id in asked.merchants)
            and (not asked.outlets or place.outlet_id in asked.outlets)
            and (not asked.weekdays or local.isoweekday() in asked.weekdays)
            and (not asked.hours or local.hour in asked.hours)
            and (not asked.birth_month_only or member.birth_month == local.month)
            and (not asked.expression or self._holds(rule))
        )

    def _holds(self, rule: pb.EarningRule) -> bool:
        """A condition that fails leaves its rule out, and is told once."""
        if rule.code not in self.verdicts:
            try:
                test = EXPRESSIONS[rule.condition.expression]
                self.verdicts[rule.code] = test(self.purchase, self.local, self.first)
            except ZeroDivisionError:
                self.faults.append(rule.code)
                self.verdicts[rule.code] = False
        return self.verdicts[rule.code]

    def said(self, rule: pb.EarningRule, exact: Fraction, on: int) -> Facts:
        """What a rule gives of an exact number of points: rounded its way, then capped."""
        points = min(rounded(rule, exact), self.room(rule))
        facts: Facts = {"rule_code": rule.code, "points": points, "eligible_minor": on}
        return {**facts, "funder": rule.funder}


def rounded(rule: pb.EarningRule, exact: Fraction) -> int:
    if rule.rounding == pb.ROUNDING_UP:
        return ceil(exact)
    return floor(exact + Fraction(1, 2)) if rule.rounding == pb.ROUNDING_HALF_UP else floor(exact)


def earned(programme: pb.Programme, asked: Asked, not_earning: int) -> list[Facts]:
    """Rule by rule. `not_earning` is what points and gifts pay: it is no money, and earns nothing.

    It is divided over the lines in proportion; what is left of each line is eligible.
    """
    purchase = asked.purchase
    amounts = [line.amount_minor for line in purchase.lines]
    if not_earning == sum(amounts):
        return []
    paid = largest_remainder(not_earning, amounts)
    eligible = [amount - part for amount, part in zip(amounts, paid, strict=True)]
    by_base = _base_rules(programme, asked)
    said = [_base(rule, lines, eligible, asked) for rule, lines in by_base]
    multiplied = [
        _multiplied(rule, asked, by_base, eligible)
        for rule in _of(programme, BEST_OF)
        if asked.fits(rule)
    ]
    if multiplied:
        said.append(max(multiplied, key=lambda facts: facts["points"]))  # the first of equal ones
    for rule in _of(programme, ADD):
        lines = [at for at, line in enumerate(purchase.lines) if _fits_line(rule, purchase, line)]
        on = sum(eligible[at] for at in lines)
        if asked.fits(rule) and on:
            said.append(asked.said(rule, Fraction(rule.fixed_points), on))
    return [facts for facts in said if facts["points"]]


Lines = list[tuple[pb.EarningRule, list[int]]]


def _base_rules(programme: pb.Programme, asked: Asked) -> Lines:
    """Each BASE rule with the lines that it is the first to fit."""
    rules = _of(programme, BASE)
    taken: dict[int, list[int]] = {}
    for at, line in enumerate(asked.purchase.lines):
        for place, rule in enumerate(rules):
            if _fits_line(rule, asked.purchase, line) and asked.fits(rule):
                taken.setdefault(place, []).append(at)
                break
    return [(rules[place], taken[place]) for place in sorted(taken)]


def _base(rule: pb.EarningRule, lines: list[int], eligible: list[int], asked: Asked) -> Facts:
    on = sum(eligible[at] for at in lines)
    return asked.said(rule, Fraction(on, 100) * Fraction(rule.points_per_unit_milli, 1000), on)


def _multiplied(rule: pb.EarningRule, asked: Asked, by_base: Lines, eligible: list[int]) -> Facts:
    """What a multiplier adds to the base of the lines it fits."""
    points = on = 0
    for base, lines in by_base:
        purchase = asked.purchase
        fitting = [at for at in lines if _fits_line(rule, purchase, purchase.lines[at])]
        of_base = _base(base, fitting, eligible, asked)
        points += of_base["points"]
        on += of_base["eligible_minor"]
    more = rounded(rule, points * Fraction(rule.multiplier_milli, 1000)) - points
    return asked.said(rule, Fraction(more), on)


def _of(programme: pb.Programme, stacking_class: int) -> list[pb.EarningRule]:
    return [rule for rule in programme.earning_rules if rule.stacking_class == stacking_class]


def _fits_line(rule: pb.EarningRule, purchase: Purchase, line: Line) -> bool:
    asked = rule.condition
    if asked.categories and line.category not in asked.categories:
        return False
    if line.category != MERCHANT_CATEGORY_ROOM:
        return True
    stay = purchase.stay if purchase.HasField("stay") else None
    asks_of_the_stay = bool(asked.channels or asked.rate_codes)
    if asks_of_the_stay and stay is not None and stay.member_absent and not asked.absent_too:
        return False
    if asked.channels and (stay is None or stay.channel not in asked.channels):
        return False
    return not asked.rate_codes or (stay is not None and stay.rate_code in asked.rate_codes)


def _instant(stamp: object) -> datetime:
    instant: datetime = stamp.ToDatetime(tzinfo=UTC)  # type: ignore[attr-defined]
    return instant
