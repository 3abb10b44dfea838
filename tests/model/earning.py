"""What a purchase earns: the rules of the programme, asked one after the other."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from math import floor
from zoneinfo import ZoneInfo

from huitouke.points.v1 import programme_pb2 as pb
from huitouke.points.v1.purchase_pb2 import Line, Purchase
from huitouke.type.v1.merchant_category_pb2 import MERCHANT_CATEGORY_ROOM

from tests.model.arithmetic import largest_remainder
from tests.model.guests import Facts

BASE, BEST_OF, ADD = (
    pb.STACKING_CLASS_BASE,
    pb.STACKING_CLASS_BEST_OF,
    pb.STACKING_CLASS_ADD,
)


def earned(programme: pb.Programme, purchase: Purchase, not_earning: int) -> list[Facts]:
    """Rule by rule. `not_earning` is what points and gifts pay: it is no money, and earns nothing.

    It is divided over the lines in proportion; what is left of each line is eligible.
    """
    amounts = [line.amount_minor for line in purchase.lines]
    if not_earning == sum(amounts):
        return []
    paid = largest_remainder(not_earning, amounts)
    eligible = [amount - part for amount, part in zip(amounts, paid, strict=True)]
    by_base = _base_rules(programme, purchase)
    said = [_base(rule, lines, eligible) for rule, lines in by_base]
    multiplied = [
        _multiplied(rule, purchase, by_base, eligible)
        for rule in _of(programme, BEST_OF)
        if _fits_checkout(rule, purchase)
    ]
    if multiplied:
        said.append(max(multiplied, key=lambda facts: facts["points"]))  # the first of equal ones
    for rule in _of(programme, ADD):
        lines = [at for at, line in enumerate(purchase.lines) if _fits_line(rule, purchase, line)]
        on = sum(eligible[at] for at in lines)
        if on and _fits_checkout(rule, purchase):
            said.append(_said(rule, rule.fixed_points, on))
    return [facts for facts in said if facts["points"]]


Lines = list[tuple[pb.EarningRule, list[int]]]


def _base_rules(programme: pb.Programme, purchase: Purchase) -> Lines:
    """Each BASE rule with the lines that it is the first to fit."""
    rules = _of(programme, BASE)
    taken: dict[int, list[int]] = {}
    for at, line in enumerate(purchase.lines):
        for place, rule in enumerate(rules):
            if _fits_line(rule, purchase, line) and _fits_checkout(rule, purchase):
                taken.setdefault(place, []).append(at)
                break
    return [(rules[place], taken[place]) for place in sorted(taken)]


def _base(rule: pb.EarningRule, lines: list[int], eligible: list[int]) -> Facts:
    on = sum(eligible[at] for at in lines)
    return _said(rule, floor(Fraction(on, 100) * Fraction(rule.points_per_unit_milli, 1000)), on)


def _multiplied(
    rule: pb.EarningRule, purchase: Purchase, by_base: Lines, eligible: list[int]
) -> Facts:
    """What a multiplier adds to the base of the lines it fits."""
    points = on = 0
    for base, lines in by_base:
        fitting = [at for at in lines if _fits_line(rule, purchase, purchase.lines[at])]
        of_base = _base(base, fitting, eligible)
        points += of_base["points"]
        on += of_base["eligible_minor"]
    return _said(rule, floor(points * Fraction(rule.multiplier_milli, 1000)) - points, on)


def _said(rule: pb.EarningRule, points: int, on: int) -> Facts:
    return {"rule_code": rule.code, "points": points, "eligible_minor": on, "funder": rule.funder}


def _of(programme: pb.Programme, stacking_class: int) -> list[pb.EarningRule]:
    return [rule for rule in programme.earning_rules if rule.stacking_class == stacking_class]


def _fits_line(rule: pb.EarningRule, purchase: Purchase, line: Line) -> bool:
    asked = rule.condition
    if asked.categories and line.category not in asked.categories:
        return False
    if asked.channels and line.category == MERCHANT_CATEGORY_ROOM:
        return purchase.HasField("stay") and purchase.stay.channel in asked.channels
    return True


def _fits_checkout(rule: pb.EarningRule, purchase: Purchase) -> bool:
    asked, member = rule.condition, purchase.member
    local = _local(purchase)
    return (
        (not asked.tiers or member.tier in asked.tiers)
        and (not asked.tags or any(tag in asked.tags for tag in member.tags))
        and (not asked.weekdays or local.isoweekday() in asked.weekdays)
        and (not asked.birth_month_only or member.birth_month == local.month)
        and sum(line.amount_minor for line in purchase.lines) >= asked.minimum_spend_minor
    )


def _local(purchase: Purchase) -> datetime:
    bought = purchase.occurred_at.ToDatetime(tzinfo=UTC)
    return bought.astimezone(ZoneInfo(purchase.place.time_zone))
