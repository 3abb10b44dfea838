"""Verifying the books: what was counted row by row against what the counters say."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CampaignTally:
    """One campaign in one snapshot: its limits and counters, and the same counted from rows.

    - `held_apart`: coupons RESERVED or REDEEMED whose checkout's record doesn't say so;
    - `open_redemptions`: redemptions not rolled back;
    - `matched_redemptions`: those of them whose coupon is REDEEMED by the same checkout;
    - `most_per_member`: coupons of the member who has most.
    """

    quantity: int
    per_member: int
    issued: int
    reserved: int
    redeemed: int
    counted_issued: int
    counted_reserved: int
    counted_redeemed: int
    held_apart: int
    open_redemptions: int
    matched_redemptions: int
    most_per_member: int

    @property
    def agrees(self) -> bool:
        """True when counters equal the count, no limit is passed, and every use is on record."""
        counters = (self.issued, self.reserved, self.redeemed)
        counted = (self.counted_issued, self.counted_reserved, self.counted_redeemed)
        uses = {self.counted_redeemed, self.open_redemptions, self.matched_redemptions}
        return (
            counters == counted
            and len(uses) == 1
            and not self.held_apart
            and (not self.quantity or self.counted_issued <= self.quantity)
            and (not self.per_member or self.most_per_member <= self.per_member)
        )


@dataclass(frozen=True, slots=True)
class BooksReport:
    """The whole service in one snapshot; `balanced` when every campaign agrees."""

    issued: int
    reserved: int
    redeemed: int
    open_redemptions: int
    campaigns_differing: int

    @property
    def balanced(self) -> bool:
        return not self.campaigns_differing


def report(tallies: Sequence[CampaignTally]) -> BooksReport:
    """Add the campaigns up. Rows of a campaign that does not exist come as a tally of zeros."""
    return BooksReport(
        issued=sum(tally.counted_issued for tally in tallies),
        reserved=sum(tally.counted_reserved for tally in tallies),
        redeemed=sum(tally.counted_redeemed for tally in tallies),
        open_redemptions=sum(tally.open_redemptions for tally in tallies),
        campaigns_differing=sum(not tally.agrees for tally in tallies),
    )
