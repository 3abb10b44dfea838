"""A till's purchase as the services see it, and as the exact bytes that each will get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from huitouke.coupon.v1 import coupon_pb2, coupon_service_pb2
from huitouke.gateway.v1 import checkout_pb2
from huitouke.member.v1 import member_pb2
from huitouke.points.v1 import points_service_pb2, purchase_pb2
from huitouke.type.v1 import place_pb2

from gateway.converters.instants import to_timestamp
from gateway.converters.wire import Parts
from gateway.domain.bills import net_amounts
from gateway.domain.checkouts import Opening, Plan, Till
from gateway.domain.principals import Principal

_POST = Parts(points_service_pb2.PostRequest.DESCRIPTOR)
_CANCEL_POST = Parts(points_service_pb2.CancelPostRequest.DESCRIPTOR)


@dataclass(frozen=True, slots=True)
class Bill:
    """A purchase whose member is known and whose coupons are priced.

    `discounts` are what the coupon service said, in the order the till named the coupons.
    """

    purchase: checkout_pb2.Purchase
    member: member_pb2.Resolution
    principal: Principal
    occurred_at: datetime
    discounts: Sequence[coupon_pb2.Discount] = ()

    @property
    def gross_minor(self) -> int:
        return sum(line.amount_minor for line in self.purchase.lines)

    @property
    def coupons_minor(self) -> int:
        return sum(discount.amount_minor for discount in self.discounts)

    @property
    def tendered_minor(self) -> int | None:
        """What the till's tenders add up to; None when it named none."""
        tenders = self.purchase.tenders
        return sum(tender.amount_minor for tender in tenders) if tenders else None


def place_of(principal: Principal) -> place_pb2.Place:
    """Return where this principal's till stands; shared, so never change it."""
    return place_at(principal.till, principal.time_zone)


@lru_cache(maxsize=4096)
def place_at(till: Till, time_zone: str) -> place_pb2.Place:
    """Return the till as the services name it; shared, so never change it."""
    return place_pb2.Place(
        merchant_id=str(till.merchant_id),
        outlet_id=str(till.outlet_id),
        terminal_id=str(till.terminal_id),
        property_code=till.property_code,
        time_zone=time_zone,
    )


def to_basket(bill: Bill) -> coupon_pb2.Basket:
    """Return what is bought, before coupons."""
    basket = coupon_pb2.Basket(
        currency=bill.purchase.currency,
        place=place_of(bill.principal),
        tier=bill.member.tier,
        occurred_at=to_timestamp(bill.occurred_at),
    )
    for line in bill.purchase.lines:
        basket.lines.add(
            category=line.category or bill.principal.category,
            item_code=line.item_code,
            amount_minor=line.amount_minor,
        )
    return basket


def to_ledger_purchase(bill: Bill) -> purchase_pb2.Purchase:
    """Return the purchase as the ledger books it: lines net of coupons."""
    asked = bill.purchase
    member = bill.member
    booked = purchase_pb2.Purchase(
        member_id=member.member_id,
        place=place_of(bill.principal),
        currency=asked.currency,
        occurred_at=to_timestamp(bill.occurred_at),
        member=purchase_pb2.MemberFacts(
            tier=member.tier, tags=member.tags, birth_month=member.birth_month
        ),
        redeem_points=asked.redeem_points,
        pay_stored_value_minor=asked.pay_stored_value_minor,
    )
    amounts = [line.amount_minor for line in asked.lines]
    if bill.discounts:
        amounts = net_amounts(amounts, [d.line_amounts_minor for d in bill.discounts])
    category = bill.principal.category
    for line, amount in zip(asked.lines, amounts, strict=True):
        booked.lines.add(category=line.category or category, amount_minor=amount)
    if asked.HasField("stay"):
        stay = asked.stay
        booked.stay.channel = stay.channel
        booked.stay.rate_code = stay.rate_code
        booked.stay.nights = stay.nights
        booked.stay.member_absent = stay.member_absent
        if stay.HasField("ends_at"):
            booked.stay.ends_at.CopyFrom(stay.ends_at)
    if asked.season:
        booked.season = asked.season
    return booked


def to_opening(
    bill: Bill,
    *,
    checkout_id: UUID,
    request_id: str,
    fingerprint: bytes,
    opened_at: datetime,
    deadline_at: datetime,
) -> Opening:
    """Return the first record of a checkout, with every participant's request in it."""
    return Opening(
        checkout_id=checkout_id,
        request_id=request_id,
        till=bill.principal.till,
        fingerprint=fingerprint,
        member_id=UUID(bill.member.member_id),
        opened_at=opened_at,
        deadline_at=deadline_at,
        plan=_plan(bill, str(checkout_id)),
        draft=to_draft(bill).SerializeToString(),
        gross_minor=bill.gross_minor,
        coupons_minor=bill.coupons_minor,
        coupon_count=len(bill.discounts),
        tendered_minor=bill.tendered_minor,
    )


