"""The participants of a checkout: the ledger and the coupon service, sent recorded bytes."""

from __future__ import annotations

from typing import Any

import grpc
from huitouke.coupon.v1 import coupon_service_pb2
from huitouke.points.v1 import hold_pb2, points_service_pb2

from chassis.rpc.client import Channel
from chassis.telemetry.logs import get_logger
from gateway.clients.batches import batched
from gateway.domain.participants import Posted, Reversed

_log = get_logger("gateway.participants")
_POINTS = "/huitouke.points.v1.PointsService/"
_COUPON = "/huitouke.coupon.v1.CouponService/"


class ServiceParticipants:
    """`gateway.domain.participants.Participants` over gRPC; for the loop that made it.

    What every checkout does travels in batches; what few do, alone.
    """

    def __init__(self, points: Channel, coupon: Channel, timeout_seconds: float) -> None:
        self._points = points
        self._coupon = coupon
        self._timeout_seconds = timeout_seconds
        self._posts = batched(points, _POINTS + "BatchPost", points_service_pb2.BatchPostResponse)
        self._reserves = batched(
            coupon, _COUPON + "BatchReserve", coupon_service_pb2.BatchReserveResponse
        )
        self._redeems = batched(
            coupon, _COUPON + "BatchRedeem", coupon_service_pb2.BatchRedeemResponse
        )
        self._authorize = _raw(points, _POINTS + "AuthorizeHold", hold_pb2.AuthorizeHoldResponse)
        self._cancel_post = _raw(
            points, _POINTS + "CancelPost", points_service_pb2.CancelPostResponse
        )
        self._reverse = _raw(points, _POINTS + "Reverse", points_service_pb2.ReverseResponse)
        self._undo = _raw(points, _POINTS + "UndoPost", points_service_pb2.UndoPostResponse)
        self._reversals = batched(
            points, _POINTS + "BatchReverse", points_service_pb2.BatchReverseResponse
        )
        self._cancel_reservation = _raw(
            coupon, _COUPON + "CancelReservation", coupon_service_pb2.CancelReservationResponse
        )
        self._roll_back = _raw(coupon, _COUPON + "RollBack", coupon_service_pb2.RollBackResponse)

    async def reserve(self, request: bytes) -> None:
        await self._reserves.call(request, timeout_seconds=self._timeout_seconds)

    async def authorize(self, request: bytes) -> object:
        return await self._call(self._points, self._authorize, request)

    async def post(self, request: bytes) -> Posted:
        answered = await self._posts.call(request, timeout_seconds=self._timeout_seconds)
        return _posted(answered.response)

    async def cancel_post(self, request: bytes) -> Posted | None:
        answer = await self._call(self._points, self._cancel_post, request)
        return _posted(answer.posted) if answer.WhichOneof("outcome") == "posted" else None

    async def reverse_post(self, request: bytes) -> None:
        await self._call(self._points, self._reverse, request)

    async def undo_post(self, request: bytes) -> None:
        """By an RPC of its own: a ledger without it answers UNIMPLEMENTED, which passes.

        An unknown field it would ignore, and remember its refusal (docs/decisions/0171).
        """
        wanted = points_service_pb2.ReverseRequest.FromString(request)
        undo = points_service_pb2.UndoPostRequest(
            request_id=f"undo/{wanted.checkout_id}",
            member_id=wanted.member_id,
            checkout_id=wanted.checkout_id,
            place=wanted.place,
        )
        answer = await self._call(self._points, self._undo, undo.SerializeToString())
        debt = answer.reversal.debt_recorded
        _log.warning("checkout_undone", checkout=wanted.checkout_id, debt_points=debt)

    async def redeem(self, request: bytes) -> None:
        await self._redeems.call(request, timeout_seconds=self._timeout_seconds)

    async def cancel_reservation(self, request: bytes) -> None:
        await self._call(self._coupon, self._cancel_reservation, request)

    async def reverse(self, request: bytes) -> Reversed:
        """By the batch form where an amount is named: a ledger without it would ignore amounts.

        Such a ledger answers UNIMPLEMENTED, which passes once it is of this release
        (docs/decisions/0142). All that is left is reversed by any ledger.
        """
        if points_service_pb2.ReverseRequest.FromString(request).HasField("amount_minor"):
            sent = await self._reversals.call(request, timeout_seconds=self._timeout_seconds)
            answer = sent.response
        else:
            answer = await self._call(self._points, self._reverse, request)
        return Reversed(answer.whole, answer)

    async def roll_back(self, request: bytes) -> coupon_service_pb2.RollBackResponse:
        answer = await self._call(self._coupon, self._roll_back, request)
        assert isinstance(answer, coupon_service_pb2.RollBackResponse)
        return answer

    async def close(self) -> None:
        """Let batches under way come back."""
        for coalescer in (self._posts, self._reserves, self._redeems, self._reversals):
            await coalescer.close()

    async def _call(self, channel: Channel, rpc: Any, request: bytes) -> Any:
        return await channel.call(
            rpc, request, timeout_seconds=self._timeout_seconds, idempotent=True
        )


def _raw(channel: Channel, method: str, response_class: Any) -> Any:
    """Return an RPC that takes bytes as they are."""
    rpc: grpc.aio.UnaryUnaryMultiCallable[bytes, Any] = channel.grpc.unary_unary(
        method, request_serializer=None, response_deserializer=response_class.FromString
    )
    return rpc


def _posted(response: points_service_pb2.PostResponse) -> Posted:
    return Posted(response.posted.to_pay_minor, response)
