"""Liability: what is owed to members, by who gave it, by rule, by months, and what it is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.points.domain.assets import Asset, Funder, House
from services.points.domain.breakage import Cohort, Flow
from services.points.domain.programme import MINOR_PER_UNIT, Programme
from services.points.domain.shares import allocate


class Source(NamedTuple):
    """Who gave: the house account, who bears the cost (None for members), and the merchant."""

    house: House
    funder: Funder | None
    merchant_id: UUID | None


@dataclass(slots=True)
class Figures:
    """What became of a group of lots since the beginning of the ledger."""

    earned: int = 0
    redeemed: int = 0
    expired: int = 0
    outstanding: int = 0

    def add(self, other: Figures) -> None:
        self.earned += other.earned
        self.redeemed += other.redeemed
        self.expired += other.expired
        self.outstanding += other.outstanding


class LotGroup(NamedTuple):
    """Lots, or parts of lots, that are alike in everything the report tells apart.

    Months are counted since the year 0; `expiry_month` is the last month of use, None for never.
    `due` is the part of the outstanding whose end had come.
    """

    asset: Asset
    source: Source
    rule: str
    earned_month: int
    expiry_month: int | None
    figures: Figures
    due: int


@dataclass(slots=True)
class AssetLiability:
    """What is owed of one asset; the groups of each kind add up to `total`."""

    asset: Asset
    total: Figures = field(default_factory=Figures)
    due: int = 0
    by_source: dict[Source, Figures] = field(default_factory=lambda: defaultdict(Figures))
    by_rule: dict[str, Figures] = field(default_factory=lambda: defaultdict(Figures))
    by_earned_month: dict[int, Figures] = field(default_factory=lambda: defaultdict(Figures))
    by_expiry_month: dict[int | None, Figures] = field(default_factory=lambda: defaultdict(Figures))
    flows: dict[Cohort, dict[int, Flow]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def otherwise_gone(self) -> int:
        """What left without being redeemed or expiring."""
        total = self.total
        return total.earned - total.redeemed - total.expired - total.outstanding

    def add(self, group: LotGroup) -> None:
        self.due += group.due
        for figures in (
            self.total,
            self.by_source[group.source],
            self.by_rule[group.rule],
            self.by_earned_month[group.earned_month],
            self.by_expiry_month[group.expiry_month],
        ):
            figures.add(group.figures)

    def add_flow(self, cohort: Cohort, month: int, flow: Flow) -> None:
        """Add what moved of a cohort in a month, for the estimate of breakage."""
        known = self.flows[cohort].setdefault(month, Flow())
        known.entered += flow.entered
        known.redeemed += flow.redeemed
        known.expired += flow.expired
        known.withdrawn += flow.withdrawn


@dataclass(slots=True)
class Liability:
    """Every asset's liability at `as_of`, in months of `zone`, valued by `programme`."""

    as_of: datetime
    zone: ZoneInfo
    programme: Programme
    assets: dict[Asset, AssetLiability] = field(
        default_factory=lambda: {asset: AssetLiability(asset) for asset in Asset}
    )

    def value_minor(self, asset: Asset, amount: int) -> int:
        """What `amount` is worth in fen: points at the redemption rate, rounded down."""
        if asset is not Asset.POINTS:
            return amount
        return amount * MINOR_PER_UNIT // self.programme.redemption.points_per_unit

    def values_minor(self, asset: Asset, groups: Sequence[Figures]) -> list[int]:
        """What each group's outstanding is worth; they add up to the whole's worth exactly."""
        amounts = [figures.outstanding for figures in groups]
        return allocate(self.value_minor(asset, sum(amounts)), amounts)
