"""What the ledger answers to movements."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.points.domain.accounts import Balances
from services.points.domain.assets import Tender


class GroupAnswer(NamedTuple):
    """A family group as it is from now on, members in ascending order."""

    group_id: UUID
    member_ids: tuple[UUID, ...]
    revision: int
    updated_at: datetime


class TransferAnswer(NamedTuple):
    """A transfer, with the giver's balances."""

    transfer_id: UUID
    transferred_at: datetime
    points: int
    balances: Balances


class AdjustAnswer(NamedTuple):
    """An adjustment; `booked_at` is None while it waits for a second person."""

    adjustment_id: UUID
    booked_at: datetime | None
    balances: Balances


class ApproveAnswer(NamedTuple):
    """An adjustment that a second person has let be booked."""

    adjustment_id: UUID
    booked_at: datetime
    balances: Balances


class RejectAnswer(NamedTuple):
    """An adjustment that never will be booked."""

    adjustment_id: UUID
    rejected_at: datetime


class WithdrawAnswer(NamedTuple):
    """A withdrawal: `cash_minor` = `paid_out_minor` + `gift_deducted_minor`."""

    withdrawal_id: UUID
    withdrawn_at: datetime
    cash_minor: int
    paid_out_minor: int
    gift_deducted_minor: int
    bonus_taken_back_minor: int
    balances: Balances


class RefundTopUpAnswer(NamedTuple):
    """A top-up undone; `tender` is None where the till never said how it was paid."""

    refund_id: UUID
    top_up_id: UUID
    refunded_at: datetime
    tender: Tender | None
    cash_refunded_minor: int
    bonus_taken_back_minor: int
    balances: Balances


MovementAnswer = (
    GroupAnswer
    | TransferAnswer
    | AdjustAnswer
    | ApproveAnswer
    | RejectAnswer
    | WithdrawAnswer
    | RefundTopUpAnswer
)
