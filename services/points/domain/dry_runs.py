"""Dry runs: recorded purchases earn again by another programme, and the difference is told.

The very rules code that posts is run. Caps and total budgets are counted as if the programme tried
had been in force from the range's first purchase on, beginning at what had been given until then.
Where there are budgets, purchases must come in the order of time, for who comes first gets them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from heapq import heappush, heappushpop
from typing import Final, NamedTuple
from uuid import UUID

from services.points.domain.earning import EarnedBy, earned_points
from services.points.domain.inquiry import Inquiry, RuleFault
from services.points.domain.limits import Counter, Limits, counters_of
from services.points.domain.pending import with_waiting
from services.points.domain.programme import Programme
from services.points.domain.purchases import Purchase
from services.points.domain.rules import RuleBook
from services.points.domain.shares import allocate_further

EXAMPLES_MAX: Final = 10
EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


class RecordedReversal(NamedTuple):
    """An entry that undid a checkout by whole or part, `refunded_minor` of its bill in all then.

    `reversed_at` is asked for where members are tried together, in the order of time.
    """

    version: int
    refunded_minor: int
    before_range: bool
    reversed_at: datetime = EARLIEST


@dataclass(frozen=True, slots=True)
class RecordedCheckout:
    """A posted checkout with the facts that were kept; `earned` are its points by rule.

    One outside of the range only tells what its rules gave. `reversals` are in their order,
    `earned` in that in which reversals claim: what could be spent at once, then what waited.
    """

    checkout_id: UUID
    version: int
    posted_at: datetime
    reversals: tuple[RecordedReversal, ...]
    in_range: bool
    before_range: bool
    purchase: Purchase
    first_purchase: bool
    not_earning_minor: int
    earned: Mapping[str, int]

    @property
    def day(self) -> date:
        return self.purchase.occurred_at.astimezone(self.purchase.place.zone).date()


@dataclass(slots=True)
class RuleTally:
    """What one rule gave and would have given, and in how many purchases."""

    checkouts_recorded: int = 0
    checkouts_tried: int = 0
    points_recorded: int = 0
    points_tried: int = 0
    faults: int = 0


class Example(NamedTuple):
    """A purchase with a difference; ordered by its size, then by id."""

    size: int
    checkout_id: UUID
    member_id: UUID
    points_recorded: int
    points_tried: int


@dataclass(slots=True)
class Tally:
    """The difference found so far; `examples` is a heap of the largest."""

    checkouts: int = 0
    checkouts_changed: int = 0
    checkouts_without_facts: int = 0
    points_recorded: int = 0
    points_tried: int = 0
    rules: dict[str, RuleTally] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)

    def add(
        self, checkout: RecordedCheckout, tried: Sequence[EarnedBy], faults: Iterable[RuleFault]
    ) -> None:
        """Compare what a purchase has earned with what it would have."""
        recorded = sum(checkout.earned.values())
        would = sum(by.points for by in tried)
        self.checkouts += 1
        self.points_recorded += recorded
        self.points_tried += would
        self._add_rules(checkout.earned, tried, faults)
        if dict(checkout.earned) != {by.rule: by.points for by in tried}:
            self.checkouts_changed += 1
            self._show(checkout, recorded, would)

    def _add_rules(
        self,
        recorded: Mapping[str, int],
        tried: Sequence[EarnedBy],
        faults: Iterable[RuleFault],
    ) -> None:
        for code, points in recorded.items():
            tally = self.rules.setdefault(code, RuleTally())
            tally.checkouts_recorded += 1
            tally.points_recorded += points
        for by in tried:
            tally = self.rules.setdefault(by.rule, RuleTally())
            tally.checkouts_tried += 1
            tally.points_tried += by.points
        for fault in faults:
            self.rules.setdefault(fault.rule, RuleTally()).faults += 1

    def _show(self, checkout: RecordedCheckout, recorded: int, would: int) -> None:
        member_id = checkout.purchase.member_id
        size = abs(would - recorded)
        example = Example(size, checkout.checkout_id, member_id, recorded, would)
        if len(self.examples) < EXAMPLES_MAX:
            heappush(self.examples, example)
        else:
            heappushpop(self.examples, example)


class Attempt:
    """A programme earning recorded purchases again, one after the other, under its limits."""

    def __init__(self, rules: RuleBook, limits: Limits, tally: Tally) -> None:
        self._rules = rules
        self._limits = limits
        self._tally = tally
        self._tried: dict[UUID, Mapping[str, int]] = {}

    def post(self, checkout: RecordedCheckout) -> None:
        """Let a purchase of the range earn, and tell the difference; others only tell."""
        if not checkout.in_range:
            return
        purchase = checkout.purchase
        inquiry = Inquiry(purchase, first_purchase=checkout.first_purchase, limits=self._limits)
        earned = earned_points(self._rules, purchase, checkout.not_earning_minor, inquiry)
        given = _as_claimed(self._rules, checkout, earned)
        if checkout.reversals:
            self._tried[checkout.checkout_id] = given
        _count(self._rules, self._limits, checkout, given, 1)
        self._tally.add(checkout, earned, inquiry.faults)

    def reverse(self, checkout: RecordedCheckout, reversal: RecordedReversal) -> None:
        """Give back what the purchase was given here, or before the range as it is recorded."""
        tried = self._tried.get(checkout.checkout_id)
        gave = checkout.earned if checkout.before_range else tried
        if gave is not None and not reversal.before_range:
            claimed = _claimed(checkout, gave, reversal)
            _count(self._rules, self._limits, checkout, claimed, -1)


def subject(programme: Programme, *, ignore_rule_validity: bool) -> Programme:
    """What is tried of a programme: all of it, or its rules without their validity."""
    if not ignore_rule_validity:
        return programme
    rules = [replace(rule, valid_from=None, valid_until=None) for rule in programme.earning_rules]
    return replace(programme, earning_rules=tuple(rules))


def try_member(
    programme: Programme,
    checkouts: Sequence[RecordedCheckout],
    given_by_now: Mapping[Counter, int],
    tally: Tally,
) -> None:
    """Let one member's purchases, in the order of their entries, earn by `programme`.

    It has no total budgets. `given_by_now` are the counters as they stand; `checkouts` has then all
    of the member's that were posted or reversed since the range began.
    """
    rules, limits = programme.rules, Limits(dict(given_by_now))
    rewind(rules, checkouts, limits)
    attempt = Attempt(rules, limits, tally)
    for checkout, reversal in _in_order(checkouts):
        if reversal is None:
            attempt.post(checkout)
        else:
            attempt.reverse(checkout, reversal)


def _as_claimed(
    rules: RuleBook, checkout: RecordedCheckout, earned: Sequence[EarnedBy]
) -> dict[str, int]:
    """What was earned by rule, in the order in which reversals claim it."""
    if rules.waiting:
        waiting = with_waiting(rules, checkout.purchase, earned, checkout.posted_at)
        earned = sorted(waiting, key=lambda by: by.pending_until is not None)
    return {by.rule: by.points for by in earned}


def _in_order(
    checkouts: Sequence[RecordedCheckout],
) -> list[tuple[RecordedCheckout, RecordedReversal | None]]:
    """The member's postings and reversals, each with which it is, by their entries."""
    steps: list[tuple[int, RecordedCheckout, RecordedReversal | None]] = []
    for each in checkouts:
        steps.append((each.version, each, None))
        steps += [(reversal.version, each, reversal) for reversal in each.reversals]
    return [(each, reversal) for _, each, reversal in sorted(steps, key=lambda step: step[0])]


