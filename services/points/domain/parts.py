"""The parts that pay a bill, and which of them a refund of an amount gives back.

After each reversal the parts given back are the bill's parts in proportion to all that was
refunded so far, by largest remainder, so they add up to it to the fen; what one reversal gives is
that less what earlier ones have given, and never negative. Equal remainders go to the earlier part
in the order points, CASH, BONUS, money. The last reversal gives exactly all the rest.

Points follow their worth: after each reversal floor(points x worth given back / their worth) are
back. Where a point is worth more than a fen, a fraction waits for a later reversal.
"""

from __future__ import annotations

from typing import NamedTuple

from services.points.domain.shares import allocate_further


class Parts(NamedTuple):
    """Parts of a bill, in fen."""

    points_value_minor: int = 0
    cash_minor: int = 0
    bonus_minor: int = 0
    money_minor: int = 0

    @property
    def amount_minor(self) -> int:
        """What they add up to."""
        return sum(self)

    def less(self, other: Parts) -> Parts:
        """What is left of them, part by part."""
        return Parts(*[mine - theirs for mine, theirs in zip(self, other, strict=True)])


class Returned(NamedTuple):
    """What reversals give back: the parts, and the points that the first of them is worth."""

    parts: Parts = Parts()
    points: int = 0

    def less(self, other: Returned) -> Returned:
        """What is given back besides `other`."""
        return Returned(self.parts.less(other.parts), self.points - other.points)


NOTHING = Returned()


def returned_after(paid: Returned, before: Returned, amount_minor: int) -> Returned:
    """All that is back of what was `paid` when `amount_minor` more than `before` is refunded."""
    total = before.parts.amount_minor + amount_minor
    parts = Parts(*allocate_further(total, paid.parts, before.parts))
    worth = paid.parts.points_value_minor
    points = paid.points * parts.points_value_minor // worth if worth else paid.points
    return Returned(parts, points)
