"""Lots: the parts of a balance, each with its own origin and expiry, and their order."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from services.points.domain.assets import Asset

NEVER = datetime.max.replace(tzinfo=UTC)
"""Sorts after every expiry."""


@dataclass(slots=True, eq=False)
class Lot:
    """One lot of a member's account; it equals only itself.

    `number` counts from 1 per member. `amount` went in first; `remaining` of it is left, of
    which holds have pinned `held`, and `expired` is what expiry has taken (again, where a reversal
    had given it back). `order` is the place in which lots are spent: (expiry with none last,
    earned at, number).
    """

    number: int
    asset: Asset
    amount: int
    remaining: int
    expired: int
    earned_at: datetime
    expires_at: datetime | None
    held: int = 0
    order: tuple[datetime, datetime, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.order = (self.expires_at or NEVER, self.earned_at, self.number)

    def extend(self, expires_at: datetime) -> None:
        """Give it a later end, and the place among others that goes with it."""
        self.expires_at = expires_at
        self.order = (expires_at, self.earned_at, self.number)

    @property
    def free(self) -> int:
        """What no hold has pinned: all that plain spending and expiry may take."""
        return self.remaining - self.held

    def due(self, now: datetime) -> bool:
        """Whether its end has come: from that instant on only holds can spend it."""
        return self.expires_at is not None and self.expires_at <= now


class NextExpiry(NamedTuple):
    """The open lot that expires first, as an account remembers it without loading its lots.

    `remaining` is its free part.
    """

    expires_at: datetime
    earned_at: datetime
    remaining: int


def next_expiry_of(lot: Lot) -> NextExpiry | None:
    """What an account remembers when `lot` is the first of its open lots."""
    if lot.expires_at is None:
        return None
    return NextExpiry(lot.expires_at, lot.earned_at, lot.remaining - lot.held)
