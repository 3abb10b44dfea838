"""Transfers and payouts: noted, then passed on to the ledger, which knows their rules."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

from huitouke.gateway.v1 import checkout_pb2
from huitouke.gateway.v1 import partner_service_pb2 as pb
from huitouke.points.v1 import movement_service_pb2 as moving
from huitouke.type.v1 import tender_kind_pb2

from chassis.rpc.calls import mark_replayed
from gateway.converters import members as convert_member
from gateway.converters import movements as convert
from gateway.converters.purchases import place_at
from gateway.domain import errors
from gateway.domain.notes import Note, downstream_id
from gateway.domain.principals import Principal
from gateway.servicers.intake import Intake, plain_note
from gateway.servicers.upstream import Members, Movements


class MovementDesk:
    """Carries out what moves value without a purchase; the ledger's memory makes it happen once.

    Who pays money out must be one who may sell stored value: both touch the same till.
    """

    def __init__(self, intake: Intake, members: Members, movements: Movements) -> None:
        self._intake = intake
        self._members = members
        self._movements = movements

    async def transfer(
        self, request: pb.TransferPointsRequest, principal: Principal
    ) -> pb.TransferPointsResponse:
        note = await self._intake.note(request, principal, self._for_transfer(request, principal))
        transfer_id = downstream_id(principal.merchant_id, "TransferPoints", request.request_id)
        answered = await self._movements.transfer(
            moving.TransferPointsRequest(
                request_id=f"transfer/{transfer_id}",
                transfer_id=str(transfer_id),
                from_member_id=str(note.member_id),
                to_member_id=str(note.to_member_id),
                points=request.points,
                note=request.note,
            )
        )
        if answered.replayed:
            mark_replayed()
        return convert.to_transferred(answered.response)

    async def quote_withdrawal(
        self, request: pb.QuoteWithdrawalRequest, principal: Principal
    ) -> pb.QuoteWithdrawalResponse:
        note = await self._for_payout(request.member, principal)
        answer = await self._movements.quote_withdrawal(
            moving.QuoteWithdrawalRequest(
                member_id=str(note.member_id),
                place=place_at(note.till, note.time_zone),
                amount_minor=request.amount_minor,
            )
        )
        return pb.QuoteWithdrawalResponse(payout=convert.to_payout(answer.withdrawal))

    async def withdraw(
        self, request: pb.WithdrawStoredValueRequest, principal: Principal
    ) -> pb.WithdrawStoredValueResponse:
        noting = self._for_payout(request.member, principal)
        note = await self._intake.note(request, principal, noting)
        withdrawal_id = downstream_id(
            principal.merchant_id, "WithdrawStoredValue", request.request_id
        )
        answered = await self._movements.withdraw(
            moving.WithdrawStoredValueRequest(
                request_id=f"withdrawal/{withdrawal_id}",
                member_id=str(note.member_id),
                withdrawal_id=str(withdrawal_id),
                place=place_at(note.till, note.time_zone),
                amount_minor=request.amount_minor,
                tender=tender_kind_pb2.TenderKind.ValueType(request.tender),
            )
        )
        if answered.replayed:
            mark_replayed()
        done = answered.response
        return pb.WithdrawStoredValueResponse(
            withdrawal_id=done.withdrawal_id, payout=convert.to_payout(done.withdrawal)
        )

    async def refund_top_up(
        self, request: pb.RefundTopUpRequest, principal: Principal
    ) -> pb.RefundTopUpResponse:
        noting = self._for_payout(request.member, principal)
        note = await self._intake.note(request, principal, noting)
        refund_id = downstream_id(principal.merchant_id, "RefundTopUp", request.request_id)
        answered = await self._movements.refund_top_up(
            moving.RefundTopUpRequest(
                request_id=f"top-up-refund/{refund_id}",
                member_id=str(note.member_id),
                refund_id=str(refund_id),
                top_up_id=request.top_up_id,
                place=place_at(note.till, note.time_zone),
            )
        )
        if answered.replayed:
            mark_replayed()
        return convert.to_refunded_top_up(answered.response)

    async def _for_transfer(self, request: pb.TransferPointsRequest, principal: Principal) -> Note:
        giver, receiver = await asyncio.gather(
            self._members.resolve(convert_member.to_identifier(request.from_member)),
            self._members.resolve(convert_member.to_identifier(request.to_member)),
        )
        return replace(
            plain_note(principal),
            member_id=UUID(giver.member_id),
            to_member_id=UUID(receiver.member_id),
        )

    async def _for_payout(
        self, member: checkout_pb2.MemberIdentifier, principal: Principal
    ) -> Note:
        if not principal.sells_stored_value:
            raise errors.top_up_not_allowed()
        found = await self._members.resolve(convert_member.to_identifier(member))
        return replace(plain_note(principal), member_id=UUID(found.member_id))
