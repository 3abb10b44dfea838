"""Pricing a purchase: who buys, what coupons take off, whether the tenders fit. Changes nothing."""

from __future__ import annotations

from datetime import datetime

from huitouke.coupon.v1 import coupon_pb2, coupon_service_pb2
from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2
from huitouke.points.v1 import points_service_pb2, purchase_pb2

from chassis.kernel import Refusal
from gateway.converters.instants import read_instant
from gateway.converters.members import to_identifier
from gateway.converters.opening import (
    final_lines,
    priced_lines,
    to_commit_quote,
    to_final_bill,
    to_wanted,
)
from gateway.converters.purchases import Bill, to_basket, to_draft, to_ledger_purchase
from gateway.converters.receipts import complete_receipt
from gateway.domain import errors
from gateway.domain.bills import check_date, check_priced_lines, left_to_pay
from gateway.domain.checkouts import Record
from gateway.domain.coordinator import FENCES
from gateway.domain.principals import Principal
from gateway.servicers.upstream import Coupons, Ledger, Members


class Pricing:
    """Asks the services what a purchase comes to. Raises Refusal with the reason it can't be."""

    def __init__(self, members: Members, ledger: Ledger, coupons: Coupons) -> None:
        self._members = members
        self._ledger = ledger
        self._coupons = coupons

    async def price(
        self, purchase: checkout_pb2.Purchase, principal: Principal, now: datetime
    ) -> Bill:
        """Return the bill of a purchase; the tenders fit what is left to pay, if there are any."""
        if purchase.pay_stored_value_minor and not principal.accepts_stored_value:
            raise errors.stored_value_not_accepted()
        occurred_at = _occurred_at(purchase, now)
        member = await self._members.resolve(to_identifier(purchase.member))
        bill = Bill(purchase, member, principal, occurred_at)
        if purchase.coupon_ids:
            discounts = await self._discounts(bill)
            bill = Bill(purchase, member, principal, occurred_at, discounts)
        if purchase.tenders:
            await self._check_tenders(bill)
        return bill

    async def quote(
        self, purchase: checkout_pb2.Purchase, principal: Principal, now: datetime
    ) -> checkout_pb2.Receipt:
        """Return the receipt a checkout would give now."""
        bill = await self.price(purchase, principal, now)
        return complete_receipt(to_draft(bill), await self._posted(bill))

    async def open(
        self,
        request: partner_service_pb2.OpenCheckoutRequest,
        principal: Principal,
        now: datetime,
    ) -> Bill:
        """Return who buys, and what the coupons to be reserved take off the bill so far."""
        if request.hold_stored_value_minor and not principal.accepts_stored_value:
            raise errors.stored_value_not_accepted()
        return await self.price(to_wanted(request), principal, now)

    async def commit(
        self,
        record: Record,
        request: partner_service_pb2.CommitCheckoutRequest,
        principal: Principal,
        now: datetime,
    ) -> Bill:
        """Return the final bill of an open checkout; the ledger would book it so now.

        All that could refuse the post is asked before the commit is taken, because afterwards only
        cancelling would be left.
        """
        bill, _ = await self._booked(record, request, principal, now)
        return bill

    async def quote_commit(
        self,
        record: Record,
        request: partner_service_pb2.CommitCheckoutRequest,
        principal: Principal,
        now: datetime,
    ) -> checkout_pb2.Receipt:
        """Return the receipt a commit would give now; raises Refusal as `commit` does."""
        bill, posted = await self._booked(record, request, principal, now)
        return complete_receipt(to_draft(bill), posted)

    async def _booked(
        self,
        record: Record,
        request: partner_service_pb2.CommitCheckoutRequest,
        principal: Principal,
        now: datetime,
    ) -> tuple[Bill, purchase_pb2.Posted]:
        held = record.held
        assert held is not None, "what waits for its commit holds something, if only nothing"
        if (
            request.redeem_points > held.points
            or request.pay_stored_value_minor > held.stored_value_minor
        ):
            raise errors.commit_exceeds_hold(held.points, held.stored_value_minor)
        check_priced_lines(priced_lines(record), final_lines(request, principal.category))
        bill = to_final_bill(record, request, principal, now)
        try:
            posted = (await self._ledger.quote(to_commit_quote(bill, record))).posted
        except Refusal as refusal:
            if refusal.reason in FENCES:
                raise errors.checkout_cancelled() from refusal
            raise
        if bill.tendered_minor is not None and bill.tendered_minor != posted.to_pay_minor:
            raise errors.tenders_differ(posted.to_pay_minor, "tenders")
        return bill, posted

    async def _discounts(self, bill: Bill) -> list[coupon_pb2.Discount]:
        """Return what each named coupon takes off, in the till's order."""
        named = bill.purchase.coupon_ids
        answer = await self._coupons.qualify(
            coupon_service_pb2.QualifyRequest(
                member_id=bill.member.member_id, basket=to_basket(bill), coupon_ids=named
            )
        )
        refused = {each.coupon_id: each for each in answer.disqualified}
        applied = {each.coupon_id: each for each in answer.discounts}
        for coupon_id in named:
            if coupon_id not in applied:
                why = refused.get(coupon_id)
                reason = why.reason if why else "COUPON_NOT_FOUND"
                message = why.message if why else "no such coupon of this member"
                raise errors.coupon_disqualified(coupon_id, reason, message)
        return [applied[coupon_id] for coupon_id in named]

    async def _check_tenders(self, bill: Bill) -> None:
        """Ask the ledger only where points are redeemed: nothing else needs its prices."""
        to_pay = left_to_pay(
            bill.gross_minor - bill.coupons_minor,
            bill.purchase.pay_stored_value_minor,
            bill.purchase.redeem_points,
        )
        if to_pay is None:
            to_pay = (await self._posted(bill)).to_pay_minor
        if bill.tendered_minor != to_pay:
            raise errors.tenders_differ(to_pay)

    async def _posted(self, bill: Bill) -> purchase_pb2.Posted:
        request = points_service_pb2.QuoteRequest(purchase=to_ledger_purchase(bill))
        return (await self._ledger.quote(request)).posted


def _occurred_at(purchase: checkout_pb2.Purchase, now: datetime) -> datetime:
    if not purchase.HasField("occurred_at"):
        return now
    occurred_at = read_instant(purchase.occurred_at, "purchase.occurred_at")
    spends = bool(purchase.redeem_points or purchase.pay_stored_value_minor or purchase.coupon_ids)
    check_date(occurred_at, now, spends=spends, is_stay=purchase.HasField("stay"))
    return occurred_at
