"""Transfers and payouts: a till's words for what the ledger did."""

from __future__ import annotations

from huitouke.gateway.v1 import checkout_pb2
from huitouke.gateway.v1 import partner_service_pb2 as pb
from huitouke.points.v1 import movement_pb2
from huitouke.points.v1 import movement_service_pb2 as moving

from gateway.converters.receipts import to_balances


def to_transferred(done: moving.TransferPointsResponse) -> pb.TransferPointsResponse:
    return pb.TransferPointsResponse(
        transfer_id=done.transfer_id, points=done.points, balances=to_balances(done.balances)
    )


def to_payout(withdrawal: movement_pb2.Withdrawal) -> pb.Payout:
    return pb.Payout(
        cash_minor=withdrawal.cash_minor,
        paid_out_minor=withdrawal.paid_out_minor,
        gift_deducted_minor=withdrawal.gift_deducted_minor,
        bonus_taken_back_minor=withdrawal.bonus_taken_back_minor,
        balances=to_balances(withdrawal.balances),
    )


def to_refunded_top_up(done: moving.RefundTopUpResponse) -> pb.RefundTopUpResponse:
    """The ledger's tenders have the numbers of the partners' contract."""
    return pb.RefundTopUpResponse(
        refund_id=done.refund_id,
        tender=checkout_pb2.TenderKind.ValueType(done.tender),
        cash_refunded_minor=done.cash_refunded_minor,
        bonus_taken_back_minor=done.bonus_taken_back_minor,
        balances=to_balances(done.balances),
    )
