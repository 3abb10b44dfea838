"""Reversals: what earlier ones of a checkout took back, and what they gave back."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from chassis.storage import sets
from services.points.domain.parts import Parts, Returned
from services.points.domain.records import Checkout
from services.points.storage import tables

CHECKOUT_COLUMNS = tuple(tables.RETURNED)
"""What a checkout's row says of its reversals, in the order that `returned` reads."""

# What rules have got back of the points they gave a checkout: in the journal, by the entries of
# its reversals, that is by primary keys. A debt is posted against the rule too.
_TAKEN_BACK = """
SELECT r.checkout_id, p.rule, -sum(p.amount)::bigint
FROM unnest(%s::uuid[]) AS v(checkout_id)
JOIN reversals AS r ON r.checkout_id = v.checkout_id
JOIN postings AS p ON p.member_id = r.member_id AND p.version = r.version
WHERE p.house IN ('ISSUED', 'FUNDING')
GROUP BY r.checkout_id, p.rule
"""


def returned(row: sets.Row) -> Returned:
    """What reversals have given back so far, of a row of CHECKOUT_COLUMNS; NULL before any."""
    reversed_minor, points, points_value, cash, bonus = row
    if reversed_minor is None:
        return Returned()
    money = reversed_minor - points_value - cash - bonus
    return Returned(Parts(points_value, cash, bonus, money), points)


def load_taken_back(connection: Connection, checkouts: Collection[Checkout]) -> None:
    """Complete those of `checkouts` of which something is reversed already."""
    known = {each.checkout_id: each for each in checkouts if each.returned.parts.amount_minor}
    if not known:
        return
    ids = {"checkout_id": ("uuid", sorted(known))}
    for checkout_id, rule, points in sets.execute(connection, _TAKEN_BACK, ids):
        known[checkout_id].taken_back[rule] = points
