"""gRPC in: requests become commands or queries, and answers become responses."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

from google.protobuf.message import Message
from huitouke.coupon.v1 import coupon_service_pb2 as pb
from huitouke.coupon.v1.coupon_service_pb2_grpc import CouponServiceServicer
from sqlalchemy import Connection

from chassis.clock import Clock
from chassis.rpc.batch import ItemContext, fill_outcomes, run_batch
from chassis.rpc.calls import Call, current_call, mark_replayed
from chassis.rpc.pages import PageTokens, page_size
from chassis.storage.executor import Executor, Submission
from chassis.storage.reads import Reads
from chassis.storage.requests import fingerprint
from services.coupon.converters.requests import WriteRequest, to_basket, to_command
from services.coupon.converters.responses import (
    to_books,
    to_campaign,
    to_coupon,
    to_discount,
    to_disqualification,
)
from services.coupon.domain import errors
from services.coupon.domain.baskets import Basket
from services.coupon.domain.book import Book
from services.coupon.domain.books import report
from services.coupon.domain.commands import Command
from services.coupon.domain.events import Event
from services.coupon.domain.stacking import Candidate, Combination, combine
from services.coupon.storage import queries
from services.coupon.storage.verification import tally_campaigns

QUALIFY_COUPONS_MAX = 200
CouponExecutor = Executor[Command, Book, Message, Event]
R = TypeVar("R", bound=Message)


class Submissions:
    """Makes submissions of requests; their fingerprints are keyed with `key`."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, request: WriteRequest, context: Call | ItemContext) -> Submission[Command]:
        """Return the request as the executor takes it; raises Refusal INVALID_FIELD."""
        return Submission(
            command=to_command(request),
            caller=context.caller,
            request_id=request.request_id,
            fingerprint=fingerprint(request, self._key),
            deadline_monotonic=context.deadline_monotonic,
            traceparent=context.traceparent,
        )


