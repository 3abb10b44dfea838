"""Verification: what recomputing the books from the journal has found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from services.points.domain.assets import Asset

DIFFERENCES_KEPT_MAX: Final = 1_000
DIFFERING_MEMBERS_MAX: Final = 10_000
"""Bounds of what is remembered where everything differs; the number of differences is exact."""


class DifferenceKind(StrEnum):
    """How what is stored differs from what the journal says."""

    BALANCE = "BALANCE"
    """A member's balance is not the sum of its postings."""
    DEBT = "DEBT"
    """A member's debt is not the sum of its postings against DEBT."""
    OUTSIDE_LOTS = "OUTSIDE_LOTS"
    """The postings that move no lot don't cancel each other."""
    LOT = "LOT"
    """What remains of a lot is not the sum of its postings."""
    LOT_AMOUNT = "LOT_AMOUNT"
    """What went into a lot is not what was posted into it."""
    LOT_EXPIRED = "LOT_EXPIRED"
    """What expired of a lot is not what was posted as expired."""
    LOT_INVENTED = "LOT_INVENTED"
    """No posting explains a lot."""
    LOT_MISSING = "LOT_MISSING"
    """Postings moved a lot that isn't there."""
    NEXT_EXPIRY = "NEXT_EXPIRY"
    """What a member remembers of the lot that expires next is not what its open lots say."""
    BALANCE_AFTER = "BALANCE_AFTER"
    """A posting's balance does not follow from the posting before."""
    LINE = "LINE"
    """A line of an entry is missing or stands twice."""
    ORDER = "ORDER"
    """An entry is dated before the one of the version before."""
    VERSION = "VERSION"
    """A version has neither an entry nor a record, or is above the member's last."""
    PENDING = "PENDING"
    """What a member has pending, or has had matured, is not what its pending points say."""
    RECORD = "RECORD"
    """A checkout, reversal, top-up or captured hold says something else than its entry."""
    HELD = "HELD"
    """What a member says is held is not what open holds have pinned."""
    LOT_HELD = "LOT_HELD"
    """What a lot says is held is not what open holds have pinned of it."""
    HOLD = "HOLD"
    """An open hold is not the sum of its pins, or one that has ended still has some."""
    OPEN_HOLDS = "OPEN_HOLDS"
    """How many holds a member says are open, or when the next times out, is not so."""


class Difference(NamedTuple):
    """One difference of one member; what doesn't apply is None.

    `stored` is what stands in the tables, `recomputed` what the journal says; a missing one is
    empty.
    """

    kind: DifferenceKind
    member_id: UUID
    asset: Asset | None
    lot_number: int | None
    version: int | None
    stored: str
    recomputed: str


@dataclass(slots=True)
class AssetTotals:
    """One asset's books, recomputed.

    `house_totals` are derived from postings and sum with the members' to zero. `differing` are
    the members with a difference in this asset, the first DIFFERING_MEMBERS_MAX of them.
    """

    asset: Asset
    member_balances: int = 0
    open_lots: int = 0
    debt: int = 0
    held: int = 0
    pending: int = 0
    house_totals: dict[str, int] = field(default_factory=dict)
    differing: set[UUID] = field(default_factory=set)

    @property
    def member_postings(self) -> int:
        """What all postings say that members have."""
        return -sum(self.house_totals.values())

    @property
    def balanced(self) -> bool:
        return (
            not self.differing
            and self.member_balances == self.member_postings
            and self.member_balances == self.open_lots
        )


@dataclass(slots=True)
class Looked:
    """How much has been looked at."""

    members: int = 0
    lots: int = 0
    postings: int = 0
    records: int = 0


@dataclass(slots=True)
class Verification:
    """What a verification found, in one snapshot.

    `differences` are the first DIFFERENCES_KEPT_MAX of `differences_found`.
    """

    assets: list[AssetTotals] = field(default_factory=lambda: [AssetTotals(each) for each in Asset])
    differences: list[Difference] = field(default_factory=list)
    differences_found: int = 0
    looked: Looked = field(default_factory=Looked)
    checkouts_posted: int = 0
    checkouts_reversed: int = 0
    checkouts_cancelled: int = 0
    reversals: int = 0
    reversed_minor: int = 0

    @property
    def balanced(self) -> bool:
        """Whether nothing differs and every asset's sums agree."""
        return not self.differences_found and all(each.balanced for each in self.assets)

    def of(self, asset: Asset) -> AssetTotals:
        return next(each for each in self.assets if each.asset is asset)

    def note(self, difference: Difference) -> None:
        """Count a difference and keep it while there is room."""
        self.differences_found += 1
        if len(self.differences) < DIFFERENCES_KEPT_MAX:
            self.differences.append(difference)
        if difference.asset is not None:
            differing = self.of(difference.asset).differing
            if len(differing) < DIFFERING_MEMBERS_MAX:
                differing.add(difference.member_id)

    def note_all(self, differences: Iterable[Difference]) -> None:
        for difference in differences:
            self.note(difference)

    def differing_members(self) -> list[UUID]:
        """The members named by the kept differences and the assets, each once, by id."""
        named = {difference.member_id for difference in self.differences}
        return sorted(named.union(*(totals.differing for totals in self.assets)))
