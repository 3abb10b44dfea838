"""What the ledger tells of movements; each with the member version that `balances` carries."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.points.domain.accounts import Balances
from services.points.domain.assets import Asset, Tender
from services.points.domain.movement_answers import RefundTopUpAnswer, WithdrawAnswer
from services.points.domain.purchases import Place


class TransferDirection(StrEnum):
    """A member's side of a transfer."""

    OUT = "OUT"
    IN = "IN"


class PointsTransferred(NamedTuple):
    """Points went out to, or came in from, another member of the family group."""

    member_id: UUID
    transfer_id: UUID
    direction: TransferDirection
    counterpart_id: UUID
    points: int
    transferred_at: datetime
    balances: Balances


class BalanceAdjusted(NamedTuple):
    """Staff corrected a balance; `approved_by` is None where no second person was needed."""

    member_id: UUID
    adjustment_id: UUID
    adjusted_at: datetime
    asset: Asset
    amount: int
    reason_code: str
    requested_by: str
    approved_by: str | None
    currency: str
    balances: Balances


class StoredValueWithdrawn(NamedTuple):
    """Principal was paid out and the gift that goes with it taken back."""

    member_id: UUID
    place: Place
    currency: str
    tender: Tender
    answer: WithdrawAnswer


class TopUpRefunded(NamedTuple):
    """A top-up was undone."""

    member_id: UUID
    place: Place
    currency: str
    answer: RefundTopUpAnswer


MovementEvent = PointsTransferred | BalanceAdjusted | StoredValueWithdrawn | TopUpRefunded
