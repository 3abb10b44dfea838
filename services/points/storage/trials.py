"""Trials of a programme on recorded history, in one snapshot.

Without total budgets members are independent, and the run goes from one to the next: it can be cut
into ranges of them, and nothing is kept of one who is done. With budgets it goes by time over all
members, since who comes first gets them; purchases of one instant go by member. What was given
before the range is found by taking from the counters of today what has come since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from threading import Event
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from services.points.domain.dry_runs import (
    Attempt,
    RecordedCheckout,
    RecordedReversal,
    Tally,
    rewind,
    try_member,
)
from services.points.domain.limits import Limits
from services.points.storage.history import (
    Trial,
    budgets_by_now,
    by_member,
    by_time,
    given_by_now,
)

PROGRESS_EVERY_CHECKOUTS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run has found so far.

    One that stopped at its bound goes on from `next_member`, or came, by time, to `stopped_at`.
    """

    tally: Tally
    done: bool = False
    next_member: UUID | None = None
    stopped_at: datetime | None = None

    @property
    def complete(self) -> bool:
        """Whether all that was asked for was looked at."""
        return self.done and self.next_member is None and self.stopped_at is None


Report = Callable[[Progress], None]


def run(connection: Connection, trial: Trial, report: Report, stopping: Event) -> None:
    """Go through the history and report what is found, at last all of it.

    Reports come from this thread, and the tally in them goes on changing. Ends early, silently,
    once `stopping` is set.
    """
    if trial.programme.rules.budgeted:
        _run_by_time(connection, trial, report, stopping)
    else:
        _run_by_member(connection, trial, report, stopping)


def _run_by_member(connection: Connection, trial: Trial, report: Report, stopping: Event) -> None:
    tally, reported = Tally(), 0
    since = bool(trial.programme.rules.counted)
    for member_id, checkouts, without_facts in by_member(connection, trial, since=since):
        if stopping.is_set():
            return
        if tally.checkouts >= trial.checkouts_max:
            report(Progress(tally, done=True, next_member=member_id))
            return
        tally.checkouts_without_facts += without_facts
        given = given_by_now(connection, trial.programme, checkouts)
        try_member(trial.programme, checkouts, given, tally)
        if tally.checkouts - reported >= PROGRESS_EVERY_CHECKOUTS:
            reported = tally.checkouts
            report(Progress(tally, next_member=member_id))
    report(Progress(tally, done=True))


def _run_by_time(connection: Connection, trial: Trial, report: Report, stopping: Event) -> None:
    tally = Tally()
    limits = _limits_before(connection, trial, stopping)
    if limits is None:
        return
    attempt = Attempt(trial.programme.rules, limits, tally)
    waiting = _Reversals()
    for checkout in by_time(connection, trial):
        if stopping.is_set():
            return
        if checkout is None:
            tally.checkouts_without_facts += 1
            continue
        if tally.checkouts >= trial.checkouts_max:
            report(Progress(tally, done=True, stopped_at=checkout.posted_at))
            return
        for undone, reversal in waiting.until(checkout):
            attempt.reverse(undone, reversal)
        attempt.post(checkout)
        waiting.add(checkout)
        if checkout.in_range and not tally.checkouts % PROGRESS_EVERY_CHECKOUTS:
            report(Progress(tally))
    report(Progress(tally, done=True))


def _limits_before(connection: Connection, trial: Trial, stopping: Event) -> Limits | None:
    """What had been given when the range began, budgets by everybody; None once `stopping` is set.

    Nothing is looked for where nothing was ever given: a campaign that is to come.
    """
    rules = trial.programme.rules
    limits = Limits(budgets=budgets_by_now(connection, rules))
    begun = any(budget.given_points for budget in limits.budgets.values())
    if not begun and not rules.counted:
        return limits
    for member_id, checkouts, _ in by_member(
        connection, trial.everybody if begun else trial, since=True
    ):
        if stopping.is_set():
            return None
        own = Limits(budgets=limits.budgets)
        if trial.has(member_id):
            own.given = given_by_now(connection, trial.programme, checkouts)
        rewind(rules, checkouts, own)
        if trial.has(member_id):
            limits.given |= {counter: points for counter, points in own.given.items() if points}
    return limits


class _Reversals:
    """What is still to be undone of the checkouts that have come, the earliest first."""

    def __init__(self) -> None:
        self._waiting: list[tuple[datetime, UUID, int, RecordedCheckout, RecordedReversal]] = []

    def add(self, checkout: RecordedCheckout) -> None:
        member_id = checkout.purchase.member_id
        for each in checkout.reversals:
            if not each.before_range:
                entry = (each.reversed_at, member_id, each.version, checkout, each)
                heappush(self._waiting, entry)

    def until(
        self, checkout: RecordedCheckout
    ) -> Iterator[tuple[RecordedCheckout, RecordedReversal]]:
        """Those that came before a checkout."""
        now = (checkout.posted_at, checkout.purchase.member_id, checkout.version)
        while self._waiting and self._waiting[0][:3] < now:
            _, _, _, undone, reversal = heappop(self._waiting)
            yield undone, reversal
