"""Breakage: what will presumably expire unused, estimated from what earlier cohorts have done.

A lot's expiry is known, unless activity extends it; whether it is redeemed before is not. So the
estimate follows the points of each month of earning (a cohort) through the months after it and
asks, for each age, which share of the points that could have been redeemed was. The shares of all
cohorts together are volume-weighted, as the development factors of the chain ladder are (Mack
1993), and their product is the product-limit estimator of what survives (Kaplan and Meier 1958),
with points that were taken back, collected or transferred as withdrawn, and those posted late as
entering late.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Final, NamedTuple

COHORTS_MIN: Final = 3
POINTS_MIN: Final = 1_000

METHOD: Final = (
    "Run-off by age of monthly cohorts. r(a) = points redeemed at age a / points at risk at age a, "
    "over all cohorts seen at that age in complete months; age a = months since the month of "
    "earning; at risk = held at the month's beginning + put in - taken back in it, of lots that "
    "have not expired. Of points of age a that can be used for m more months (the present one "
    "included), (1-r(a))(1-r(a+1))...(1-r(a+m-1)) expire. Volume-weighted chain ladder (Mack 1993) "
    "= product-limit estimator (Kaplan and Meier 1958). The estimate is their sum, rounded down. "
    "Lots end as is known now: where activity extends points, fewer will expire than estimated."
)


class BreakageStatus(StrEnum):
    """Whether there is an estimate."""

    ESTIMATED = "ESTIMATED"
    PARTLY_ESTIMATED = "PARTLY_ESTIMATED"
    TOO_LITTLE_HISTORY = "TOO_LITTLE_HISTORY"
    NOTHING_EXPIRES = "NOTHING_EXPIRES"


class Cohort(NamedTuple):
    """Lots earned in one month whose last month of use is another; months since the year 0."""

    earned_month: int
    expiry_month: int


@dataclass(slots=True)
class Flow:
    """What moved of a cohort in one month; each is what left, but `entered`."""

    entered: int = 0
    redeemed: int = 0
    expired: int = 0
    withdrawn: int = 0

    @property
    def net(self) -> int:
        return self.entered - self.redeemed - self.expired - self.withdrawn


Flows = Mapping[Cohort, Mapping[int, Flow]]
"""Each cohort's flows by the month in which they were posted."""


@dataclass(slots=True)
class AgeBasis:
    """What was seen of one age: `cohorts` are the months of earning that reached it."""

    cohorts: set[int] = field(default_factory=set)
    at_risk: int = 0
    redeemed: int = 0

    @property
    def kept(self) -> Fraction:
        """The share of what was at risk that was not redeemed; from 0 to 1, refunds or not."""
        return 1 - min(max(Fraction(self.redeemed, self.at_risk), Fraction(0)), Fraction(1))


@dataclass(frozen=True, slots=True)
class Breakage:
    """The estimate with its basis; `ages` by age in months.

    `survival` is the share of what is outstanding that expires, for each cohort it is known of.
    """

    status: BreakageStatus
    amount: int
    not_estimated: int
    ages: Mapping[int, AgeBasis]
    known_ages: frozenset[int]
    cohorts_required: int
    points_required: int
    survival: Mapping[Cohort, Fraction] = field(default_factory=dict)

    @property
    def cohorts(self) -> int:
        """How many cohorts were seen at any age."""
        return len(set().union(*(basis.cohorts for basis in self.ages.values())))


def estimate(
    flows: Flows, month: int, cohorts_min: int = COHORTS_MIN, points_min: int = POINTS_MIN
) -> Breakage:
    """Estimate the breakage of what is outstanding in `month`, which is not over yet.

    An age counts as known when `cohorts_min` cohorts were seen at it, with `points_min` at risk
    together. What must pass an age that is not known is not estimated, but told apart.
    """
    ages = observe(flows, month)
    known = frozenset(
        age
        for age, basis in ages.items()
        if len(basis.cohorts) >= cohorts_min and basis.at_risk >= max(points_min, 1)
    )
    expected, estimated, unknown = Fraction(0), 0, 0
    survival: dict[Cohort, Fraction] = {}
    for cohort, by_month in flows.items():
        outstanding = sum(flow.net for flow in by_month.values())
        to_come = range(month - cohort.earned_month, cohort.expiry_month - cohort.earned_month + 1)
        if known.issuperset(to_come):
            estimated += outstanding
            survival[cohort] = _survival(ages, to_come)
            expected += outstanding * survival[cohort]
        else:
            unknown += outstanding
    status = _status(estimated, unknown)
    return Breakage(status, int(expected), unknown, ages, known, cohorts_min, points_min, survival)


def observe(flows: Flows, month: int) -> dict[int, AgeBasis]:
    """What the complete months before `month` show of each age, youngest first."""
    ages: dict[int, AgeBasis] = defaultdict(AgeBasis)
    for cohort, by_month in flows.items():
        held = 0
        for at in range(min(by_month), min(month - 1, cohort.expiry_month) + 1):
            flow = by_month.get(at, Flow())
            at_risk = held + flow.entered - flow.withdrawn
            if at_risk > 0:
                basis = ages[at - cohort.earned_month]
                basis.cohorts.add(cohort.earned_month)
                basis.at_risk += at_risk
                basis.redeemed += flow.redeemed
            held += flow.net
    return dict(sorted(ages.items()))


def _survival(ages: Mapping[int, AgeBasis], to_come: range) -> Fraction:
    share = Fraction(1)
    for age in to_come:
        share *= ages[age].kept
    return share


def _status(estimated: int, unknown: int) -> BreakageStatus:
    if unknown:
        return BreakageStatus.PARTLY_ESTIMATED if estimated else BreakageStatus.TOO_LITTLE_HISTORY
    return BreakageStatus.ESTIMATED if estimated else BreakageStatus.NOTHING_EXPIRES
