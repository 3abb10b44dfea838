"""A purchase as the ledger sees it: lines net of coupons, tenders, and what rules may ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.points.domain import errors
from services.points.domain.assets import Category, Channel

FUTURE_MAX = timedelta(minutes=5)
"""How far a till's clock may run ahead of the ledger's."""
PAST_MAX = timedelta(days=400)
"""How late a purchase may be booked; stays may be older, since bookings are imported."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """The till at which a member acted, and the time zone its calendar rules are computed in.

    A till is one object for all its purchases and equals only itself: it is a quick key.
    """

    merchant_id: UUID
    outlet_id: UUID
    terminal_id: UUID
    property_code: str
    zone: ZoneInfo


class Line(NamedTuple):
    """One line of the bill: its category and what is left after coupons, in fen, 0 or more."""

    category: Category
    amount_minor: int


class Season(StrEnum):
    """What a property's calendar says of the day; UNSPECIFIED matches no rule that asks."""

    UNSPECIFIED = "UNSPECIFIED"
    PEAK = "PEAK"
    SHOULDER = "SHOULDER"
    OFF = "OFF"


@dataclass(frozen=True, slots=True)
class Stay:
    """What decides whether and how a stay earns; points may wait for `ends_at`, if it is known.

    A member who is `absent` paid for somebody else's stay (DOMAIN §3: stays earn by own presence).
    """

    channel: Channel
    rate_code: str
    nights: int
    ends_at: datetime | None = None
    absent: bool = False


class Facts(NamedTuple):
    """What rules may ask about the member, frozen by the caller; month 0 is unknown.

    With `purchased_before` no purchase is the member's first: it bought before the ledger knew it.
    """

    tier: str
    tags: frozenset[str] = frozenset()
    birth_month: int = 0
    purchased_before: bool = False


@dataclass(slots=True)
class Purchase:
    """One purchase: 1 to 200 lines, what is tendered of points (a count) and stored value (fen).

    Never changed. `bill_minor` is the bill after coupons.
    """

    member_id: UUID
    place: Place
    currency: str
    occurred_at: datetime
    facts: Facts
    lines: tuple[Line, ...]
    redeem_points: int = 0
    pay_stored_value_minor: int = 0
    stay: Stay | None = None
    season: Season = Season.UNSPECIFIED
    bill_minor: int = field(init=False)

    def __post_init__(self) -> None:
        self.bill_minor = sum([line.amount_minor for line in self.lines])


def check_occurred_at(purchase: Purchase, now: datetime) -> None:
    """Refuse a purchase of the future, or one too old to be booked unless it is a stay."""
    if purchase.occurred_at > now + FUTURE_MAX:
        raise errors.occurred_at_out_of_range("must lie at most 5 minutes ahead; set the clock")
    if purchase.stay is None and purchase.occurred_at < now - PAST_MAX:
        raise errors.occurred_at_out_of_range("only stays are booked after more than 400 days")
