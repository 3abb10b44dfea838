"""Inquiry: one purchase as rules ask about it, each costly thing worked out once and if asked."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from chassis.kernel import Fault
from services.points.domain.facts import Expression, Facts, facts_of
from services.points.domain.limits import Limits
from services.points.domain.purchases import Purchase
from services.points.domain.rules import EarningRule


class RuleFault(NamedTuple):
    """A rule that was left out because its condition failed on this purchase, and how."""

    rule: str
    message: str


class Inquiry:
    """What rules may ask about one purchase: its facts, and what `limits` still allow.

    `faults` has each rule whose condition failed, once. Without limits every cap but that per
    checkout is open.
    """

    __slots__ = ("_facts", "_local", "_verdicts", "faults", "first_purchase", "limits", "purchase")

    def __init__(
        self, purchase: Purchase, *, first_purchase: bool = False, limits: Limits | None = None
    ) -> None:
        self.purchase = purchase
        self.first_purchase = first_purchase
        self.limits = limits
        self.faults: list[RuleFault] = []
        self._local: datetime | None = None
        self._facts: Facts | None = None
        self._verdicts: dict[str, bool] = {}

    @property
    def local(self) -> datetime:
        """The purchase's time by the property's calendar."""
        if self._local is None:
            self._local = self.purchase.occurred_at.astimezone(self.purchase.place.zone)
        return self._local

    def applies(self, rule: EarningRule) -> bool:
        """Whether all that a rule asks of the checkout as a whole holds."""
        condition, purchase = rule.condition, self.purchase
        if condition.tiers and purchase.facts.tier not in condition.tiers:
            return False
        if condition.tags and condition.tags.isdisjoint(purchase.facts.tags):
            return False
        if condition.minimum_spend_minor > purchase.bill_minor:
            return False
        return not rule.asks_more or self._applies(rule)

    def capped(self, rule: EarningRule, points: int) -> int:
        """What `rule` may give of `points`."""
        if not rule.limited:
            return points
        if self.limits is None:
            return min(points, rule.caps.per_checkout or points)
        room = self.limits.room(rule, self.purchase.member_id, self.local.date())
        return min(points, room)

    def _applies(self, rule: EarningRule) -> bool:
        condition, purchase = rule.condition, self.purchase
        if rule.valid_from is not None and purchase.occurred_at < rule.valid_from:
            return False
        if rule.valid_until is not None and purchase.occurred_at >= rule.valid_until:
            return False
        if condition.seasons and purchase.season not in condition.seasons:
            return False
        if condition.first_purchase_only and not self.first_purchase:
            return False
        if condition.asks_of_the_place and not self._fits_the_place(rule):
            return False
        if condition.asks_of_the_calendar and not self._fits_the_calendar(rule):
            return False
        return condition.expression is None or self._holds(rule.code, condition.expression)

    def _fits_the_place(self, rule: EarningRule) -> bool:
        condition, place = rule.condition, self.purchase.place
        if condition.properties and place.property_code not in condition.properties:
            return False
        if condition.merchants and place.merchant_id not in condition.merchants:
            return False
        return not condition.outlets or place.outlet_id in condition.outlets

    def _fits_the_calendar(self, rule: EarningRule) -> bool:
        condition, local = rule.condition, self.local
        if condition.weekdays and local.isoweekday() not in condition.weekdays:
            return False
        if condition.hours and local.hour not in condition.hours:
            return False
        return not condition.birth_month_only or local.month == self.purchase.facts.birth_month

    def _holds(self, code: str, expression: Expression) -> bool:
        """The verdict of a rule's expression; false, and a fault noted, where it fails."""
        verdict = self._verdicts.get(code)
        if verdict is None:
            if self._facts is None:
                self._facts = facts_of(
                    self.purchase, self.local, first_purchase=self.first_purchase
                )
            found = expression.test(self._facts)
            if isinstance(found, Fault):
                self.faults.append(RuleFault(code, found.message))
                found = False
            verdict = self._verdicts[code] = found
        return verdict
