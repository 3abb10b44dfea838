"""Requests of movements with everything that a test doesn't care about filled in."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from huitouke.points.v1 import entry_pb2
from huitouke.points.v1 import movement_service_pb2 as pb
from huitouke.type.v1 import tender_kind_pb2

from tests.integration.points.requests import PLACE, request_id


def put_group(group_id: UUID, *members: UUID, revision: int = 0) -> pb.PutTransferGroupRequest:
    return pb.PutTransferGroupRequest(
        request_id=request_id(),
        group_id=str(group_id),
        member_ids=[str(each) for each in members],
        expected_revision=revision,
    )


def transfer(
    giver: UUID, receiver: UUID, points: int, transfer_id: UUID | None = None
) -> pb.TransferPointsRequest:
    return pb.TransferPointsRequest(
        request_id=request_id(),
        transfer_id=str(transfer_id or uuid4()),
        from_member_id=str(giver),
        to_member_id=str(receiver),
        points=points,
        note="生日快乐",
    )


def adjust(
    member_id: UUID, amount: int, asset: str = "POINTS", **more: Any
) -> pb.AdjustBalanceRequest:
    return pb.AdjustBalanceRequest(
        request_id=request_id(),
        adjustment_id=str(more.get("adjustment_id") or uuid4()),
        member_id=str(member_id),
        asset=entry_pb2.Asset.Value(f"ASSET_{asset}"),
        amount=amount,
        reason_code="GOODWILL",
        reason_text="The lift was out of order",
        requested_by=more.get("by", "S-001"),
    )


def approve(member_id: UUID, adjustment_id: str, by: str = "S-002") -> pb.ApproveAdjustmentRequest:
    return pb.ApproveAdjustmentRequest(
        request_id=request_id(),
        member_id=str(member_id),
        adjustment_id=adjustment_id,
        approved_by=by,
    )


def reject(member_id: UUID, adjustment_id: str, by: str = "S-002") -> pb.RejectAdjustmentRequest:
    return pb.RejectAdjustmentRequest(
        request_id=request_id(),
        member_id=str(member_id),
        adjustment_id=adjustment_id,
        rejected_by=by,
    )


def withdraw(
    member_id: UUID, amount: int, withdrawal_id: UUID | None = None
) -> pb.WithdrawStoredValueRequest:
    return pb.WithdrawStoredValueRequest(
        request_id=request_id(),
        member_id=str(member_id),
        withdrawal_id=str(withdrawal_id or uuid4()),
        place=PLACE,
        amount_minor=amount,
        tender=tender_kind_pb2.TENDER_KIND_CASH_MONEY,
    )


def quote_withdrawal(member_id: UUID, amount: int) -> pb.QuoteWithdrawalRequest:
    return pb.QuoteWithdrawalRequest(member_id=str(member_id), place=PLACE, amount_minor=amount)


def refund_top_up(member_id: UUID, top_up_id: UUID | str) -> pb.RefundTopUpRequest:
    return pb.RefundTopUpRequest(
        request_id=request_id(),
        member_id=str(member_id),
        refund_id=str(uuid4()),
        top_up_id=str(top_up_id),
        place=PLACE,
    )
