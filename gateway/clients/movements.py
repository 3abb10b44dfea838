"""The ledger's movements without a purchase, one unary call each: they are rare."""

from __future__ import annotations

from typing import Any

from huitouke.points.v1 import movement_service_pb2 as moving
from huitouke.points.v1 import movement_service_pb2_grpc

from chassis.rpc.client import Channel
from gateway.clients.batches import Answered


class MovementClient:
    """Transfers and payouts. Raises Refusal with the ledger's own reason."""

    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._channel = channel
        self._timeout_seconds = timeout_seconds
        self._stub: Any = movement_service_pb2_grpc.MovementServiceStub(channel.grpc)

    async def transfer(
        self, request: moving.TransferPointsRequest
    ) -> Answered[moving.TransferPointsResponse]:
        return await self._write(self._stub.TransferPoints, request)

    async def quote_withdrawal(
        self, request: moving.QuoteWithdrawalRequest
    ) -> moving.QuoteWithdrawalResponse:
        answer: moving.QuoteWithdrawalResponse = await self._channel.call(
            self._stub.QuoteWithdrawal,
            request,
            timeout_seconds=self._timeout_seconds,
            idempotent=True,
        )
        return answer

    async def withdraw(
        self, request: moving.WithdrawStoredValueRequest
    ) -> Answered[moving.WithdrawStoredValueResponse]:
        return await self._write(self._stub.WithdrawStoredValue, request)

    async def refund_top_up(
        self, request: moving.RefundTopUpRequest
    ) -> Answered[moving.RefundTopUpResponse]:
        return await self._write(self._stub.RefundTopUp, request)

    async def _write(self, method: Any, request: Any) -> Answered[Any]:
        response, replayed = await self._channel.write(
            method, request, timeout_seconds=self._timeout_seconds
        )
        return Answered(response, replayed)
