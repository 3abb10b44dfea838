"""What the ledger keeps of movements: family groups, transfers, adjustments, top-ups gone back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.points.domain.assets import Asset, Tender
from services.points.domain.movement_answers import RefundTopUpAnswer, WithdrawAnswer
from services.points.domain.purchases import Place

ALONE_FOR = timedelta(hours=24)
"""What staff adjust without a second person is counted over so long, so that halves don't help."""


@dataclass(frozen=True, slots=True)
class MovementTerms:
    """The limits of movements. Days and months of transfers are counted in `zone`, for everybody.

    `adjust_points_max` and `adjust_minor_max` are what one member's asset may be adjusted by in
    24 hours without a second person.
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    group_members_max: int = 8
    transfer_points_max: int = 20_000
    transfer_points_day_max: int = 50_000
    transfer_points_month_max: int = 200_000
    adjust_points_max: int = 10_000
    adjust_minor_max: int = 10_000
    top_up_refund_days: int = 7


@dataclass(slots=True)
class TransferGroup:
    """A family group; `stored_revision` is 0 while it stands in no table yet."""

    group_id: UUID
    member_ids: tuple[UUID, ...]
    revision: int
    updated_at: datetime
    stored_revision: int = 0


class Transfer(NamedTuple):
    """A transfer to be stored; `day` is the day it counts for."""

    transfer_id: UUID
    group_id: UUID
    from_member_id: UUID
    from_version: int
    to_member_id: UUID
    to_version: int
    transferred_at: datetime
    day: date
    points: int
    note: str


class AdjustmentState(StrEnum):
    """Where an adjustment stands; BOOKED and REJECTED are final."""

    PENDING_APPROVAL = "PENDING_APPROVAL"
    BOOKED = "BOOKED"
    REJECTED = "REJECTED"


@dataclass(slots=True)
class Adjustment:
    """One adjustment id for ever. `version` is that of its entry, None until it is booked.

    `decided_by` stays None where no second person was needed.
    """

    adjustment_id: UUID
    member_id: UUID
    asset: Asset
    amount: int
    reason_code: str
    reason_text: str
    requested_by: str
    requested_at: datetime
    state: AdjustmentState = AdjustmentState.PENDING_APPROVAL
    decided_by: str | None = None
    decided_at: datetime | None = None
    version: int | None = None


@dataclass(slots=True)
class SoldValue:
    """A top-up and what of it has gone back to the guest.

    `withdrawn_minor` counts principal, `bonus_taken_back_minor` gift that withdrawals have taken
    back, `gift_deducted_minor` spent gift that their payouts were cut by.
    """

    top_up_id: UUID
    member_id: UUID
    merchant_id: UUID
    posted_at: datetime
    tender: Tender | None
    cash_minor: int
    bonus_minor: int
    cash_lot_number: int
    bonus_lot_number: int | None
    withdrawn_minor: int = 0
    bonus_taken_back_minor: int = 0
    gift_deducted_minor: int = 0
    refunded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A withdrawal to be stored."""

    member_id: UUID
    place: Place
    currency: str
    tender: Tender
    version: int
    answer: WithdrawAnswer


@dataclass(frozen=True, slots=True)
class TopUpRefund:
    """A refund of a top-up to be stored."""

    member_id: UUID
    place: Place
    currency: str
    version: int
    answer: RefundTopUpAnswer


@dataclass(slots=True)
class Movements:
    """What a batch knows of movements: taken ids, groups, sums against limits, top-ups.

    `given` has each giver's points by day, `adjusted` what each account was adjusted by lately
    without a second person, `taken_by_hand` what adjustments took out of lots of gift, by member
    and lot number.
    """

    terms: MovementTerms = field(default_factory=MovementTerms)
    transfer_ids: set[UUID] = field(default_factory=set)
    withdrawal_ids: set[UUID] = field(default_factory=set)
    refund_ids: set[UUID] = field(default_factory=set)
    groups: dict[UUID, TransferGroup] = field(default_factory=dict)
    group_of: dict[UUID, UUID] = field(default_factory=dict)
    given: dict[UUID, dict[date, int]] = field(default_factory=dict)
    adjustments: dict[UUID, Adjustment] = field(default_factory=dict)
    adjusted: dict[tuple[UUID, Asset], list[tuple[datetime, int]]] = field(default_factory=dict)
    taken_by_hand: dict[tuple[UUID, int], int] = field(default_factory=dict)
    sold: dict[UUID, SoldValue] = field(default_factory=dict)
    sold_into: dict[tuple[UUID, int], SoldValue] = field(default_factory=dict)

    def keep_sold(self, top_up: SoldValue) -> None:
        """Know a top-up by its id and by the lot its principal lies in."""
        self.sold[top_up.top_up_id] = top_up
        self.sold_into[top_up.member_id, top_up.cash_lot_number] = top_up


@dataclass(slots=True)
class MovementChanges:
    """What has to be saved of movements; what is changed several times stands here once."""

    groups: dict[UUID, TransferGroup] = field(default_factory=dict)
    transfers: list[Transfer] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)
    decided: dict[UUID, Adjustment] = field(default_factory=dict)
    withdrawals: list[Withdrawal] = field(default_factory=list)
    refunds: list[TopUpRefund] = field(default_factory=list)
    sold: dict[UUID, SoldValue] = field(default_factory=dict)
