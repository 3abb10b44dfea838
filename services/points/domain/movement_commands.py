"""Commands that move value without a purchase."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.points.domain.assets import Asset, Tender
from services.points.domain.purchases import Place


@dataclass(frozen=True, slots=True)
class PutTransferGroup:
    """Make a family group, or give it other members; revision 0 is a new group's."""

    group_id: UUID
    member_ids: tuple[UUID, ...]
    expected_revision: int


@dataclass(frozen=True, slots=True)
class TransferPoints:
    """Pass points on to another member of the family group."""

    transfer_id: UUID
    from_member_id: UUID
    to_member_id: UUID
    points: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class AdjustBalance:
    """Correct a balance by a signed amount; `requested_by` is a staff id in upper case."""

    adjustment_id: UUID
    member_id: UUID
    asset: Asset
    amount: int
    reason_code: str
    reason_text: str
    requested_by: str


@dataclass(frozen=True, slots=True)
class ApproveAdjustment:
    """Book a pending adjustment; `approved_by` is a staff id in upper case."""

    member_id: UUID
    adjustment_id: UUID
    approved_by: str


@dataclass(frozen=True, slots=True)
class RejectAdjustment:
    """Turn a pending adjustment down for good."""

    member_id: UUID
    adjustment_id: UUID
    rejected_by: str


@dataclass(frozen=True, slots=True)
class WithdrawStoredValue:
    """Pay `amount_minor` fen of principal out; 0 asks, in a quote, for all that is available."""

    member_id: UUID
    withdrawal_id: UUID
    place: Place
    amount_minor: int
    tender: Tender


@dataclass(frozen=True, slots=True)
class RefundTopUp:
    """Undo a top-up of which nothing was used."""

    member_id: UUID
    refund_id: UUID
    top_up_id: UUID
    place: Place


MovementCommand = (
    PutTransferGroup
    | TransferPoints
    | AdjustBalance
    | ApproveAdjustment
    | RejectAdjustment
    | WithdrawStoredValue
    | RefundTopUp
)
