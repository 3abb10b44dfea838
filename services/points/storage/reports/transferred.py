"""Where transferred points come from: the sources of the lot that was first issued.

A transfer posts as many lines to the giver as to the receiver, each part of a lot against its new
lot, so a line leads back to the lot it was taken from; and from there on, if that came by a
transfer itself, until one that was earned. Members whose lots are led to may be in any range.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from services.points.storage.reports.ranges import Driver

# LATERAL with OFFSET 0: by keys whatever the statistics say, since each range asks again.
_ARRIVED: Final = """
SELECT here.member_id, here.lot_number, there.member_id, there.lot_number
FROM postings AS here
CROSS JOIN LATERAL (
    SELECT from_member_id, from_version FROM transfers
    WHERE transfer_id = here.reference_id OFFSET 0
) AS t
CROSS JOIN LATERAL (
    SELECT member_id, lot_number FROM postings
    WHERE member_id = t.from_member_id AND version = t.from_version AND line = here.line OFFSET 0
) AS there
WHERE here.house = 'TRANSFER' AND here.amount > 0 AND coalesce(here.posted_at <= %(as_of)s, true)
"""
_IN_RANGE: Final = f"{_ARRIVED} AND here.member_id BETWEEN %(low)s AND %(high)s"
_OF_MEMBERS: Final = f"{_ARRIVED} AND here.member_id = ANY(%(members)s::uuid[])"
_GIVEN: Final = """
SELECT member_id, lot_number, house::text, funder::text, merchant_id, rule, sum(amount)::bigint,
       min(line)
FROM postings JOIN unnest(%(members)s::uuid[], %(lots)s::integer[])
                   AS root (member_id, lot_number) USING (member_id, lot_number)
WHERE postings.member_id = ANY(%(members)s::uuid[])
  AND amount > 0 AND house NOT IN ('REDEEMED', 'SETTLEMENT', 'TRANSFER')
  AND coalesce(posted_at <= %(as_of)s, true)
GROUP BY 1, 2, 3, 4, 5, 6
"""


class LotKey(NamedTuple):
    """Names a lot."""

    member_id: UUID
    lot_number: int


class Inherited(NamedTuple):
    """One source of a transferred lot, with the weight it had in the lot that was first issued."""

    member_id: UUID
    lot_number: int
    house: str
    funder: str | None
    merchant_id: UUID | None
    rule: str
    weight: int
    place: int


def inherited(
    driver: Driver, range_bounds: dict[str, UUID], as_of: datetime | None
) -> dict[str, list[Any]]:
    """The sources of the range's transferred lots, as a list for each field of `Inherited`."""
    asked = {**range_bounds, "as_of": as_of}
    parents = _arrivals(driver, _IN_RANGE, asked)
    arrived = list(parents)
    known = {lot.member_id for lot in arrived}
    while further := {lot.member_id for lot in parents.values()} - known:
        known |= further
        parents |= _arrivals(driver, _OF_MEMBERS, {**asked, "members": list(further)})
    roots = {lot: _root(lot, parents) for lot in arrived}
    given = _given(driver, set(roots.values()), as_of)
    rows = [Inherited(*lot, *source) for lot in arrived for source in given[roots[lot]]]
    return {field: [row[place] for row in rows] for place, field in enumerate(Inherited._fields)}


def _arrivals(driver: Driver, statement: str, asked: dict[str, Any]) -> dict[LotKey, LotKey]:
    """Each lot that came by a transfer, with the lot it was taken from."""
    rows = driver.execute(statement.encode(), asked)
    return {LotKey(*row[:2]): LotKey(*row[2:]) for row in rows}


def _root(lot: LotKey, parents: dict[LotKey, LotKey]) -> LotKey:
    """The lot that was earned; a lot is taken from an older one, so this ends."""
    while lot in parents:
        lot = parents[lot]
    return lot


def _given(
    driver: Driver, roots: Collection[LotKey], as_of: datetime | None
) -> dict[LotKey, list[tuple[Any, ...]]]:
    """By what each lot was filled: the fields of `Inherited` after its name."""
    found: dict[LotKey, list[tuple[Any, ...]]] = {root: [] for root in roots}
    names = sorted(roots)
    asked = {
        "members": [name.member_id for name in names],
        "lots": [name.lot_number for name in names],
        "as_of": as_of,
    }
    for member_id, lot_number, *source in driver.execute(_GIVEN, asked):
        found[LotKey(member_id, lot_number)].append(tuple(source))
    return found
