"""Earning rules: what gives points, when, how many at most, and when they can be spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.points.domain.assets import Category, Channel, Funder
from services.points.domain.facts import Expression
from services.points.domain.purchases import Season


class StackingClass(StrEnum):
    """How rules combine: BASE once a line, BEST_OF one a checkout, ADD all that match."""

    BASE = "BASE"
    BEST_OF = "BEST_OF"
    ADD = "ADD"


class Rounding(StrEnum):
    """What becomes of a part of a point."""

    DOWN = "DOWN"
    HALF_UP = "HALF_UP"
    UP = "UP"


@dataclass(frozen=True, slots=True)
class Condition:
    """A conjunction; an empty part asks nothing.

    `categories`, `channels` and `rate_codes` are asked of each line (the last two only of ROOM
    lines, and with them that the member stayed in person, unless `absent_too`), the others of the
    checkout. Weekdays are ISO numbers, hours begin at 0, the month of
    birth is compared with the month of the purchase, all by the property's calendar. The
    `expression` is asked last.
    """

    categories: frozenset[Category] = frozenset()
    tiers: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    weekdays: frozenset[int] = frozenset()
    channels: frozenset[Channel] = frozenset()
    minimum_spend_minor: int = 0
    birth_month_only: bool = False
    hours: frozenset[int] = frozenset()
    seasons: frozenset[Season] = frozenset()
    rate_codes: frozenset[str] = frozenset()
    properties: frozenset[str] = frozenset()
    merchants: frozenset[UUID] = frozenset()
    outlets: frozenset[UUID] = frozenset()
    first_purchase_only: bool = False
    expression: Expression | None = None
    absent_too: bool = False

    @property
    def asks_of_lines(self) -> bool:
        """Whether some lines of a checkout may match and others not."""
        return bool(self.categories or self.channels or self.rate_codes)

    @property
    def asks_of_stays(self) -> bool:
        """Whether ROOM lines match only with a stay of the right kind."""
        return bool(self.channels or self.rate_codes)

    @property
    def asks_of_the_calendar(self) -> bool:
        """Whether the purchase's local time matters."""
        return bool(self.weekdays or self.hours or self.birth_month_only)

    @property
    def asks_of_the_place(self) -> bool:
        """Whether the till matters."""
        return bool(self.properties or self.merchants or self.outlets)


@dataclass(frozen=True, slots=True)
class Caps:
    """The most points a rule gives; 0 is no cap.

    A day is one of the property's calendar; `per_member` counts over the rule's whole life.
    """

    per_checkout: int = 0
    per_member_day: int = 0
    per_member: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """How long points wait before they can be spent: days from the purchase on, the stay's end.

    The later of the two, where both are asked; a purchase without a known stay's end waits for the
    days alone.
    """

    days: int = 0
    until_stay_ends: bool = False


@dataclass(frozen=True, slots=True)
class EarningRule:
    """One rule that gives points.

    `effect` by class: BASE points per yuan in thousandths, BEST_OF a multiplier in thousandths
    (above 1000), ADD a number of points. `budget_points` is the most it gives to all members
    together (0 is no bound). It applies from `valid_from` until just before `valid_until`.
    """

    code: str
    stacking_class: StackingClass
    effect: int
    funder: Funder
    condition: Condition = Condition()
    rounding: Rounding = Rounding.DOWN
    caps: Caps = Caps()
    pending: Pending = Pending()
    budget_points: int = 0
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    asks_more: bool = field(init=False, compare=False, repr=False)
    asks_of_stays: bool = field(init=False, compare=False, repr=False)
    limited: bool = field(init=False, compare=False, repr=False)
    waits: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Note once what most rules don't ask, so that deciding passes over it quickly."""
        condition = self.condition
        asks_more = (
            condition.asks_of_the_calendar
            or condition.asks_of_the_place
            or condition.seasons
            or condition.first_purchase_only
            or condition.expression
            or self.valid_from
            or self.valid_until
        )
        object.__setattr__(self, "asks_more", bool(asks_more))
        object.__setattr__(self, "asks_of_stays", condition.asks_of_stays)
        object.__setattr__(self, "limited", self.caps != Caps() or self.budget_points > 0)
        object.__setattr__(self, "waits", self.pending != Pending())

    @property
    def counted(self) -> bool:
        """Whether what it gave each member has to be remembered."""
        return bool(self.caps.per_member_day or self.caps.per_member)


class RuleBook:
    """A programme's earning rules, laid out by what a purchase asks for first."""

    def __init__(self, rules: Sequence[EarningRule]) -> None:
        base = [
            (position, rule)
            for position, rule in enumerate(rules)
            if rule.stacking_class is StackingClass.BASE
        ]
        self._base = {
            category: [
                (position, rule)
                for position, rule in base
                if not rule.condition.categories or category in rule.condition.categories
            ]
            for category in Category
        }
        best_of = [rule for rule in rules if rule.stacking_class is StackingClass.BEST_OF]
        tiers = {tier for rule in best_of for tier in rule.condition.tiers}
        self._best_of = {
            tier: [rule for rule in best_of if _for_tier(rule, tier)] for tier in tiers
        }
        self._best_of_any = [rule for rule in best_of if not rule.condition.tiers]
        self.adding = [rule for rule in rules if rule.stacking_class is StackingClass.ADD]
        self.counted = {rule.code: rule for rule in rules if rule.counted}
        self.budgeted = {rule.code: rule for rule in rules if rule.budget_points}
        self.waiting = {rule.code: rule for rule in rules if rule.waits}
        self.limited = {**self.counted, **self.budgeted}

    def base_for(self, category: Category) -> Sequence[tuple[int, EarningRule]]:
        """The BASE rules a line of `category` may match, with their place in the programme."""
        return self._base[category]

    def best_of_for(self, tier: str) -> Sequence[EarningRule]:
        """The BEST_OF rules a member of `tier` may get, in the programme's order."""
        return self._best_of.get(tier, self._best_of_any)


def _for_tier(rule: EarningRule, tier: str) -> bool:
    return not rule.condition.tiers or tier in rule.condition.tiers
