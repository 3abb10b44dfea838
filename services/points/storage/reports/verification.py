"""Verification: every balance, lot, debt and house account recomputed from postings, compared."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from chassis.storage import sets
from services.points.domain.assets import Asset
from services.points.domain.verification import Looked, Verification
from services.points.storage.reports.checks import CHECKS, differences
from services.points.storage.reports.ranges import (
    RANGE_ROWS,
    Driver,
    KeyRange,
    begin,
    key_ranges,
    member_ranges,
)
from services.points.storage.reports.records import RECORD_CHECKS
from services.points.storage.reports.versions import VersionCheck

_STORED = """
SELECT count(*), coalesce(sum(points), 0)::bigint, coalesce(sum(cash_minor), 0)::bigint,
       coalesce(sum(bonus_minor), 0)::bigint, coalesce(sum(points_debt), 0)::bigint,
       coalesce(sum(points_pending), 0)::bigint
FROM members WHERE member_id BETWEEN %(low)s AND %(high)s
"""
_IN_LOTS = """
SELECT asset::text, count(*), sum(remaining)::bigint, sum(held)::bigint FROM lots
WHERE member_id BETWEEN %(low)s AND %(high)s GROUP BY asset
"""
_HOUSES = """
SELECT asset::text, house::text, count(*), -sum(amount)::bigint FROM postings
WHERE member_id BETWEEN %(low)s AND %(high)s GROUP BY asset, house ORDER BY asset, house
"""
_CHECKOUTS = """
SELECT count(*) FILTER (WHERE state <> 'CANCELLED'), count(*) FILTER (WHERE state = 'REVERSED'),
       count(*) FILTER (WHERE state = 'CANCELLED'),
       (SELECT count(*) FROM reversals AS r JOIN checkouts AS c USING (checkout_id)
        WHERE c.kind = 'CHECKOUT' AND r.checkout_id BETWEEN %(low)s AND %(high)s),
       coalesce(sum(reversed_minor), 0)::bigint
FROM checkouts WHERE kind = 'CHECKOUT' AND checkout_id BETWEEN %(low)s AND %(high)s
"""

Progress = Callable[[Looked], None]
"""Called after each range with what was looked at so far; may raise to give up."""


def verify(
    connection: Connection,
    progress: Progress = lambda _: None,
    range_rows: int = RANGE_ROWS,
) -> Verification:
    """Recompute the books a range of `range_rows` members at a time, then the records', compare.

    Looks at everything once and more; the caller gives one REPEATABLE READ transaction, so that
    services may go on writing, and should know that it holds back vacuum meanwhile.
    """
    driver = begin(connection)
    found = Verification()
    _verify_members(driver, found, progress, range_rows)
    _verify_records(driver, found, progress, range_rows)
    return found


def _verify_members(
    driver: Driver, found: Verification, progress: Progress, range_rows: int
) -> None:
    versions = VersionCheck(driver)
    for keys in member_ranges(driver, range_rows):
        _add_totals(driver, keys, found)
        for check in CHECKS:
            found.note_all(differences(driver, check, keys))
        found.note_all(versions.look_at(keys))
        progress(found.looked)
    found.note_all(versions.finish())


def _verify_records(
    driver: Driver, found: Verification, progress: Progress, range_rows: int
) -> None:
    for record in RECORD_CHECKS:
        counting = (
            f"SELECT count(*) FROM {record.table} WHERE {record.key} BETWEEN %(low)s AND %(high)s"
        )
        for keys in key_ranges(driver, record.table, record.key, range_rows):
            found.note_all(differences(driver, record.statement, keys))
            found.looked.records += _one(driver, counting, keys)[0]
            progress(found.looked)
    for keys in key_ranges(driver, "checkouts", "checkout_id", range_rows):
        posted, reversed_, cancelled, reversals, reversed_minor = _one(driver, _CHECKOUTS, keys)
        found.checkouts_posted += posted
        found.checkouts_reversed += reversed_
        found.checkouts_cancelled += cancelled
        found.reversals += reversals
        found.reversed_minor += reversed_minor


def _add_totals(driver: Driver, keys: KeyRange, found: Verification) -> None:
    members, points, cash_minor, bonus_minor, debt, pending = _one(driver, _STORED, keys)
    found.looked.members += members
    for asset, balance in zip(Asset, (points, cash_minor, bonus_minor), strict=True):
        found.of(asset).member_balances += balance
    found.of(Asset.POINTS).debt += debt
    found.of(Asset.POINTS).pending += pending
    for asset, lots, remaining, held in driver.execute(_IN_LOTS, keys.parameters):
        found.looked.lots += lots
        found.of(Asset(asset)).open_lots += remaining
        found.of(Asset(asset)).held += held
    for asset, house, postings, total in driver.execute(_HOUSES, keys.parameters):
        found.looked.postings += postings
        totals = found.of(Asset(asset)).house_totals
        totals[house] = totals.get(house, 0) + total


def _one(driver: Driver, statement: str, keys: KeyRange) -> sets.Row:
    row = driver.execute(statement, keys.parameters).fetchone()
    assert row is not None, "an aggregate has one row"
    return row
