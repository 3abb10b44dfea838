"""What the ledger keeps of each checkout, reversal and top-up, besides the journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.points.domain.answers import PostAnswer, ReverseAnswer, TopUpAnswer
from services.points.domain.assets import Asset, Tender
from services.points.domain.commands import ImportBalance
from services.points.domain.journal import Entry
from services.points.domain.parts import NOTHING, Returned
from services.points.domain.purchases import Place, Purchase


class Warned(NamedTuple):
    """A warning that was given: to whom, of which asset's last day, and which of the warnings.

    `version` is its event's where it is to be stored, and 0 where it is only remembered.
    """

    member_id: UUID
    asset: Asset
    last_day: date
    days: int
    version: int = 0


class Extension(NamedTuple):
    """Points of a member that live longer because of activity; `version` is its event's.

    `checkout_id` is the activity, `points` what remained in the lots that end at `expires_at` now.
    """

    member_id: UUID
    version: int
    checkout_id: UUID
    programme_version: int
    extended_at: datetime
    expires_at: datetime
    points: int


class ImportedRow(NamedTuple):
    """A row of an import to be stored, with the entry and the lot it became."""

    row: ImportBalance
    version: int
    lot_number: int


class RejectedRow(NamedTuple):
    """A row of an import that was not brought in, and why."""

    line: int
    reference: str
    reason: str
    message: str


class CheckoutState(StrEnum):
    """Where a checkout id stands; CANCELLED and REVERSED are final."""

    POSTED = "POSTED"
    CANCELLED = "CANCELLED"
    REVERSED = "REVERSED"


@dataclass(slots=True)
class Checkout:
    """One checkout id for ever.

    A posted one has the `entry` and the `answer` it was posted with; where it was loaded for a
    command that needs neither they are None, as they are for one that was fenced off.
    `resolved_at` is when it was cancelled or reversed wholly. `returned` is what reversals have
    given back so far, `taken_back` the earned points they took back or made a debt, by rule.
    `day` is the purchase's by the property's calendar, where a rule of its programme is limited.
    """

    checkout_id: UUID
    member_id: UUID
    state: CheckoutState
    entry: Entry | None = None
    answer: PostAnswer | None = None
    resolved_at: datetime | None = None
    returned: Returned = NOTHING
    taken_back: dict[str, int] = field(default_factory=dict)
    day: date | None = None


class KeptFacts(NamedTuple):
    """What rules could ask of a purchase, kept so that another programme can be tried on it."""

    purchase: Purchase
    first_purchase: bool
    not_earning_minor: int


class PostedCheckout(NamedTuple):
    """A checkout to be stored as posted, with what is told only once; a capture has no facts."""

    checkout: Checkout
    place: Place
    occurred_at: datetime
    currency: str
    bill_minor: int
    facts: KeptFacts | None = None


@dataclass(frozen=True, slots=True)
class Reversal:
    """A reversal to be stored."""

    member_id: UUID
    checkout_id: UUID
    place: Place
    version: int
    answer: ReverseAnswer


@dataclass(frozen=True, slots=True)
class TopUp:
    """A top-up to be stored; the lots' numbers keep the ratio of gift to principal.

    `bonus_lot_number` is None where no gift was given.
    """

    member_id: UUID
    place: Place
    currency: str
    version: int
    cash_lot_number: int
    bonus_lot_number: int | None
    answer: TopUpAnswer
    tender: Tender | None = None
