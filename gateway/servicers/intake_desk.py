"""Enrolments, top-ups and claims: noted, then passed on to the service that does them."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from huitouke.coupon.v1 import coupon_service_pb2
from huitouke.gateway.v1 import partner_service_pb2 as pb
from huitouke.points.v1 import points_service_pb2
from huitouke.type.v1 import language_pb2, tender_kind_pb2

from chassis.kernel import Refusal
from chassis.rpc.calls import mark_replayed
from gateway.converters import members as convert
from gateway.converters.purchases import place_at
from gateway.converters.receipts import to_balances
from gateway.domain import errors
from gateway.domain.bills import CURRENCY
from gateway.domain.notes import Note, downstream_id
from gateway.domain.principals import Principal
from gateway.servicers.intake import Intake, plain_note
from gateway.servicers.upstream import Coupons, Ledger, Members


class IntakeDesk:
    """Carries out the writes that one other service does; its memory makes each happen once."""

    def __init__(self, intake: Intake, members: Members, ledger: Ledger, coupons: Coupons) -> None:
        self._intake = intake
        self._members = members
        self._ledger = ledger
        self._coupons = coupons

    async def enrol(
        self, request: pb.EnrolMemberRequest, principal: Principal
    ) -> pb.EnrolMemberResponse:
        if request.birthday:
            convert.to_birthday(request.birthday, lunar=request.birthday_lunar)
        note = await self._intake.note(request, principal, _till_only(principal))
        enrol_id = downstream_id(principal.merchant_id, "EnrolMember", request.request_id)
        try:
            answered = await self._members.enrol(
                convert.to_enrol(request, note, f"enrol/{enrol_id}")
            )
        except Refusal as refusal:
            raise convert.in_the_tills_words(refusal) from refusal
        if answered.replayed:
            mark_replayed()
        return convert.to_enrolled(answered.response)

    async def top_up(self, request: pb.TopUpRequest, principal: Principal) -> pb.TopUpResponse:
        if request.currency != CURRENCY:
            raise errors.currency_mismatch("currency")
        note = await self._intake.note(request, principal, self._for_top_up(request, principal))
        top_up_id = downstream_id(principal.merchant_id, "TopUp", request.request_id)
        answered = await self._ledger.top_up(
            points_service_pb2.TopUpRequest(
                request_id=f"top-up/{top_up_id}",
                member_id=str(note.member_id),
                top_up_id=str(top_up_id),
                place=place_at(note.till, note.time_zone),
                amount_minor=request.amount_minor,
                currency=request.currency,
                tender=tender_kind_pb2.TenderKind.ValueType(note.tender),
            )
        )
        if answered.replayed:
            mark_replayed()
        done = answered.response
        return pb.TopUpResponse(
            top_up_id=done.top_up_id,
            cash_added_minor=done.cash_added_minor,
            bonus_added_minor=done.bonus_added_minor,
            balances=to_balances(done.balances),
        )

    async def claim(
        self, request: pb.ClaimCouponRequest, principal: Principal
    ) -> pb.ClaimCouponResponse:
        note = await self._intake.note(request, principal, self._for_claim(request, principal))
        claim_id = downstream_id(principal.merchant_id, "ClaimCoupon", request.request_id)
        answered = await self._coupons.claim(
            coupon_service_pb2.ClaimCouponRequest(
                request_id=f"claim/{claim_id}",
                member_id=str(note.member_id),
                campaign_code=request.campaign_code,
                tier=note.tier,
                time_zone=note.time_zone,
            )
        )
        if answered.replayed:
            mark_replayed()
        coupon = convert.to_member_coupon(
            answered.response.coupon, language_pb2.Language.ValueType(note.language)
        )
        return pb.ClaimCouponResponse(coupon=coupon)

    async def _for_top_up(self, request: pb.TopUpRequest, principal: Principal) -> Note:
        if not principal.sells_stored_value:
            raise errors.top_up_not_allowed()
        # Whom the till meant stays noted: a card replaced later must not change a repetition.
        member = await self._members.resolve(convert.to_identifier(request.member))
        return replace(
            plain_note(principal), member_id=UUID(member.member_id), tender=int(request.tender)
        )

    async def _for_claim(self, request: pb.ClaimCouponRequest, principal: Principal) -> Note:
        member = await self._members.find(convert.to_identifier(request.member))
        return replace(
            plain_note(principal),
            member_id=UUID(member.member_id),
            tier=member.tier,
            language=int(member.language),
        )


async def _till_only(principal: Principal) -> Note:
    return plain_note(principal)
