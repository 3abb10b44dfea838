"""What the ledger tells the world; each with the member version that `balances` carries."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.points.domain.accounts import Balances
from services.points.domain.answers import (
    AuthorizeAnswer,
    CaptureAnswer,
    PostAnswer,
    ReverseAnswer,
    TopUpAnswer,
)
from services.points.domain.assets import Asset
from services.points.domain.commands import ImportBalance
from services.points.domain.earning import EarnedBy
from services.points.domain.movement_events import MovementEvent
from services.points.domain.pins import Amounts
from services.points.domain.purchases import Place
from services.points.domain.records import Extension


class CheckoutPosted(NamedTuple):
    """A purchase was booked, out of the hold where one is named."""

    member_id: UUID
    place: Place
    currency: str
    bill_minor: int
    answer: PostAnswer
    hold_id: UUID | None = None


class CheckoutReversed(NamedTuple):
    """A posted purchase was undone, by whole or by part."""

    member_id: UUID
    checkout_id: UUID
    place: Place
    currency: str
    answer: ReverseAnswer


class StoredValueToppedUp(NamedTuple):
    """A member bought stored value."""

    member_id: UUID
    place: Place
    currency: str
    answer: TopUpAnswer


class ValueExpired(NamedTuple):
    """Lots reached their end and were taken out."""

    member_id: UUID
    expired_at: datetime
    points: int
    bonus_minor: int
    balances: Balances


class HoldAuthorized(NamedTuple):
    """Value was set aside; `checkout_id` is None for a direct hold."""

    member_id: UUID
    place: Place
    checkout_id: UUID | None
    currency: str
    answer: AuthorizeAnswer


class HoldCaptured(NamedTuple):
    """A direct hold was spent, wholly or in part, and the rest released."""

    member_id: UUID
    place: Place
    currency: str
    answer: CaptureAnswer


class HoldReleased(NamedTuple):
    """A hold was given back; what lay in expired lots is still in the balances."""

    member_id: UUID
    hold_id: UUID
    checkout_id: UUID | None
    released_at: datetime
    released: Amounts
    balances: Balances


class HoldExpired(NamedTuple):
    """A hold's timeout came; what lay in expired lots is still in the balances."""

    member_id: UUID
    hold_id: UUID
    timeout_at: datetime
    expired_at: datetime
    released: Amounts
    balances: Balances


class PointsMatured(NamedTuple):
    """Pending points of a checkout can be spent from now on, less what served a debt."""

    member_id: UUID
    checkout_id: UUID
    merchant_id: UUID
    matured_at: datetime
    earned_by: tuple[EarnedBy, ...]
    debt_collected: int
    programme_version: int
    expires_at: datetime | None
    balances: Balances

    @property
    def points(self) -> int:
        """What matured, before the debt was served."""
        return sum(by.points for by in self.earned_by)


class PointsExpiring(NamedTuple):
    """A member is warned: `amount` of an asset expires soon; which warning it is, by its `days`."""

    member_id: UUID
    warned_at: datetime
    asset: Asset
    amount: int
    expires_at: datetime
    days: int
    balances: Balances


class PointsExtended(NamedTuple):
    """Activity lets points that would have expired sooner live to the end of a later month."""

    extension: Extension
    balances: Balances

    @property
    def member_id(self) -> UUID:
        return self.extension.member_id


class BalanceImported(NamedTuple):
    """A row of an import was brought in as a lot."""

    row: ImportBalance
    imported_at: datetime
    balances: Balances

    @property
    def member_id(self) -> UUID:
        return self.row.member_id


class ProgrammePublished(NamedTuple):
    """A new programme version exists; `sequence` counts the programme's events without gaps."""

    version: int
    valid_from: datetime
    sequence: int


class ProgrammeRetired(NamedTuple):
    """A version ends; `sequence` counts the programme's events without gaps."""

    version: int
    valid_until: datetime
    sequence: int


Event = (
    CheckoutPosted
    | CheckoutReversed
    | StoredValueToppedUp
    | ValueExpired
    | HoldAuthorized
    | HoldCaptured
    | HoldReleased
    | HoldExpired
    | PointsExpiring
    | PointsMatured
    | PointsExtended
    | MovementEvent
    | BalanceImported
)
ProgrammeEvent = ProgrammePublished | ProgrammeRetired