class CouponServicer(CouponServiceServicer):
    """Serves huitouke.coupon.v1.CouponService. What each RPC means stands in its contract."""

    def __init__(
        self,
        *,
        executor: CouponExecutor,
        reads: Reads,
        clock: Clock,
        key: bytes,
        coupons_per_checkout_max: int,
    ) -> None:
        self._executor = executor
        self._reads = reads
        self._clock = clock
        self._submission = Submissions(key)
        self._tokens = PageTokens(key, "coupon")
        self._coupons_max = coupons_per_checkout_max

    async def CreateCampaign(
        self, request: pb.CreateCampaignRequest, context: Any
    ) -> pb.CreateCampaignResponse:
        return await self._run(request, pb.CreateCampaignResponse)

    async def GetCampaign(
        self, request: pb.GetCampaignRequest, context: Any
    ) -> pb.GetCampaignResponse:
        by_id = request.WhichOneof("key") == "campaign_id"
        stock = await self._reads.run(
            queries.find_campaign,
            campaign_id=UUID(request.campaign_id) if by_id else None,
            code=request.code,
        )
        if stock is None:
            raise errors.campaign_not_found()
        return pb.GetCampaignResponse(campaign=to_campaign(stock))

    async def ListCampaigns(
        self, request: pb.ListCampaignsRequest, context: Any
    ) -> pb.ListCampaignsResponse:
        query, size = "ListCampaigns", page_size(request.page_size)
        before = self._tokens.read(query, request.page_token)
        stocks = await self._reads.run(queries.list_campaigns, before=before, limit=size + 1)
        rows = [(stock.campaign.campaign_id, stock) for stock in stocks]
        page, token = self._tokens.page(query, rows, size)
        return pb.ListCampaignsResponse(campaigns=map(to_campaign, page), next_page_token=token)

    async def ClaimCoupon(
        self, request: pb.ClaimCouponRequest, context: Any
    ) -> pb.ClaimCouponResponse:
        return await self._run(request, pb.ClaimCouponResponse)

    async def BatchClaimCoupon(
        self, request: pb.BatchClaimCouponRequest, context: Any
    ) -> pb.BatchClaimCouponResponse:
        return await self._run_batch(request.items, pb.BatchClaimCouponResponse())

    async def ListCoupons(
        self, request: pb.ListCouponsRequest, context: Any
    ) -> pb.ListCouponsResponse:
        member_id, now = UUID(request.member_id), self._clock.now()
        query = f"ListCoupons {member_id} {request.usable_only}"
        size = page_size(request.page_size)
        asked = queries.CouponPage(
            member_id=member_id,
            before=self._tokens.read(query, request.page_token),
            limit=size + 1,
            usable_at=now if request.usable_only else None,
        )
        held = await self._reads.run(queries.list_coupons, asked)
        rows = [(coupon.coupon_id, (coupon, campaign)) for coupon, campaign in held]
        page, token = self._tokens.page(query, rows, size)
        coupons = [to_coupon(coupon, campaign, coupon.state_at(now)) for coupon, campaign in page]
        return pb.ListCouponsResponse(coupons=coupons, next_page_token=token)

    async def Qualify(self, request: pb.QualifyRequest, context: Any) -> pb.QualifyResponse:
        basket, member_id = to_basket(request.basket), UUID(request.member_id)
        named = [UUID(each) for each in request.coupon_ids]
        if named:
            combinations = [await self._together(member_id, named, basket)]
        else:
            combinations = await self._each_alone(member_id, basket)
        return pb.QualifyResponse(
            discounts=[to_discount(off) for each in combinations for off in each.discounts],
            disqualified=[
                to_disqualification(why) for each in combinations for why in each.disqualified
            ],
        )

    async def Reserve(self, request: pb.ReserveRequest, context: Any) -> pb.ReserveResponse:
        return await self._run(request, pb.ReserveResponse)

    async def BatchReserve(
        self, request: pb.BatchReserveRequest, context: Any
    ) -> pb.BatchReserveResponse:
        return await self._run_batch(request.items, pb.BatchReserveResponse())

    async def Redeem(self, request: pb.RedeemRequest, context: Any) -> pb.RedeemResponse:
        return await self._run(request, pb.RedeemResponse)

    async def BatchRedeem(
        self, request: pb.BatchRedeemRequest, context: Any
    ) -> pb.BatchRedeemResponse:
        return await self._run_batch(request.items, pb.BatchRedeemResponse())

    async def CancelReservation(
        self, request: pb.CancelReservationRequest, context: Any
    ) -> pb.CancelReservationResponse:
        return await self._run(request, pb.CancelReservationResponse)

    async def RollBack(self, request: pb.RollBackRequest, context: Any) -> pb.RollBackResponse:
        return await self._run(request, pb.RollBackResponse)

    async def VerifyBooks(
        self, request: pb.VerifyBooksRequest, context: Any
    ) -> pb.VerifyBooksResponse:
        return to_books(report(await self._reads.run_snapshot(tally_campaigns)))

    async def _run(self, request: WriteRequest, _response: type[R]) -> R:
        """Run one command; its answer is the response, new or remembered."""
        done = await self._executor.execute(self._submission(request, current_call()))
        if done.replayed:
            mark_replayed()
        return cast("R", done.answer)

    async def _run_batch(self, items: Sequence[Any], response: R) -> R:
        results = await run_batch(items, self._submission, self._executor)
        return cast("R", fill_outcomes(response, results, lambda answer: answer))

    async def _together(self, member_id: UUID, named: list[UUID], basket: Basket) -> Combination:
        held = await self._reads.run(queries.find_coupons, member_id, named)
        by_id = {coupon.coupon_id: (coupon, campaign) for coupon, campaign in held}
        candidates = [Candidate(each, by_id.get(each)) for each in named]
        return self._combine(candidates, basket)

    async def _each_alone(self, member_id: UUID, basket: Basket) -> list[Combination]:
        held = await self._reads.run(
            queries.unused_coupons, member_id, self._clock.now(), QUALIFY_COUPONS_MAX
        )
        return [self._combine([Candidate(each[0].coupon_id, each)], basket) for each in held]

    def _combine(self, candidates: Sequence[Candidate], basket: Basket) -> Combination:
        now = self._clock.now()
        return combine(candidates, basket, now, coupons_max=self._coupons_max)


def answers(connection: Connection) -> bool:
    """Whether the database answers a query, for the health check."""
    return connection.exec_driver_sql("SELECT 1").scalar() == 1
