"""Earning: which rules give how many points for a purchase.

Points are earned on what is paid in money or CASH. What points and BONUS pay is first divided over
the lines in proportion to their amounts, by largest remainder; the rest of each line is eligible.

Rounding, by each rule's own (DOWN where it says nothing): a BASE rule gives eligible fen of its
lines x thousandths / 100,000, rounded once on the sum of its lines. A BEST_OF rule gives base x
thousandths / 1000, rounded, less base, where base is what the BASE rules give for the lines that
the BEST_OF rule's condition matches. Caps come after rounding; base is what is left after them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.points.domain.assets import Category, Funder
from services.points.domain.inquiry import Inquiry
from services.points.domain.programme import MINOR_PER_UNIT
from services.points.domain.purchases import Line, Purchase
from services.points.domain.rules import EarningRule, Rounding, RuleBook
from services.points.domain.shares import allocate

THOUSAND = 1000
_BASE_DIVISOR = MINOR_PER_UNIT * THOUSAND


class EarnedBy(NamedTuple):
    """What one rule gave: points, the eligible fen it was computed on, and who funds them.

    Points with `pending_until` can't be spent before.
    """

    rule: str
    points: int
    eligible_minor: int
    funder: Funder
    pending_until: datetime | None = None


class _BaseShare(NamedTuple):
    """A BASE rule with the indexes of the lines it is the first to match."""

    rule: EarningRule
    lines: list[int]


def earned_points(
    rules: RuleBook, purchase: Purchase, not_earning_minor: int, inquiry: Inquiry | None = None
) -> list[EarnedBy]:
    """The rules that give points for `purchase`, in the programme's order by class.

    `not_earning_minor` is what points and BONUS pay of the bill. BASE rules come first, then the
    BEST_OF rule that gives most (the earlier of equal ones), then each ADD rule that matches and
    has something eligible among its lines. `inquiry` is this purchase's; it collects faults.
    """
    if not_earning_minor == purchase.bill_minor:
        return []
    asked = inquiry or Inquiry(purchase)
    eligible = _eligible(purchase.lines, not_earning_minor)
    shares = _base_shares(rules, purchase, asked)
    earned = [_base(share.rule, share.lines, eligible, asked) for share in shares]
    best = _best_of(rules, asked, shares, earned, eligible)
    if best is not None:
        earned.append(best)
    for rule in rules.adding:
        if asked.applies(rule):
            on = sum(eligible[at] for at in _matching_lines(rule, purchase))
            points = asked.capped(rule, rule.effect) if on else 0
            earned.append(EarnedBy(rule.code, points, on, rule.funder))
    return [by for by in earned if by.points]


def rounded(number: int, divisor: int, rounding: Rounding) -> int:
    """`number` / `divisor` as a whole number; neither is negative."""
    if rounding is Rounding.DOWN:
        return number // divisor
    if rounding is Rounding.UP:
        return -(-number // divisor)
    return (2 * number + divisor) // (2 * divisor)


def _eligible(lines: Sequence[Line], not_earning_minor: int) -> list[int]:
    amounts = [line.amount_minor for line in lines]
    if not not_earning_minor:
        return amounts
    shares = allocate(not_earning_minor, amounts)
    return [amount - share for amount, share in zip(amounts, shares, strict=True)]


def _base_shares(rules: RuleBook, purchase: Purchase, asked: Inquiry) -> list[_BaseShare]:
    """Give each line to the first BASE rule that matches it; rules in the programme's order."""
    found: dict[int, _BaseShare] = {}
    for at, line in enumerate(purchase.lines):
        for position, rule in rules.base_for(line.category):
            if _fits_the_stay(rule, line, purchase) and asked.applies(rule):
                share = found.get(position)
                if share is None:
                    found[position] = _BaseShare(rule, [at])
                else:
                    share.lines.append(at)
                break
    return [found[position] for position in sorted(found)]


def _base(
    rule: EarningRule, lines: Sequence[int], eligible: Sequence[int], asked: Inquiry
) -> EarnedBy:
    """What a BASE rule gives for `lines`."""
    on = sum([eligible[at] for at in lines])
    points = rounded(on * rule.effect, _BASE_DIVISOR, rule.rounding)
    return EarnedBy(rule.code, asked.capped(rule, points), on, rule.funder)


def _best_of(
    rules: RuleBook,
    asked: Inquiry,
    shares: Sequence[_BaseShare],
    earned: Sequence[EarnedBy],
    eligible: Sequence[int],
) -> EarnedBy | None:
    """The one multiplier that gives most, of what the BASE rules have `earned` by their shares."""
    best: EarnedBy | None = None
    for rule in rules.best_of_for(asked.purchase.facts.tier):
        if not asked.applies(rule):
            continue
        bases = earned
        if rule.condition.asks_of_lines:
            lines = set(_matching_lines(rule, asked.purchase))
            bases = [
                _base(share.rule, [at for at in share.lines if at in lines], eligible, asked)
                for share in shares
            ]
        base = sum([each.points for each in bases])
        points = rounded(base * rule.effect, THOUSAND, rule.rounding) - base
        points = asked.capped(rule, points)
        if best is None or points > best.points:
            on = sum([each.eligible_minor for each in bases])
            best = EarnedBy(rule.code, points, on, rule.funder)
    return best


def _fits_the_stay(rule: EarningRule, line: Line, purchase: Purchase) -> bool:
    """Whether what is asked of a stay holds; of lines other than ROOM nothing is."""
    if not rule.asks_of_stays or line.category is not Category.ROOM:
        return True
    stay, condition = purchase.stay, rule.condition
    if stay is None or (condition.channels and stay.channel not in condition.channels):
        return False
    if stay.absent and not condition.absent_too:
        return False
    return not condition.rate_codes or stay.rate_code in condition.rate_codes


def _matching_lines(rule: EarningRule, purchase: Purchase) -> list[int]:
    """The indexes of the lines that a rule's categories, channels and rate codes match."""
    categories = rule.condition.categories
    return [
        at
        for at, line in enumerate(purchase.lines)
        if (not categories or line.category in categories) and _fits_the_stay(rule, line, purchase)
    ]
