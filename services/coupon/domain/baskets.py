"""Baskets: what is bought at a till, before any coupon."""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Place:
    """The till: merchant, outlet and terminal of a property with its IANA time zone."""

    merchant_id: UUID
    outlet_id: UUID
    terminal_id: UUID
    property_code: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line: category name ("DINING"), item code (may be empty), amount in minor units > 0."""

    category: str
    item_code: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Basket:
    """1 to 200 lines in one currency; `zone` is the time zone that `place` names."""

    lines: tuple[Line, ...]
    currency: str
    place: Place
    zone: tzinfo
    tier: str
    occurred_at: datetime

    def iso_weekday(self) -> int:
        """The day on which the guest buys, at the property: 1 (Monday) to 7."""
        return self.occurred_at.astimezone(self.zone).isoweekday()
