"""The member, points and coupon services as the partners' RPCs use them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from huitouke.coupon.v1 import coupon_service_pb2, coupon_service_pb2_grpc
from huitouke.member.v1 import member_pb2, member_service_pb2, member_service_pb2_grpc
from huitouke.points.v1 import hold_pb2, points_service_pb2, points_service_pb2_grpc

from chassis.kernel import Refusal
from chassis.rpc.client import Channel
from chassis.rpc.coalescer import Coalescer, Item
from chassis.rpc.status import from_status
from gateway.clients.batches import Answered, batched


class MemberClient:
    """Who is meant, and new members. Raises Refusal with the service's own reason."""

    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._channel = channel
        self._timeout_seconds = timeout_seconds
        self._stub: Any = member_service_pb2_grpc.MemberServiceStub(channel.grpc)
        self._resolves: Coalescer[member_pb2.Identifier, member_pb2.Resolution] = Coalescer(
            self._resolve_batch, name="BatchResolve"
        )
        self._enrols = batched(
            channel,
            "/huitouke.member.v1.MemberService/BatchEnrol",
            member_service_pb2.BatchEnrolResponse,
        )

    async def resolve(self, identifier: member_pb2.Identifier) -> member_pb2.Resolution:
        return await self._resolves.call(identifier, timeout_seconds=self._timeout_seconds)

    async def enrol(
        self, request: member_service_pb2.EnrolRequest
    ) -> Answered[member_service_pb2.EnrolResponse]:
        return await self._enrols.call(
            request.SerializeToString(), timeout_seconds=self._timeout_seconds
        )

    async def find(self, identifier: member_pb2.Identifier) -> member_pb2.Member:
        response: member_service_pb2.FindMemberResponse = await self._channel.call(
            self._stub.FindMember,
            member_service_pb2.FindMemberRequest(identifier=identifier),
            timeout_seconds=self._timeout_seconds,
            idempotent=True,
        )
        return response.member

    async def close(self) -> None:
        await self._resolves.close()
        await self._enrols.close()

    async def _resolve_batch(
        self, items: Sequence[Item[member_pb2.Identifier]]
    ) -> list[member_pb2.Resolution | Refusal]:
        response: member_service_pb2.BatchResolveResponse = await self._channel.call(
            self._stub.BatchResolve,
            member_service_pb2.BatchResolveRequest(identifiers=[item.request for item in items]),
            timeout_seconds=max(item.remaining_seconds() for item in items),
            idempotent=True,
        )
        return [_resolved(outcome) for outcome in response.outcomes]


class PointsClient:
    """Quotes, balances, statements and top-ups. Raises Refusal with the service's own reason."""

    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._channel = channel
        self._timeout_seconds = timeout_seconds
        self._stub: Any = points_service_pb2_grpc.PointsServiceStub(channel.grpc)
        self._top_ups = batched(
            channel,
            "/huitouke.points.v1.PointsService/BatchTopUp",
            points_service_pb2.BatchTopUpResponse,
        )

    async def quote(
        self, request: points_service_pb2.QuoteRequest
    ) -> points_service_pb2.QuoteResponse:
        answer: points_service_pb2.QuoteResponse = await self._read(self._stub.Quote, request)
        return answer

    async def top_up(
        self, request: points_service_pb2.TopUpRequest
    ) -> Answered[points_service_pb2.TopUpResponse]:
        return await self._top_ups.call(
            request.SerializeToString(), timeout_seconds=self._timeout_seconds
        )

    async def balances(
        self, request: points_service_pb2.GetBalancesRequest
    ) -> points_service_pb2.GetBalancesResponse:
        answer: points_service_pb2.GetBalancesResponse = await self._read(
            self._stub.GetBalances, request
        )
        return answer

    async def entries(
        self, request: points_service_pb2.ListEntriesRequest
    ) -> points_service_pb2.ListEntriesResponse:
        answer: points_service_pb2.ListEntriesResponse = await self._read(
            self._stub.ListEntries, request
        )
        return answer

    async def open_holds(
        self, request: hold_pb2.ListOpenHoldsRequest
    ) -> hold_pb2.ListOpenHoldsResponse:
        answer: hold_pb2.ListOpenHoldsResponse = await self._read(self._stub.ListOpenHolds, request)
        return answer

    async def close(self) -> None:
        await self._top_ups.close()

    async def _read(self, method: Any, request: Any) -> Any:
        return await self._channel.call(
            method, request, timeout_seconds=self._timeout_seconds, idempotent=True
        )


class CouponClient:
    """What coupons take off, claims and lists. Raises Refusal with the service's own reason."""

    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._channel = channel
        self._timeout_seconds = timeout_seconds
        self._stub: Any = coupon_service_pb2_grpc.CouponServiceStub(channel.grpc)
        self._claims = batched(
            channel,
            "/huitouke.coupon.v1.CouponService/BatchClaimCoupon",
            coupon_service_pb2.BatchClaimCouponResponse,
        )

    async def qualify(
        self, request: coupon_service_pb2.QualifyRequest
    ) -> coupon_service_pb2.QualifyResponse:
        answer: coupon_service_pb2.QualifyResponse = await self._read(self._stub.Qualify, request)
        return answer

    async def claim(
        self, request: coupon_service_pb2.ClaimCouponRequest
    ) -> Answered[coupon_service_pb2.ClaimCouponResponse]:
        return await self._claims.call(
            request.SerializeToString(), timeout_seconds=self._timeout_seconds
        )

    async def list_coupons(
        self, request: coupon_service_pb2.ListCouponsRequest
    ) -> coupon_service_pb2.ListCouponsResponse:
        answer: coupon_service_pb2.ListCouponsResponse = await self._read(
            self._stub.ListCoupons, request
        )
        return answer

    async def close(self) -> None:
        await self._claims.close()

    async def _read(self, method: Any, request: Any) -> Any:
        return await self._channel.call(
            method, request, timeout_seconds=self._timeout_seconds, idempotent=True
        )


def _resolved(outcome: member_service_pb2.ResolveOutcome) -> member_pb2.Resolution | Refusal:
    if outcome.WhichOneof("result") == "resolution":
        return outcome.resolution
    return from_status(outcome.error)
