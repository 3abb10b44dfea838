"""Requests of movements into commands, and what is asked about them into messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from huitouke.points.v1 import movement_pb2
from huitouke.points.v1 import movement_service_pb2 as pb

from services.points.converters.requests import to_place
from services.points.converters.values import (
    ASSETS,
    TENDERS,
    TO_ADJUSTMENT_STATE,
    TO_ASSET,
    to_stamp,
)
from services.points.domain.assets import Tender
from services.points.domain.movement_commands import (
    AdjustBalance,
    ApproveAdjustment,
    MovementCommand,
    PutTransferGroup,
    RefundTopUp,
    RejectAdjustment,
    TransferPoints,
    WithdrawStoredValue,
)
from services.points.domain.movements import Adjustment

MovementRequest = (
    pb.PutTransferGroupRequest
    | pb.TransferPointsRequest
    | pb.AdjustBalanceRequest
    | pb.ApproveAdjustmentRequest
    | pb.RejectAdjustmentRequest
    | pb.WithdrawStoredValueRequest
    | pb.RefundTopUpRequest
)


def to_movement(request: MovementRequest) -> MovementCommand:
    """The command a validated request stands for; refuses INVALID_FIELD."""
    return _COMMANDS[type(request)](request)


def to_quoted_withdrawal(
    request: pb.QuoteWithdrawalRequest, withdrawal_id: UUID
) -> WithdrawStoredValue:
    """The command whose effect is quoted; the tender changes nothing of it."""
    return WithdrawStoredValue(
        UUID(request.member_id),
        withdrawal_id,
        to_place(request.place, "place"),
        request.amount_minor,
        Tender.CASH_MONEY,
    )


def to_adjustment(adjustment: Adjustment) -> movement_pb2.Adjustment:
    decided_at = adjustment.decided_at
    return movement_pb2.Adjustment(
        adjustment_id=str(adjustment.adjustment_id),
        member_id=str(adjustment.member_id),
        asset=TO_ASSET[adjustment.asset],
        amount=adjustment.amount,
        reason_code=adjustment.reason_code,
        reason_text=adjustment.reason_text,
        requested_by=adjustment.requested_by,
        requested_at=to_stamp(adjustment.requested_at),
        state=TO_ADJUSTMENT_STATE[adjustment.state],
        decided_by=adjustment.decided_by or "",
        decided_at=to_stamp(decided_at) if decided_at else None,
    )


def _put_group(request: pb.PutTransferGroupRequest) -> PutTransferGroup:
    members = {UUID(each) for each in request.member_ids}  # one id may be written in two ways
    return PutTransferGroup(
        UUID(request.group_id), tuple(sorted(members)), request.expected_revision
    )


def _transfer(request: pb.TransferPointsRequest) -> TransferPoints:
    return TransferPoints(
        UUID(request.transfer_id),
        UUID(request.from_member_id),
        UUID(request.to_member_id),
        request.points,
        request.note,
    )


def _adjust(request: pb.AdjustBalanceRequest) -> AdjustBalance:
    return AdjustBalance(
        UUID(request.adjustment_id),
        UUID(request.member_id),
        ASSETS[request.asset],
        request.amount,
        request.reason_code,
        request.reason_text,
        request.requested_by.upper(),
    )


def _approve(request: pb.ApproveAdjustmentRequest) -> ApproveAdjustment:
    return ApproveAdjustment(
        UUID(request.member_id), UUID(request.adjustment_id), request.approved_by.upper()
    )


def _reject(request: pb.RejectAdjustmentRequest) -> RejectAdjustment:
    return RejectAdjustment(
        UUID(request.member_id), UUID(request.adjustment_id), request.rejected_by.upper()
    )


def _withdraw(request: pb.WithdrawStoredValueRequest) -> WithdrawStoredValue:
    return WithdrawStoredValue(
        UUID(request.member_id),
        UUID(request.withdrawal_id),
        to_place(request.place, "place"),
        request.amount_minor,
        TENDERS[request.tender],
    )


def _refund_top_up(request: pb.RefundTopUpRequest) -> RefundTopUp:
    return RefundTopUp(
        UUID(request.member_id),
        UUID(request.refund_id),
        UUID(request.top_up_id),
        to_place(request.place, "place"),
    )


_COMMANDS: Final[Mapping[type[MovementRequest], Callable[[Any], MovementCommand]]] = {
    pb.PutTransferGroupRequest: _put_group,
    pb.TransferPointsRequest: _transfer,
    pb.AdjustBalanceRequest: _adjust,
    pb.ApproveAdjustmentRequest: _approve,
    pb.RejectAdjustmentRequest: _reject,
    pb.WithdrawStoredValueRequest: _withdraw,
    pb.RefundTopUpRequest: _refund_top_up,
}