def rewind(rules: RuleBook, checkouts: Sequence[RecordedCheckout], limits: Limits) -> None:
    """Take from the counters and budgets what came since the range began.

    They come as they stand; `checkouts` are all that one member posted or reversed since.
    """
    for each in checkouts:
        for reversal in each.reversals:
            if not reversal.before_range:  # given back since
                _count(rules, limits, each, _claimed(each, each.earned, reversal), 1)
    for each in checkouts:
        if not each.before_range:
            _count(rules, limits, each, each.earned, -1)


def _claimed(
    checkout: RecordedCheckout, gave: Mapping[str, int], reversal: RecordedReversal
) -> dict[str, int]:
    """What one reversal takes back of what rules gave, as reversals claim it.

    What had expired by then, which a reversal leaves alone, is not known here: it is given back.
    """
    bill, shares = checkout.purchase.bill_minor, [0] * len(gave)
    for each in checkout.reversals:
        before, total = shares, sum(gave.values())
        due = total * each.refunded_minor // bill if bill else total
        shares = allocate_further(max(due, sum(before)), list(gave.values()), before)
        if each is reversal:
            break
    claimed = [share - earlier for share, earlier in zip(shares, before, strict=True)]
    return dict(zip(gave, claimed, strict=True))


def _count(
    rules: RuleBook,
    limits: Limits,
    checkout: RecordedCheckout,
    given: Mapping[str, int],
    sign: int,
) -> None:
    if not rules.limited:
        return
    for code, points in given.items():
        rule = rules.limited.get(code)
        if rule is not None:
            limits.take(rule, checkout.purchase.member_id, checkout.day, sign * points)


def counters_to_load(rules: RuleBook, checkouts: Sequence[RecordedCheckout]) -> set[Counter]:
    """The counters that trying these purchases of one member may ask for."""
    return {
        counter
        for each in checkouts
        for counter in counters_of(rules, each.purchase.member_id, each.day)
    }


def largest_first(tally: Tally) -> list[Example]:
    """The examples, the largest difference first."""
    return sorted(tally.examples, reverse=True)


def range_state(
    posted_at: datetime, posted_from: datetime, posted_until: datetime
) -> tuple[bool, bool]:
    """Whether an instant lies in the range, and whether it lies before it."""
    return posted_from <= posted_at < posted_until, posted_at < posted_from
