"""A checkout that is opened first: what sets its value aside, and what its commit adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from huitouke.coupon.v1 import coupon_pb2, coupon_service_pb2
from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2
from huitouke.member.v1 import member_pb2
from huitouke.points.v1 import hold_pb2, points_service_pb2, purchase_pb2

from gateway.converters.purchases import (
    Bill,
    cancel_post_request,
    coupon_requests,
    place_of,
    post_request,
    reverse_if_mispriced,
    to_draft,
    to_ledger_purchase,
)
from gateway.converters.receipts import to_balances
from gateway.domain.bills import PricedLine
from gateway.domain.checkouts import CommitKey, CommitPlan, Held, Opening, Plan, Record
from gateway.domain.principals import Principal


def to_wanted(request: partner_service_pb2.OpenCheckoutRequest) -> checkout_pb2.Purchase:
    """Return what coupons are priced on: the bill as far as it is known, without tenders."""
    return checkout_pb2.Purchase(
        member=request.member,
        lines=request.lines,
        currency=request.currency,
        coupon_ids=request.coupon_ids,
    )


def to_first_record(
    request: partner_service_pb2.OpenCheckoutRequest,
    bill: Bill,
    *,
    checkout_id: UUID,
    hold_id: UUID,
    fingerprint: bytes,
    opened_at: datetime,
    deadline_at: datetime,
    commit_by: datetime,
) -> Opening:
    """Return the first record of an open checkout: what sets aside, what gives back or redeems.

    What the ledger will be told of member and till is in it too, so that a commit depends on
    nothing that may change meanwhile.
    """
    named, member_id = str(checkout_id), bill.member.member_id
    reserve, redeem, cancel_reservation = coupon_requests(bill, named)
    booked = to_ledger_purchase(bill)
    facts = purchase_pb2.Purchase(
        member_id=member_id, place=booked.place, currency=booked.currency, member=booked.member
    )
    return Opening(
        checkout_id=checkout_id,
        request_id=request.request_id,
        till=bill.principal.till,
        fingerprint=fingerprint,
        member_id=UUID(member_id),
        opened_at=opened_at,
        deadline_at=deadline_at,
        plan=Plan(
            post=b"",
            cancel_post=cancel_post_request(member_id, named),
            reserve=reserve,
            redeem=redeem,
            cancel_reservation=cancel_reservation,
            authorize=_authorize_request(request, bill, named, str(hold_id)),
        ),
        draft=to_draft(bill).SerializeToString(),
        gross_minor=bill.gross_minor,
        coupons_minor=bill.coupons_minor,
        coupon_count=len(bill.discounts),
        commit_by=commit_by,
        facts=facts.SerializeToString(),
    )


def write_held(opening: Opening, authorized: object | None) -> Held:
    """Return what an open checkout holds, from the ledger's answer; None where it was not asked."""
    draft = checkout_pb2.Receipt.FromString(opening.draft)
    held = checkout_pb2.Held(coupons=draft.coupons, coupons_minor=draft.coupons_minor)
    if authorized is not None:
        assert isinstance(authorized, hold_pb2.AuthorizeHoldResponse)
        held.points = authorized.points
        held.cash_minor = authorized.cash_minor
        held.bonus_minor = authorized.bonus_minor
        held.balances.CopyFrom(to_balances(authorized.balances))
    return Held(held.SerializeToString(), held.points, held.cash_minor + held.bonus_minor)


def to_final_bill(
    record: Record,
    request: partner_service_pb2.CommitCheckoutRequest,
    principal: Principal,
    now: datetime,
) -> Bill:
    """Return the bill of a commit: its lines, with member, till and coupons as they were opened.

    What coupons take off was shared among the opened lines, which come first; later ones get none.
    """
    opening = record.opening
    facts = purchase_pb2.Purchase.FromString(opening.facts)
    member = member_pb2.Resolution(
        member_id=facts.member_id,
        tier=facts.member.tier,
        tags=facts.member.tags,
        birth_month=facts.member.birth_month,
    )
    purchase = checkout_pb2.Purchase(
        lines=request.lines,
        currency=facts.currency,
        redeem_points=request.redeem_points,
        pay_stored_value_minor=request.pay_stored_value_minor,
        tenders=request.tenders,
        stay=request.stay if request.HasField("stay") else None,
        season=request.season,
    )
    where = replace(principal, till=opening.till, time_zone=facts.place.time_zone)
    return Bill(purchase, member, where, now, _discounts(opening, len(request.lines)))


def to_commit_plan(bill: Bill, record: Record, request_id: str, fingerprint: bytes) -> CommitPlan:
    """Return what a commit adds to the first record: the post as exact bytes, and its receipt."""
    checkout_id = str(record.checkout_id)
    return CommitPlan(
        CommitKey(request_id, fingerprint),
        post=post_request(bill, checkout_id, hold_id_of(record)),
        reverse=reverse_if_mispriced(bill, checkout_id),
        draft=to_draft(bill).SerializeToString(),
        gross_minor=bill.gross_minor,
        tendered_minor=bill.tendered_minor,
    )


def to_commit_quote(bill: Bill, record: Record) -> points_service_pb2.QuoteRequest:
    """Return what asks the ledger how this commit would be booked."""
    return points_service_pb2.QuoteRequest(
        purchase=to_ledger_purchase(bill),
        hold_id=hold_id_of(record),
        checkout_id=str(record.checkout_id),
    )


def hold_id_of(record: Record) -> str:
    """Return the id of the hold in the ledger; empty where no value is held."""
    return hold_pb2.AuthorizeHoldRequest.FromString(record.opening.plan.authorize).hold_id


def priced_lines(record: Record) -> list[PricedLine]:
    """Return the opened lines that coupons were priced on; none where no coupon is used."""
    plan = record.opening.plan
    lines = coupon_service_pb2.ReserveRequest.FromString(plan.reserve).basket.lines
    named = checkout_pb2.Receipt.FromString(record.opening.draft).line_ids or [""] * len(lines)
    return [
        PricedLine(line_id, line.item_code, int(line.category), line.amount_minor)
        for line_id, line in zip(named, lines, strict=False)
    ]


def final_lines(
    request: partner_service_pb2.CommitCheckoutRequest, category: int
) -> list[PricedLine]:
    """Return the lines of a commit as coupons see them; `category` is the merchant's own."""
    return [
        PricedLine(line.line_id, line.item_code, int(line.category) or category, line.amount_minor)
        for line in request.lines
    ]


def _authorize_request(
    request: partner_service_pb2.OpenCheckoutRequest, bill: Bill, checkout_id: str, hold_id: str
) -> bytes:
    if not request.hold_points and not request.hold_stored_value_minor:
        return b""
    authorize = hold_pb2.AuthorizeHoldRequest(
        request_id=f"authorize/{checkout_id}",
        hold_id=hold_id,
        member_id=bill.member.member_id,
        place=place_of(bill.principal),
        currency=request.currency,
        points=request.hold_points,
        stored_value_minor=request.hold_stored_value_minor,
        checkout_id=checkout_id,
    )
    return authorize.SerializeToString()


def _discounts(opening: Opening, lines: int) -> Sequence[coupon_pb2.Discount]:
    """Return what coupons take off, with a share for each of `lines` lines."""
    reserved = coupon_service_pb2.ReserveRequest.FromString(opening.plan.reserve).discounts
    for discount in reserved:
        missing = lines - len(discount.line_amounts_minor)
        discount.line_amounts_minor.extend([0] * missing)
    return reserved
