"""The programme: versioned rules of what earns, what points are worth, how value is sold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from threading import Lock
from zoneinfo import ZoneInfo

from services.points.domain import errors
from services.points.domain.assets import Category
from services.points.domain.calendar import (
    MINIMUM_LIFE_MONTHS,
    end_of_month_after,
    fixed_expiry,
    points_expiry,
)
from services.points.domain.rules import Condition, EarningRule, RuleBook, StackingClass

__all__ = [
    "BASIS_POINTS",
    "MINOR_PER_UNIT",
    "Condition",
    "EarningRule",
    "Programme",
    "Programmes",
    "Redemption",
    "RuleBook",
    "SpendOrder",
    "StackingClass",
    "StoredValueTerms",
    "TopUpTier",
]

MINOR_PER_UNIT = 100
"""Fen in a yuan: what "per unit" in a programme means."""
BASIS_POINTS = 10_000


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


@dataclass(frozen=True)
class Programme:
    """One immutable version of all rules.

    Points expire by one policy at most: months after earning, at the end of a fixed day, or months
    after the member's last activity; by none they never do.
    """

    version: int
    valid_from: datetime
    earning_rules: tuple[EarningRule, ...]
    redemption: Redemption
    stored_value: StoredValueTerms
    points_expire_after_months: int
    clawback: Clawback = Clawback.COLLECT
    points_expire_on: date | None = None
    points_expire_after_idle_months: int = 0

    @cached_property
    def rules(self) -> RuleBook:
        """The earning rules, laid out once."""
        return RuleBook(self.earning_rules)

    def points_expiry(
        self, earned_at: datetime, posted_at: datetime, zone: ZoneInfo
    ) -> datetime | None:
        """When points that can be spent at once expire; None for never."""
        if self.points_expire_on is not None:
            return fixed_expiry(self.points_expire_on, posted_at, zone)
        months = self.points_expire_after_months or self.points_expire_after_idle_months
        return points_expiry(earned_at, posted_at, months, zone)

    def pending_expiry(
        self, earned_at: datetime, posted_at: datetime, matures_at: datetime, zone: ZoneInfo
    ) -> datetime | None:
        """When points that mature later expire: never before the month after their maturing ends.

        Months without activity begin to count then; otherwise it is as if the points could have
        been spent at once.
        """
        if self.points_expire_after_idle_months:
            return end_of_month_after(matures_at, self.points_expire_after_idle_months, zone)
        expires_at = self.points_expiry(earned_at, posted_at, zone)
        if expires_at is None:
            return None
        return max(expires_at, end_of_month_after(matures_at, MINIMUM_LIFE_MONTHS, zone))


class Programmes:
    """All published versions, the latest last; `valid_from` never decreases with the version.

    `latest_retirement` is the number of the last retirement known, 0 for none; `counts_activity`
    says whether by some version points expire after months without activity. Threads may read
    while others add, and several may add the same.
    """

    def __init__(self, versions: Iterable[Programme] = ()) -> None:
        self._adding = Lock()
        # Replaced and never changed, so that a copy stays as it is.
        self._versions: tuple[Programme, ...] = ()
        self._ends: Mapping[int, datetime] = {}
        self.latest_retirement = 0
        self.counts_activity = False
        for programme in versions:
            self.add(programme)

    @property
    def latest_version(self) -> int:
        """The highest version known, 0 for none."""
        return self._versions[-1].version if self._versions else 0

    def add(self, programme: Programme) -> None:
        """Take a version that was published after all others; one already known is left alone."""
        with self._adding:
            if programme.version > self.latest_version:
                # Whoever finds the version loads what it needs: the flag must be there before.
                self.counts_activity |= programme.points_expire_after_idle_months > 0
                self._versions = (*self._versions, programme)

    def retire(self, number: int, version: int, valid_until: datetime) -> None:
        """Take the end of a version; of several the one with the highest number counts."""
        with self._adding:
            if number > self.latest_retirement:
                # Whoever sees the number asks for it no more: the end must be there before.
                self._ends = {**self._ends, version: valid_until}
                self.latest_retirement = number

    def known_now(self) -> Programmes:
        """Return what is known now, whatever is added meanwhile.

        What is loaded for a batch and what decides it go by the same versions.
        """
        with self._adding:
            return copy(self)

    def end_of(self, version: int) -> datetime | None:
        """When a version is retired, None if it is not."""
        return self._ends.get(version)

    def valid_at(self, instant: datetime) -> Programme:
        """The highest version that was valid at `instant`; refuses where there is none."""
        for programme in reversed(self._versions):
            if programme.valid_from <= instant and not self._ended(programme, instant):
                return programme
        raise errors.programme_not_found("was valid then")

    def _ended(self, programme: Programme, instant: datetime) -> bool:
        end = self._ends.get(programme.version) if self._ends else None
        return end is not None and end <= instant

    def get(self, version: int) -> Programme:
        """The version asked for; refuses one that was never published."""
        for programme in reversed(self._versions):
            if programme.version == version:
                return programme
        raise errors.programme_not_found(f"has version {version}")
