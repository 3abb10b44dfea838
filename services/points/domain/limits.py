"""Limits: what capped and budgeted rules have given so far, and what they may still give.

A counter is kept per member, rule and period: a day of the property's calendar, or the rule's whole
life. A budget is one row per rule for all members, never overshot. What is left of any of them is
given, so a rule's last points may be fewer than it would give. A reversal gives back what it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

from services.points.domain.rules import EarningRule, RuleBook

WHOLE_LIFE: Final = "LIFE"
"""The period of a cap that is counted over a rule's whole life."""


class Counter(NamedTuple):
    """The name of one counter; `period` is an ISO date or WHOLE_LIFE."""

    member_id: UUID
    rule: str
    period: str


@dataclass(slots=True)
class Budget:
    """What a rule may give in all, over all its versions, and what it gave."""

    budget_points: int
    given_points: int


@dataclass(slots=True)
class Limits:
    """The counters and budgets that a batch needs, as loaded and as changed since.

    A counter that is not there is 0; a budget that is not there has nothing to give.
    """

    given: dict[Counter, int] = field(default_factory=dict)
    budgets: dict[str, Budget] = field(default_factory=dict)
    touched: set[Counter] = field(default_factory=set)
    touched_budgets: set[str] = field(default_factory=set)

    def room(self, rule: EarningRule, member_id: UUID, day: date) -> int:
        """How many points `rule` may give at most in one checkout of the member on that day."""
        caps = rule.caps
        rooms = [caps.per_checkout] if caps.per_checkout else []
        for counter, cap in _counters(rule, member_id, day):
            rooms.append(cap - self.given.get(counter, 0))
        if rule.budget_points:
            budget = self.budgets.get(rule.code, Budget(0, 0))
            rooms.append(min(rule.budget_points, budget.budget_points) - budget.given_points)
        return max(0, min(rooms))

    def take(self, rule: EarningRule, member_id: UUID, day: date, points: int) -> None:
        """Count what a rule gave; negative where it is given back, never below nothing."""
        for counter, _ in _counters(rule, member_id, day):
            self.given[counter] = max(0, self.given.get(counter, 0) + points)
            self.touched.add(counter)
        budget = self.budgets.get(rule.code)
        if rule.budget_points and budget is not None:
            budget.given_points = max(0, budget.given_points + points)
            self.touched_budgets.add(rule.code)


def counters_of(rules: RuleBook, member_id: UUID, day: date) -> list[Counter]:
    """The counters that a checkout of the member on `day` may ask for or change."""
    return [
        counter for rule in rules.counted.values() for counter, _ in _counters(rule, member_id, day)
    ]


def _counters(rule: EarningRule, member_id: UUID, day: date) -> Iterator[tuple[Counter, int]]:
    if rule.caps.per_member_day:
        yield Counter(member_id, rule.code, day.isoformat()), rule.caps.per_member_day
    if rule.caps.per_member:
        yield Counter(member_id, rule.code, WHOLE_LIFE), rule.caps.per_member
