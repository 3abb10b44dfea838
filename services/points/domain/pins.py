"""Pins: which parts of which lots a hold has set aside, and the hold as an account knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from services.points.domain import errors
from services.points.domain.assets import Asset
from services.points.domain.lots import Lot
from services.points.domain.shares import allocate

_ASSETS: Final = tuple(Asset)


class HoldState(StrEnum):
    """Where a hold stands; all but OPEN are final."""

    OPEN = "OPEN"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


class Pin(NamedTuple):
    """A part of a lot that only one hold can spend, also after the lot's end."""

    lot: Lot
    amount: int


def spend_order(pin: Pin) -> tuple[int, tuple[datetime, datetime, int]]:
    """The order of a hold's pins: by asset, then as their lots are spent."""
    return _ASSETS.index(pin.lot.asset), pin.lot.order


class Amounts(NamedTuple):
    """Points and the two parts of stored value (fen): what a hold has, captures or gives back."""

    points: int = 0
    cash_minor: int = 0
    bonus_minor: int = 0

    @property
    def stored_value_minor(self) -> int:
        return self.cash_minor + self.bonus_minor

    def of(self, asset: Asset) -> int:
        if asset is Asset.POINTS:
            return self.points
        return self.cash_minor if asset is Asset.CASH else self.bonus_minor

    def without(self, taken: Amounts) -> Amounts:
        """What is left when `taken`, which is no more of anything, is gone."""
        return Amounts(
            self.points - taken.points,
            self.cash_minor - taken.cash_minor,
            self.bonus_minor - taken.bonus_minor,
        )


NOTHING = Amounts()


@dataclass(slots=True, eq=False)
class Hold:
    """One hold id for ever.

    `held` is what it was authorised with. `checkout_id` is that of the checkout it belongs to and
    `timeout_at` when a direct one ends by itself: it has one of both, but neither where it was
    released before it was authorised; then `authorized_at` is None too. `pins`, by asset and in
    spend order, are there while it is open; None where they were not loaded, since nothing that
    the batch does can resolve it. `merchant_id` is whose till authorised it;
    `version` and `resolved_version` are those of the events that told of its beginning and end.
    """

    hold_id: UUID
    member_id: UUID
    state: HoldState
    currency: str = ""
    held: Amounts = NOTHING
    checkout_id: UUID | None = None
    authorized_at: datetime | None = None
    timeout_at: datetime | None = None
    pins: list[Pin] | None = field(default_factory=list)
    resolved_at: datetime | None = None
    captured: Amounts = NOTHING
    version: int | None = None
    resolved_version: int | None = None
    merchant_id: UUID | None = None

    def timed_out(self, now: datetime) -> bool:
        """Whether its timeout has come; from that instant on nothing can capture it."""
        return (
            self.state is HoldState.OPEN and self.timeout_at is not None and self.timeout_at <= now
        )

    def state_at(self, now: datetime) -> HoldState:
        """Where it stands at `now`, whether or not its timeout was noted yet."""
        return HoldState.EXPIRED if self.timed_out(now) else self.state

    def pinned(self) -> list[Pin]:
        """Its pins, which somebody needs."""
        assert self.pins is not None, "a hold is resolved whose pins were not loaded"
        return self.pins


def parts_to_capture(hold: Hold, points: int, stored_value_minor: int) -> Amounts:
    """What capturing takes: CASH and BONUS as the hold has them, by largest remainder.

    The odd fen of equal remainders comes from CASH. Refuses CAPTURE_EXCEEDS_HOLD.
    """
    held = hold.held
    if points > held.points or stored_value_minor > held.stored_value_minor:
        raise errors.capture_exceeds_hold(held.points, held.stored_value_minor)
    cash, bonus = allocate(stored_value_minor, (held.cash_minor, held.bonus_minor))
    return Amounts(points, cash, bonus)
