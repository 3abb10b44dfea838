"""What the servicers ask of other services; `gateway.clients` answers, tests may too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from huitouke.coupon.v1 import coupon_service_pb2
from huitouke.member.v1 import member_pb2, member_service_pb2
from huitouke.points.v1 import (
    hold_pb2,
    movement_service_pb2,
    points_service_pb2,
    report_service_pb2,
)

R_co = TypeVar("R_co", covariant=True)


class Answered(Protocol[R_co]):
    """An answer to a write, and whether it was remembered from an earlier request."""

    @property
    def response(self) -> R_co: ...
    @property
    def replayed(self) -> bool: ...


class Members(Protocol):
    """The member service. Each method raises Refusal with its reason."""

    async def resolve(self, identifier: member_pb2.Identifier) -> member_pb2.Resolution: ...
    async def find(self, identifier: member_pb2.Identifier) -> member_pb2.Member: ...
    async def enrol(
        self, request: member_service_pb2.EnrolRequest
    ) -> Answered[member_service_pb2.EnrolResponse]: ...


class Ledger(Protocol):
    """The points service. Each method raises Refusal with its reason."""

    async def quote(
        self, request: points_service_pb2.QuoteRequest
    ) -> points_service_pb2.QuoteResponse: ...
    async def top_up(
        self, request: points_service_pb2.TopUpRequest
    ) -> Answered[points_service_pb2.TopUpResponse]: ...
    async def balances(
        self, request: points_service_pb2.GetBalancesRequest
    ) -> points_service_pb2.GetBalancesResponse: ...
    async def entries(
        self, request: points_service_pb2.ListEntriesRequest
    ) -> points_service_pb2.ListEntriesResponse: ...
    async def open_holds(
        self, request: hold_pb2.ListOpenHoldsRequest
    ) -> hold_pb2.ListOpenHoldsResponse: ...


class Coupons(Protocol):
    """The coupon service. Each method raises Refusal with its reason."""

    async def qualify(
        self, request: coupon_service_pb2.QualifyRequest
    ) -> coupon_service_pb2.QualifyResponse: ...
    async def claim(
        self, request: coupon_service_pb2.ClaimCouponRequest
    ) -> Answered[coupon_service_pb2.ClaimCouponResponse]: ...
    async def list_coupons(
        self, request: coupon_service_pb2.ListCouponsRequest
    ) -> coupon_service_pb2.ListCouponsResponse: ...


class Movements(Protocol):
    """The ledger's movements without a purchase. Each method raises Refusal with its reason."""

    async def transfer(
        self, request: movement_service_pb2.TransferPointsRequest
    ) -> Answered[movement_service_pb2.TransferPointsResponse]: ...
    async def quote_withdrawal(
        self, request: movement_service_pb2.QuoteWithdrawalRequest
    ) -> movement_service_pb2.QuoteWithdrawalResponse: ...
    async def withdraw(
        self, request: movement_service_pb2.WithdrawStoredValueRequest
    ) -> Answered[movement_service_pb2.WithdrawStoredValueResponse]: ...
    async def refund_top_up(
        self, request: movement_service_pb2.RefundTopUpRequest
    ) -> Answered[movement_service_pb2.RefundTopUpResponse]: ...


class Reports(Protocol):
    """The ledger's reports. Raises Refusal with the ledger's own reason."""

    def statement(
        self, request: report_service_pb2.ExportStatementRequest
    ) -> AsyncIterator[report_service_pb2.ExportStatementResponse]: ...
