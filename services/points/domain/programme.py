"""The programme: versioned rules of what earns, what points are worth, how value is sold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from services.points.domain import errors
from services.points.domain.assets import Category, Channel, Funder

MINOR_PER_UNIT = 100
"""Fen in a yuan: what "per unit" in a programme means."""
BASIS_POINTS = 10_000


class StackingClass(StrEnum):
    """How rules combine: BASE once a line, BEST_OF one a checkout, ADD all that match."""

    BASE = "BASE"
    BEST_OF = "BEST_OF"
    ADD = "ADD"


class SpendOrder(StrEnum):
    """Which part of stored value pays first."""

    PROPORTIONAL = "PROPORTIONAL"
    CASH_FIRST = "CASH_FIRST"
    BONUS_FIRST = "BONUS_FIRST"


class Clawback(StrEnum):
    """What a reversal does where earned points are spent: COLLECT them later, or REFUSE."""

    COLLECT = "COLLECT"
    REFUSE = "REFUSE"


@dataclass(frozen=True, slots=True)
class Condition:
    """A conjunction; an empty part asks nothing.

    `categories` and `channels` are asked of each line (a channel only of ROOM lines), the others
    of the checkout. Weekdays are ISO numbers, the month of birth is compared with the month of
    the purchase, both by the property's calendar.
    """

    categories: frozenset[Category] = frozenset()
    tiers: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    weekdays: frozenset[int] = frozenset()
    channels: frozenset[Channel] = frozenset()
    minimum_spend_minor: int = 0
    birth_month_only: bool = False

    @property
    def asks_of_lines(self) -> bool:
        """Whether some lines of a checkout may match and others not."""
        return bool(self.categories or self.channels)


@dataclass(frozen=True, slots=True)
class EarningRule:
    """One rule that gives points.

    `effect` by class: BASE points per yuan in thousandths, BEST_OF a multiplier in thousandths
    (above 1000), ADD a number of points.
    """

    code: str
    stacking_class: StackingClass
    effect: int
    funder: Funder
    condition: Condition = Condition()


@dataclass(frozen=True, slots=True)
class Redemption:
    """What points are worth at the till; shares in basis points of a category's amount."""

    points_per_unit: int = 100
    minimum_points: int = 100
    maximum_shares: tuple[tuple[Category, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TopUpTier:
    """The gift from an amount on, both in fen."""

    from_minor: int
    bonus_minor: int


@dataclass(frozen=True, slots=True)
class StoredValueTerms:
    """The rules of stored value; amounts in fen, 0 months is never."""

    top_up_tiers: tuple[TopUpTier, ...]
    top_up_limit_minor: int
    balance_limit_minor: int
    spend_order: SpendOrder
    bonus_expires_after_months: int

    def gift_minor(self, amount_minor: int) -> int:
        """The gift of the highest tier that `amount_minor` reaches, 0 below all."""
        reached = [tier for tier in self.top_up_tiers if tier.from_minor <= amount_minor]
        return max(reached, key=lambda tier: tier.from_minor).bonus_minor if reached else 0


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

    def base_for(self, category: Category) -> Sequence[tuple[int, EarningRule]]:
        """The BASE rules a line of `category` may match, with their place in the programme."""
        return self._base[category]

    def best_of_for(self, tier: str) -> Sequence[EarningRule]:
        """The BEST_OF rules a member of `tier` may get, in the programme's order."""
        return self._best_of.get(tier, self._best_of_any)


def _for_tier(rule: EarningRule, tier: str) -> bool:
    return not rule.condition.tiers or tier in rule.condition.tiers


@dataclass(frozen=True)
class Programme:
    """One immutable version of all rules."""

    version: int
    valid_from: datetime
    earning_rules: tuple[EarningRule, ...]
    redemption: Redemption
    stored_value: StoredValueTerms
    points_expire_after_months: int
    clawback: Clawback = Clawback.COLLECT

    @cached_property
    def rules(self) -> RuleBook:
        """The earning rules, laid out once."""
        return RuleBook(self.earning_rules)


class Programmes:
    """All published versions, the latest last; `valid_from` never decreases with the version."""

    def __init__(self, versions: Iterable[Programme] = ()) -> None:
        self._versions: list[Programme] = []
        for programme in versions:
            self.add(programme)

    @property
    def latest_version(self) -> int:
        """The highest version known, 0 for none."""
        return self._versions[-1].version if self._versions else 0

    def add(self, programme: Programme) -> None:
        """Take a version that was published after all others; one already known is left alone."""
        if programme.version > self.latest_version:
            self._versions.append(programme)

    def valid_at(self, instant: datetime) -> Programme:
        """The highest version that was valid at `instant`; refuses where there is none."""
        for programme in reversed(self._versions):
            if programme.valid_from <= instant:
                return programme
        raise errors.programme_not_found("was valid then")

    def get(self, version: int) -> Programme:
        """The version asked for; refuses one that was never published."""
        for programme in reversed(self._versions):
            if programme.version == version:
                return programme
        raise errors.programme_not_found(f"has version {version}")
