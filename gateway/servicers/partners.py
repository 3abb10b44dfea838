"""PartnerService: what cashiers' software calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from huitouke.coupon.v1 import coupon_service_pb2
from huitouke.gateway.v1 import checkout_pb2
from huitouke.gateway.v1 import partner_service_pb2 as pb
from huitouke.gateway.v1.partner_service_pb2_grpc import PartnerServiceServicer
from huitouke.points.v1 import points_service_pb2

from chassis.clock import Clock
from chassis.rpc.calls import current_call, mark_replayed
from chassis.storage.reads import Reads
from gateway.converters import members as convert_member
from gateway.converters.receipts import to_balances, to_checkout, to_refund
from gateway.domain import errors
from gateway.domain.bills import check_bill
from gateway.domain.checkouts import Record, State
from gateway.domain.principals import Principal
from gateway.servicers.admission import admit
from gateway.servicers.desk import CheckoutDesk
from gateway.servicers.flights import Answer
from gateway.servicers.intake_desk import IntakeDesk
from gateway.servicers.movement_desk import MovementDesk
from gateway.servicers.open_desk import OpenDesk
from gateway.servicers.pricing import Pricing
from gateway.servicers.refunds import RefundDesk
from gateway.servicers.statements import Statements
from gateway.servicers.timeline import Timeline
from gateway.servicers.upstream import Coupons, Ledger, Members
from gateway.storage import reads as read


class PartnerServicer(PartnerServiceServicer):
    """Serves the partners' port: admits, asks the desk concerned, answers in the till's words."""

    def __init__(
        self,
        *,
        members: Members,
        ledger: Ledger,
        coupons: Coupons,
        pricing: Pricing,
        desk: CheckoutDesk,
        opening: OpenDesk,
        refunds: RefundDesk,
        intake: IntakeDesk,
        movements: MovementDesk,
        timeline: Timeline,
        statements: Statements,
        reads: Reads,
        clock: Clock,
    ) -> None:
        self._members = members
        self._ledger = ledger
        self._coupons = coupons
        self._pricing = pricing
        self._desk = desk
        self._opening = opening
        self._refunds = refunds
        self._intake = intake
        self._movements = movements
        self._timeline = timeline
        self._statements = statements
        self._reads = reads
        self._clock = clock

    async def EnrolMember(
        self, request: pb.EnrolMemberRequest, _context: Any
    ) -> pb.EnrolMemberResponse:
        return await self._intake.enrol(request, admit())

    async def TopUp(self, request: pb.TopUpRequest, _context: Any) -> pb.TopUpResponse:
        return await self._intake.top_up(request, admit())

    async def ClaimCoupon(
        self, request: pb.ClaimCouponRequest, _context: Any
    ) -> pb.ClaimCouponResponse:
        return await self._intake.claim(request, admit())

    async def TransferPoints(
        self, request: pb.TransferPointsRequest, _context: Any
    ) -> pb.TransferPointsResponse:
        return await self._movements.transfer(request, admit())

    async def QuoteWithdrawal(
        self, request: pb.QuoteWithdrawalRequest, _context: Any
    ) -> pb.QuoteWithdrawalResponse:
        return await self._movements.quote_withdrawal(request, admit())

    async def WithdrawStoredValue(
        self, request: pb.WithdrawStoredValueRequest, _context: Any
    ) -> pb.WithdrawStoredValueResponse:
        return await self._movements.withdraw(request, admit())

    async def RefundTopUp(
        self, request: pb.RefundTopUpRequest, _context: Any
    ) -> pb.RefundTopUpResponse:
        return await self._movements.refund_top_up(request, admit())

    async def FindMember(
        self, request: pb.FindMemberRequest, _context: Any
    ) -> pb.FindMemberResponse:
        admit()
        member = await self._members.find(convert_member.to_identifier(request.member))
        return pb.FindMemberResponse(member=convert_member.to_profile(member))

    async def GetBalances(
        self, request: pb.GetBalancesRequest, _context: Any
    ) -> pb.GetBalancesResponse:
        admit()
        member = await self._members.resolve(convert_member.to_identifier(request.member))
        answer = await self._ledger.balances(
            points_service_pb2.GetBalancesRequest(member_id=member.member_id)
        )
        return pb.GetBalancesResponse(balances=to_balances(answer.balances))

    async def ListActivity(
        self, request: pb.ListActivityRequest, _context: Any
    ) -> pb.ListActivityResponse:
        admit()
        member = await self._members.resolve(convert_member.to_identifier(request.member))
        return await self._timeline.page(
            member.member_id, request.page_size, request.page_token, self._clock.now()
        )

    async def ExportStatement(
        self, request: pb.ExportStatementRequest, _context: Any
    ) -> AsyncIterator[pb.ExportStatementResponse]:
        async for part in self._statements.export(request, admit()):
            yield part

    async def ListCoupons(
        self, request: pb.ListCouponsRequest, _context: Any
    ) -> pb.ListCouponsResponse:
        admit()
        member = await self._members.find(convert_member.to_identifier(request.member))
        answer = await self._coupons.list_coupons(
            coupon_service_pb2.ListCouponsRequest(
                member_id=member.member_id,
                usable_only=True,
                page_size=request.page_size,
                page_token=request.page_token,
            )
        )
        shown = [convert_member.to_member_coupon(c, member.language) for c in answer.coupons]
        return pb.ListCouponsResponse(coupons=shown, next_page_token=answer.next_page_token)

    async def QuoteCheckout(
        self, request: pb.QuoteCheckoutRequest, _context: Any
    ) -> pb.QuoteCheckoutResponse:
        principal = admit()
        purchase = request.purchase
        check_bill(purchase.currency, [line.line_id for line in purchase.lines])
        receipt = await self._pricing.quote(purchase, principal, self._clock.now())
        return pb.QuoteCheckoutResponse(receipt=receipt)

    async def Checkout(self, request: pb.CheckoutRequest, _context: Any) -> pb.CheckoutResponse:
        principal = admit()
        wait_seconds = current_call().remaining_seconds()
        asked = self._desk.read_request(request, principal, wait_seconds)
        return pb.CheckoutResponse(checkout=_shown(await self._desk.checkout(asked)))

    async def OpenCheckout(
        self, request: pb.OpenCheckoutRequest, _context: Any
    ) -> pb.OpenCheckoutResponse:
        principal = admit()
        wait_seconds = current_call().remaining_seconds()
        asked = self._opening.read_request(request, principal, wait_seconds)
        return pb.OpenCheckoutResponse(checkout=_shown(await self._desk.checkout(asked)))

    async def QuoteCommit(
        self, request: pb.QuoteCommitRequest, _context: Any
    ) -> pb.QuoteCommitResponse:
        receipt = await self._opening.quote(request.commit, admit())
        return pb.QuoteCommitResponse(receipt=receipt)

    async def CommitCheckout(
        self, request: pb.CommitCheckoutRequest, _context: Any
    ) -> pb.CommitCheckoutResponse:
        answer = await self._opening.commit(request, admit())
        return pb.CommitCheckoutResponse(checkout=_shown(answer))

    async def GetCheckout(
        self, request: pb.GetCheckoutRequest, _context: Any
    ) -> pb.GetCheckoutResponse:
        principal = admit()
        if request.WhichOneof("key") == "checkout_request_id":
            found = await self._reads.run(
                read.checkout_by_request, principal.merchant_id, request.checkout_request_id
            )
            if found is None:
                raise errors.checkout_not_found()
            record = found
        else:
            record = await self._checkout_of(request.checkout_id, principal)
        refunds = await self._reads.run(read.refunds_of, record.checkout_id)
        return pb.GetCheckoutResponse(checkout=to_checkout(record, refunds))

    async def CancelCheckout(
        self, request: pb.CancelCheckoutRequest, _context: Any
    ) -> pb.CancelCheckoutResponse:
        principal = admit()
        if request.checkout_id:
            found = await self._checkout_of(request.checkout_id, principal)
            record = await self._desk.cancel_record(found)
        else:
            record = await self._desk.cancel(principal, request.checkout_request_id)
        return pb.CancelCheckoutResponse(checkout=to_checkout(record))

    async def RefundCheckout(
        self, request: pb.RefundCheckoutRequest, _context: Any
    ) -> pb.RefundCheckoutResponse:
        recorded = await self._refunds.refund(request, admit())
        if not recorded.fresh:
            mark_replayed()
        return pb.RefundCheckoutResponse(refund=to_refund(recorded.record))

    async def _checkout_of(self, checkout_id: str, principal: Principal) -> Record:
        """Return this merchant's checkout; another's is not found."""
        record = await self._reads.run(read.checkout_by_id, UUID(checkout_id))
        if record is None or record.opening.till.merchant_id != principal.merchant_id:
            raise errors.checkout_not_found()
        return record


def _shown(answer: Answer) -> checkout_pb2.CheckoutRecord:
    """Return the checkout that a call answers; raises the Refusal that one was cancelled with."""
    record = answer.record
    if record.state is State.CANCELLED:
        assert record.refusal is not None, "a cancelled checkout says why"
        raise record.refusal.copy(replayed=answer.replayed)
    if answer.replayed:
        mark_replayed()
    return to_checkout(record)
