"""Recorded history for dry runs: posted checkouts with their facts, member by member."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from threading import Event
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from chassis.storage import sets
from services.points.domain.dry_runs import (
    RecordedCheckout,
    RecordedReversal,
    Tally,
    counters_to_load,
    range_state,
    try_member,
)
from services.points.domain.limits import Counter
from services.points.domain.programme import Programme
from services.points.domain.purchases import Place, Purchase
from services.points.storage import purchase_facts

STATEMENT_TIMEOUT_SECONDS: Final = 600
ROWS_AT_ONCE: Final = 2_000
PROGRESS_EVERY_CHECKOUTS: Final = 5_000
LAST_MEMBER: Final = UUID(int=2**128 - 1)

_RANGE = "c.posted_at >= %(posted_from)s AND c.posted_at < %(posted_until)s"
# Where caps are counted, all that came since the range began is needed to know where they stood.
_SINCE = """(c.posted_at >= %(posted_from)s OR c.checkout_id IN (
    SELECT checkout_id FROM reversals WHERE reversed_at >= %(posted_from)s))"""
_CHECKOUTS = """
SELECT c.member_id, c.checkout_id, c.version, c.posted_at, c.occurred_at, c.currency,
       c.merchant_id, c.outlet_id, c.terminal_id, c.property_code, c.facts,
       (SELECT jsonb_agg(jsonb_build_array(r.version, r.amount_minor,
                                           r.reversed_at < %(posted_from)s) ORDER BY r.version)
        FROM reversals AS r WHERE r.checkout_id = c.checkout_id AND c.reversed_minor > 0),
       (SELECT jsonb_agg(jsonb_build_array(given.rule, given.points)
                         ORDER BY given.waits, given.line) FROM (
            SELECT p.rule, p.amount AS points, false AS waits, p.line FROM postings AS p
            WHERE p.member_id = c.member_id AND p.version = c.version AND p.funder IS NOT NULL
            UNION ALL
            SELECT w.rule, w.points, true, w.line FROM pending_points AS w
            WHERE w.member_id = c.member_id AND w.version = c.version
        ) AS given)
FROM checkouts AS c
WHERE c.state <> 'CANCELLED' AND c.kind IS DISTINCT FROM 'CAPTURE' AND {range}
  AND c.member_id >= %(member_from)s AND c.member_id < %(member_until)s
ORDER BY c.member_id, c.version
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried on which purchases; `checkouts_max` bounds how many."""

    programme: Programme
    posted_from: datetime
    posted_until: datetime
    member_from: UUID
    member_until: UUID
    checkouts_max: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run has found so far; `next_member` is None where it went through all of its range."""

    tally: Tally
    next_member: UUID | None
    done: bool


def run(
    connection: Connection, trial: Trial, report: Callable[[Progress], None], stopping: Event
) -> None:
    """Go through the history in one snapshot and report what is found, at last all of it.

    Reports come from this thread, and the tally in them goes on changing. Ends early, silently,
    once `stopping` is set.
    """
    driver = sets.driver(connection)
    driver.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_SECONDS:d}s'")
    tally, reported = Tally(), 0
    for member_id, checkouts, without_facts in _members(connection, trial):
        if stopping.is_set():
            return
        if tally.checkouts >= trial.checkouts_max:
            report(Progress(tally, member_id, done=True))
            return
        tally.checkouts_without_facts += without_facts
        given = _given(connection, trial.programme, checkouts)
        try_member(trial.programme, checkouts, given, tally)
        if tally.checkouts - reported >= PROGRESS_EVERY_CHECKOUTS:
            reported = tally.checkouts
            report(Progress(tally, member_id, done=False))
    report(Progress(tally, None, done=True))


def _members(
    connection: Connection, trial: Trial
) -> Iterator[tuple[UUID, list[RecordedCheckout], int]]:
    """Each member with its checkouts in order, and how many of the range were without facts."""
    bounds = {
        "posted_from": trial.posted_from,
        "posted_until": trial.posted_until,
        "member_from": trial.member_from,
        "member_until": trial.member_until,
    }
    where = _SINCE if trial.programme.rules.counted else _RANGE
    with sets.driver(connection).cursor(name="dry_run") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(_CHECKOUTS.format(range=where).encode(), bounds)
        for member_id, rows in groupby(cursor, key=lambda row: row[0]):
            checkouts, without_facts = [], 0
            for row in rows:
                if row[10] is not None:
                    checkouts.append(_recorded(row, trial))
                elif range_state(row[3], trial.posted_from, trial.posted_until)[0]:
                    without_facts += 1
            yield member_id, checkouts, without_facts


def _recorded(row: Sequence[Any], trial: Trial) -> RecordedCheckout:
    facts = purchase_facts.decode(row[10])
    purchase = Purchase(
        row[0],
        Place(row[6], row[7], row[8], row[9], ZoneInfo(facts.zone)),
        row[5],
        row[4],
        facts.facts,
        facts.lines,
        facts.redeem_points,
        facts.pay_stored_value_minor,
        facts.stay,
        facts.season,
    )
    in_range, before_range = range_state(row[3], trial.posted_from, trial.posted_until)
    return RecordedCheckout(
        row[1],
        row[2],
        row[3],
        _reversals(row[11] or ()),
        in_range,
        before_range,
        purchase,
        facts.first_purchase,
        facts.not_earning_minor,
        dict(row[12] or ()),
    )


def _reversals(found: Sequence[Sequence[Any]]) -> tuple[RecordedReversal, ...]:
    """The reversals of one checkout, each with what is refunded in all after it."""
    refunded, reversals = 0, []
    for version, amount_minor, before_range in found:
        refunded += amount_minor
        reversals.append(RecordedReversal(version, refunded, before_range))
    return tuple(reversals)


def _given(
    connection: Connection, programme: Programme, checkouts: Sequence[RecordedCheckout]
) -> dict[Counter, int]:
    """What the rules with counted caps have given one member by now."""
    counters = sorted(counters_to_load(programme.rules, checkouts))
    rows = sets.select_by_keys(
        connection,
        "rule_usage",
        {
            "member_id": ("uuid", [each.member_id for each in counters]),
            "rule": ("text", [each.rule for each in counters]),
            "period": ("text", [each.period for each in counters]),
        },
        select=("member_id", "rule", "period", "points"),
    )
    return {Counter(*row[:3]): row[3] for row in rows}