def to_draft(bill: Bill) -> checkout_pb2.Receipt:
    """Return the receipt as far as it is known before the ledger answers."""
    draft = checkout_pb2.Receipt(
        gross_minor=bill.gross_minor,
        coupons_minor=bill.coupons_minor,
        currency=bill.purchase.currency,
        tenders=bill.purchase.tenders,
    )
    if any(line.line_id for line in bill.purchase.lines):
        draft.line_ids.extend(line.line_id for line in bill.purchase.lines)
    for discount in bill.discounts:
        draft.coupons.add(
            coupon_id=discount.coupon_id,
            campaign_code=discount.campaign_code,
            amount_minor=discount.amount_minor,
        )
    return draft


def _plan(bill: Bill, checkout_id: str) -> Plan:
    """Put together every participant's request; what each checkout needs, from its wire parts."""
    reserve, redeem, cancel_reservation = coupon_requests(bill, checkout_id)
    return Plan(
        post=post_request(bill, checkout_id),
        cancel_post=cancel_post_request(bill.member.member_id, checkout_id),
        reserve=reserve,
        redeem=redeem,
        cancel_reservation=cancel_reservation,
        reverse=reverse_if_mispriced(bill, checkout_id),
    )


def post_request(bill: Bill, checkout_id: str, hold_id: str = "") -> bytes:
    """Return the request that books a purchase, out of a hold where there is one."""
    in_bytes = checkout_id.encode()
    return (
        _POST.part("request_id", b"post/" + in_bytes)
        + _POST.part("checkout_id", in_bytes)
        + _POST.part("purchase", to_ledger_purchase(bill).SerializeToString())
        + (_POST.part("hold_id", hold_id.encode()) if hold_id else b"")
        + _expectation(bill)
    )


def _expectation(bill: Bill) -> bytes:
    """Return the part of a post that has it refused where the till's tenders don't fit."""
    if not _may_differ(bill):
        return b""
    expected = points_service_pb2.PostRequest(expected_to_pay_minor=bill.tendered_minor)
    return expected.SerializeToString()


def _may_differ(bill: Bill) -> bool:
    """Whether the tenders were checked against what only the ledger prices: points.

    Between the quote and the post another programme may have been published.
    """
    return bill.tendered_minor is not None and bill.purchase.redeem_points > 0


def cancel_post_request(member_id: str, checkout_id: str) -> bytes:
    """Return the request that fences a checkout in the ledger, and releases its hold."""
    in_bytes = checkout_id.encode()
    return (
        _CANCEL_POST.part("request_id", b"cancel-post/" + in_bytes)
        + _CANCEL_POST.part("member_id", member_id.encode())
        + _CANCEL_POST.part("checkout_id", in_bytes)
    )


def coupon_requests(bill: Bill, checkout_id: str) -> tuple[bytes, bytes, bytes]:
    """Return the requests to reserve, redeem and cancel; empty where no coupon is used."""
    member_id = bill.member.member_id
    if not bill.discounts:
        return b"", b"", b""
    reserve = coupon_service_pb2.ReserveRequest(
        request_id=f"reserve/{checkout_id}",
        member_id=member_id,
        checkout_id=checkout_id,
        basket=to_basket(bill),
        discounts=bill.discounts,
    )
    redeem = coupon_service_pb2.RedeemRequest(
        request_id=f"redeem/{checkout_id}", member_id=member_id, checkout_id=checkout_id
    )
    cancel = coupon_service_pb2.CancelReservationRequest(
        request_id=f"cancel-reservation/{checkout_id}",
        member_id=member_id,
        checkout_id=checkout_id,
    )
    return reserve.SerializeToString(), redeem.SerializeToString(), cancel.SerializeToString()


def reverse_if_mispriced(bill: Bill, checkout_id: str) -> bytes:
    """Return the request that undoes a post whose tenders don't fit, for who books it all the same.

    A ledger of an earlier release does not read what the post expects. The checkout's id serves as
    the reversal's: there is no refund.
    """
    if not _may_differ(bill):
        return b""
    reverse = points_service_pb2.ReverseRequest(
        request_id=f"reverse/{checkout_id}",
        member_id=bill.member.member_id,
        checkout_id=checkout_id,
        reversal_id=checkout_id,
        place=place_of(bill.principal),
    )
    return reverse.SerializeToString()
