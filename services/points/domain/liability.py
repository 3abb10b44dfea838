"""Liability: what is owed to members, by who gave it, by rule, by months, and what it is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import lcm
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.points.domain.assets import Asset, Funder, House
from services.points.domain.breakage import Breakage, Cohort, Flow
from services.points.domain.programme import MINOR_PER_UNIT, Programme
from services.points.domain.shares import allocate

NOTHING: Final = Fraction(0)


class Source(NamedTuple):
    """Who gave: the house account, who bears the cost (None for members), and the merchant."""

    house: House
    funder: Funder | None
    merchant_id: UUID | None


@dataclass(slots=True)
class Figures:
    """What became of a group of lots since the beginning of the ledger.

    `held` is a part of `outstanding`, and unknown by lot (0) at a past instant; `pending` is no
    part of it. `ending` is the outstanding that may expire, by cohort: breakage is a share of it.
    """

    earned: int = 0
    redeemed: int = 0
    expired: int = 0
    outstanding: int = 0
    held: int = 0
    pending: int = 0
    ending: dict[Cohort, int] = field(default_factory=dict, compare=False)

    def add(self, other: Figures) -> None:
        self.earned += other.earned
        self.redeemed += other.redeemed
        self.expired += other.expired
        self.outstanding += other.outstanding
        self.held += other.held
        self.pending += other.pending
        for cohort, outstanding in other.ending.items():
            self.ending[cohort] = self.ending.get(cohort, 0) + outstanding


class LotGroup(NamedTuple):
    """Lots, or parts of lots, that are alike in everything the report tells apart.

    Months are counted since the year 0; `expiry_month` is the last month of use, None for never.
    `due` is the part of the outstanding whose end had come and that no hold keeps.
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
    """What is owed of one asset; the groups of each kind add up to `total`.

    `held` is what open holds set aside, known at every instant; `debt` what members owe, which is
    no part of anything else.
    """

    asset: Asset
    total: Figures = field(default_factory=Figures)
    due: int = 0
    held: int = 0
    debt: int = 0
    by_source: dict[Source, Figures] = field(default_factory=lambda: defaultdict(Figures))
    by_rule: dict[str, Figures] = field(default_factory=lambda: defaultdict(Figures))
    by_earned_month: dict[int, Figures] = field(default_factory=lambda: defaultdict(Figures))
    by_expiry_month: dict[int | None, Figures] = field(default_factory=lambda: defaultdict(Figures))
    flows: dict[Cohort, dict[int, Flow]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def otherwise_gone(self) -> int:
        """What left without being redeemed or expiring; what was transferred has not left."""
        total = self.total
        return total.earned - total.redeemed - total.expired - total.outstanding

    def add(self, group: LotGroup) -> None:
        self.due += group.due
        if group.expiry_month is not None and group.figures.outstanding:
            cohort = Cohort(group.earned_month, group.expiry_month)
            group.figures.ending[cohort] = group.figures.outstanding
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
    """Every asset's liability at `as_of`, in months of `zone`, valued by `programme`.

    Of a `past` instant nobody knows any more which lots were held.
    """

    as_of: datetime
    zone: ZoneInfo
    programme: Programme
    past: bool = False
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
        return self.shares_minor(asset, [figures.outstanding for figures in groups])

    def shares_minor(self, asset: Asset, amounts: Sequence[int]) -> list[int]:
        """What each amount is worth as a share of all of them."""
        return allocate(self.value_minor(asset, sum(amounts)), amounts)


def breakage_by_group(breakage: Breakage, groups: Sequence[Figures]) -> list[int]:
    """Each group's part of the estimate, by what its own cohorts contribute; they add up to it."""
    expected = [
        sum(
            (breakage.survival.get(cohort, NOTHING) * left for cohort, left in each.ending.items()),
            start=NOTHING,
        )
        for each in groups
    ]
    common = lcm(*(share.denominator for share in expected))
    return allocate(breakage.amount, [int(share * common) for share in expected])
