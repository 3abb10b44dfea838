"""Earning: which rules give how many points for a purchase.

Points are earned on what is paid in money or CASH. What points and BONUS pay is first divided over
the lines in proportion to their amounts, by largest remainder; the rest of each line is eligible.

Rounding: each BASE rule gives floor(eligible fen of its lines x thousandths / 100,000), computed
once on the sum of its lines. A BEST_OF rule gives floor(base x thousandths / 1000) - base, where
base is what the BASE rules give for the lines that the BEST_OF rule's condition matches. Nothing
is rounded up anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from services.points.domain.assets import Category, Funder
from services.points.domain.programme import (
    MINOR_PER_UNIT,
    Condition,
    EarningRule,
    RuleBook,
)
from services.points.domain.purchases import Line, Purchase
from services.points.domain.shares import allocate

THOUSAND = 1000
_BASE_DIVISOR = MINOR_PER_UNIT * THOUSAND


class EarnedBy(NamedTuple):
    """What one rule gave: points, the eligible fen it was computed on, and who funds them."""

    rule: str
    points: int
    eligible_minor: int
    funder: Funder


class _BaseShare(NamedTuple):
    """A BASE rule with the indexes of the lines it is the first to match."""

    rule: EarningRule
    lines: list[int]


def earned_points(rules: RuleBook, purchase: Purchase, not_earning_minor: int) -> list[EarnedBy]:
    """The rules that give points for `purchase`, in the programme's order by class.

    `not_earning_minor` is what points and BONUS pay of the bill. BASE rules come first, then the
    BEST_OF rule that gives most (the earlier of equal ones), then each ADD rule that matches and
    has something eligible among its lines.
    """
    if not_earning_minor == purchase.bill_minor:
        return []
    eligible = _eligible(purchase.lines, not_earning_minor)
    shares = _base_shares(rules, purchase)
    earned = [_base(share.rule, share.lines, eligible) for share in shares]
    best = _best_of(rules, purchase, shares, earned, eligible)
    if best is not None:
        earned.append(best)
    for rule in rules.adding:
        if _checkout_matches(rule.condition, purchase):
            on = sum(eligible[at] for at in _matching_lines(rule.condition, purchase))
            earned.append(EarnedBy(rule.code, rule.effect if on else 0, on, rule.funder))
    return [by for by in earned if by.points]


def _eligible(lines: Sequence[Line], not_earning_minor: int) -> list[int]:
    amounts = [line.amount_minor for line in lines]
    if not not_earning_minor:
        return amounts
    shares = allocate(not_earning_minor, amounts)
    return [amount - share for amount, share in zip(amounts, shares, strict=True)]


def _base_shares(rules: RuleBook, purchase: Purchase) -> list[_BaseShare]:
    """Give each line to the first BASE rule that matches it; rules in the programme's order."""
    found: dict[int, _BaseShare] = {}
    for at, line in enumerate(purchase.lines):
        for position, rule in rules.base_for(line.category):
            condition = rule.condition
            if _channel_fits(condition, line, purchase) and _checkout_matches(condition, purchase):
                share = found.get(position)
                if share is None:
                    found[position] = _BaseShare(rule, [at])
                else:
                    share.lines.append(at)
                break
    return [found[position] for position in sorted(found)]


def _base(rule: EarningRule, lines: Sequence[int], eligible: Sequence[int]) -> EarnedBy:
    """What a BASE rule gives for `lines`."""
    on = sum([eligible[at] for at in lines])
    return EarnedBy(rule.code, on * rule.effect // _BASE_DIVISOR, on, rule.funder)


def _best_of(
    rules: RuleBook,
    purchase: Purchase,
    shares: Sequence[_BaseShare],
    earned: Sequence[EarnedBy],
    eligible: Sequence[int],
) -> EarnedBy | None:
    """The one multiplier that gives most, of what the BASE rules have `earned` by their shares."""
    best: EarnedBy | None = None
    for rule in rules.best_of_for(purchase.facts.tier):
        if not _checkout_matches(rule.condition, purchase):
            continue
        bases = earned
        if rule.condition.asks_of_lines:
            lines = set(_matching_lines(rule.condition, purchase))
            bases = [
                _base(share.rule, [at for at in share.lines if at in lines], eligible)
                for share in shares
            ]
        base = sum([each.points for each in bases])
        points = base * rule.effect // THOUSAND - base
        if best is None or points > best.points:
            on = sum([each.eligible_minor for each in bases])
            best = EarnedBy(rule.code, points, on, rule.funder)
    return best


def _checkout_matches(condition: Condition, purchase: Purchase) -> bool:
    """Whether all that a condition asks of the checkout as a whole holds."""
    if condition.tiers and purchase.facts.tier not in condition.tiers:
        return False
    if condition.tags and condition.tags.isdisjoint(purchase.facts.tags):
        return False
    if condition.minimum_spend_minor > purchase.bill_minor:
        return False
    if not condition.weekdays and not condition.birth_month_only:
        return True
    local = purchase.occurred_at.astimezone(purchase.place.zone)
    if condition.weekdays and local.isoweekday() not in condition.weekdays:
        return False
    return not condition.birth_month_only or local.month == purchase.facts.birth_month


def _channel_fits(condition: Condition, line: Line, purchase: Purchase) -> bool:
    """Whether what is asked of a stay's channel holds; of lines other than ROOM nothing is."""
    if not condition.channels or line.category is not Category.ROOM:
        return True
    return purchase.stay is not None and purchase.stay.channel in condition.channels


def _matching_lines(condition: Condition, purchase: Purchase) -> list[int]:
    """The indexes of the lines that a condition's categories and channels match."""
    categories = condition.categories
    return [
        at
        for at, line in enumerate(purchase.lines)
        if (not categories or line.category in categories)
        and _channel_fits(condition, line, purchase)
    ]
