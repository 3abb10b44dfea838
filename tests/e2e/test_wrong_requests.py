"""A request that is wrong is refused with a reason that names the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2

from tests.e2e.guests import Guest, dinner, enrolled
from tests.e2e.nasty import SOME_ID
from tests.integration.gateway.till import Till, new_request_id, refusal_of


def _purchase(member_id: str) -> partner_service_pb2.CheckoutRequest:
    return partner_service_pb2.CheckoutRequest(
        request_id=new_request_id(), purchase=dinner(member_id)
    )


def _set(path: str, value: Any) -> Callable[[Any], None]:
    """Set the field at a dotted path."""
    *above, name = path.split(".")

    def change(request: Any) -> None:
        for step in above:
            request = request[int(step)] if step.isdigit() else getattr(request, step)
        setattr(request, name, value)

    return change


def _lines(count: int) -> Callable[[Any], None]:
    def change(request: Any) -> None:
        line = checkout_pb2.PurchaseLine(quantity=1, amount_minor=1_000)
        del request.purchase.lines[:]
        request.purchase.lines.extend([line] * count)

    return change


def _extend(name: str, *values: Any) -> Callable[[Any], None]:
    return lambda request: getattr(request.purchase, name).extend(values)


def _tender(kind: int, amount: int) -> checkout_pb2.Tender:
    return checkout_pb2.Tender(kind=kind, amount_minor=amount)  # type: ignore[arg-type]


PURCHASES: dict[str, tuple[Callable[[Any], None], str]] = {
    "no request id": (_set("request_id", ""), "request_id"),
    "a request id of 129 characters": (_set("request_id", "x" * 129), "request_id"),
    "a request id with a zero octet": (_set("request_id", "a\0b"), "request_id"),
    "no member": (lambda request: request.purchase.ClearField("member"), "purchase.member"),
    "a bad uuid": (_set("purchase.member.member_id", "x"), "purchase.member.member_id"),
    "a short card": (_set("purchase.member.card_number", "12"), "purchase.member.card_number"),
    "a bad mobile": (_set("purchase.member.mobile", "139"), "purchase.member.mobile"),
    "no lines": (_lines(0), "purchase.lines"),
    "201 lines": (_lines(201), "purchase.lines"),
    "a line of nothing": (
        _set("purchase.lines.0.amount_minor", 0),
        "purchase.lines[0].amount_minor",
    ),
    "a negative line": (
        _set("purchase.lines.1.amount_minor", -1),
        "purchase.lines[1].amount_minor",
    ),
    "a line beyond bounds": (
        _set("purchase.lines.0.amount_minor", 2**63 - 1),
        "purchase.lines[0].amount_minor",
    ),
    "no pieces": (_set("purchase.lines.0.quantity", 0), "purchase.lines[0].quantity"),
    "a long line id": (_set("purchase.lines.0.line_id", "x" * 65), "purchase.lines[0].line_id"),
    "an unknown category": (_set("purchase.lines.0.category", 99), "purchase.lines[0].category"),
    "no currency": (_set("purchase.currency", ""), "purchase.currency"),
    "a small currency": (_set("purchase.currency", "cny"), "purchase.currency"),
    "another currency": (_set("purchase.currency", "XXX"), "purchase.currency"),
    "negative points": (_set("purchase.redeem_points", -1), "purchase.redeem_points"),
    "points beyond bounds": (_set("purchase.redeem_points", 2**63 - 1), "purchase.redeem_points"),
    "negative stored value": (
        _set("purchase.pay_stored_value_minor", -1),
        "purchase.pay_stored_value_minor",
    ),
    "11 coupons": (
        _extend("coupon_ids", *(f"01890a5d-ac96-774b-bcce-b302099a80{n:02d}" for n in range(11))),
        "purchase.coupon_ids",
    ),
    "one coupon twice": (_extend("coupon_ids", SOME_ID, SOME_ID), "purchase.coupon_ids"),
    "a coupon that is no uuid": (_extend("coupon_ids", "x"), "purchase.coupon_ids[0]"),
    "a tender of no kind": (_extend("tenders", _tender(0, 1)), "purchase.tenders[0].kind"),
    "an unknown tender": (_extend("tenders", _tender(99, 1)), "purchase.tenders[0].kind"),
    "a negative tender": (_extend("tenders", _tender(1, -1)), "purchase.tenders[0].amount_minor"),
    "21 tenders": (_extend("tenders", *[_tender(1, 1)] * 21), "purchase.tenders"),
    "a stay by no channel": (_set("purchase.stay.nights", 1), "purchase.stay.channel"),
    "a stay of 367 nights": (_set("purchase.stay.nights", 367), "purchase.stay.nights"),
    "bought in the year 2999": (
        lambda request: request.purchase.occurred_at.FromSeconds(32_000_000_000),
        "purchase.occurred_at",
    ),
    "bought in 1971": (
        lambda request: request.purchase.occurred_at.FromSeconds(32_000_000),
        "purchase.occurred_at",
    ),
    "an instant that is none": (
        lambda request: request.purchase.occurred_at.CopyFrom(Timestamp(seconds=10**18)),
        "purchase.occurred_at",
    ),
    "nanoseconds that are none": (
        lambda request: request.purchase.occurred_at.CopyFrom(Timestamp(seconds=1, nanos=-5)),
        "purchase.occurred_at",
    ),
}


@pytest.mark.parametrize("what", PURCHASES)
@pytest.mark.parametrize("method", ["Checkout", "QuoteCheckout"])
def test_a_wrong_purchase_is_refused_naming_its_field(
    restaurant: Till, guest: Guest, method: str, what: str
) -> None:
    change, field = PURCHASES[what]
    request: Any = _purchase(guest.member_id)
    change(request)
    if method == "QuoteCheckout":
        request = partner_service_pb2.QuoteCheckoutRequest(purchase=request.purchase)
        if field == "request_id":
            return
    refused = refusal_of(restaurant.call, method, request)
    assert not refused.passing, refused
    assert refused.reason in {"INVALID_FIELD", "CURRENCY_MISMATCH", "OCCURRED_AT_OUT_OF_RANGE"}
    assert field in {violation.field for violation in refused.fields}


OTHERS: dict[str, tuple[str, Any, str, str]] = {
    "nobody to find": (
        "FindMember",
        partner_service_pb2.FindMemberRequest(),
        "INVALID_FIELD",
        "member",
    ),
    "an empty identifier": (
        "FindMember",
        partner_service_pb2.FindMemberRequest(member=checkout_pb2.MemberIdentifier()),
        "INVALID_FIELD",
        "member.identifier",
    ),
    "a card of spaces": (
        "FindMember",
        partner_service_pb2.FindMemberRequest(
            member=checkout_pb2.MemberIdentifier(card_number=" " * 16)
        ),
        "CARD_UNKNOWN",
        "",
    ),
    "a card of 24 digits": (
        "FindMember",
        partner_service_pb2.FindMemberRequest(
            member=checkout_pb2.MemberIdentifier(card_number="4" * 24)
        ),
        "CARD_UNKNOWN",
        "",
    ),
    "a negative page": (
        "ListActivity",
        partner_service_pb2.ListActivityRequest(
            member=checkout_pb2.MemberIdentifier(member_id=SOME_ID), page_size=-1
        ),
        "INVALID_FIELD",
        "page_size",
    ),
    "a checkout by nothing": (
        "GetCheckout",
        partner_service_pb2.GetCheckoutRequest(),
        "INVALID_FIELD",
        "key",
    ),
    "a checkout that isn't": (
        "GetCheckout",
        partner_service_pb2.GetCheckoutRequest(checkout_id=SOME_ID),
        "CHECKOUT_NOT_FOUND",
        "",
    ),
    "a refund of nothing": (
        "RefundCheckout",
        partner_service_pb2.RefundCheckoutRequest(request_id="r/1", checkout_id="x"),
        "INVALID_FIELD",
        "checkout_id",
    ),
    "a mobile that can't be": (
        "EnrolMember",
        partner_service_pb2.EnrolMemberRequest(
            request_id="rubbish/mobile", name="虚构", mobile="+1000000", vouched_by_staff="S1"
        ),
        "MOBILE_INVALID",
        "",
    ),
    "a day that isn't": (
        "EnrolMember",
        partner_service_pb2.EnrolMemberRequest(
            request_id="rubbish/day",
            name="虚构",
            mobile="+8619900000001",
            birthday="2001-02-29",
            vouched_by_staff="S1",
        ),
        "INVALID_FIELD",
        "birthday",
    ),
    "a nameless guest": (
        "EnrolMember",
        partner_service_pb2.EnrolMemberRequest(
            request_id="rubbish/name", mobile="+8619900000001", vouched_by_staff="S1"
        ),
        "INVALID_FIELD",
        "name",
    ),
    "an endless name": (
        "EnrolMember",
        partner_service_pb2.EnrolMemberRequest(
            request_id="rubbish/name", name="京" * 50_000, mobile="+8619900000001"
        ),
        "INVALID_FIELD",
        "name",
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_wrong_request_is_refused_with_its_reason(front_desk: Till, what: str) -> None:
    method, request, reason, field = OTHERS[what]
    refused = refusal_of(front_desk.call, method, request)
    assert refused.reason == reason
    assert not field or field in {violation.field for violation in refused.fields}


@pytest.mark.parametrize("token", ["x", "\0", "AAAA", "京", "=" * 1024])
@pytest.mark.parametrize("method", ["ListActivity", "ListCoupons"])
def test_a_made_up_page_token_is_refused(
    front_desk: Till, guest: Guest, method: str, token: str
) -> None:
    kind = getattr(partner_service_pb2, f"{method}Request")
    member = checkout_pb2.MemberIdentifier(member_id=guest.member_id)
    refused = refusal_of(front_desk.call, method, kind(member=member, page_token=token))
    assert refused.reason in {"PAGE_TOKEN_INVALID", "INVALID_FIELD"}


@pytest.mark.parametrize("amount", [1, 100_000_000, 100_000_001, 2**63 - 1, 0, -1, -(2**63)])
def test_a_top_up_at_its_bounds_is_done_or_refused_with_a_reason(
    front_desk: Till, amount: int
) -> None:
    member_id = front_desk.member_id()
    if amount == 1:
        assert front_desk.top_up(member_id, amount).response.cash_added_minor == 1
        return
    reason = refusal_of(front_desk.top_up, member_id, amount).reason
    assert reason == ("TOP_UP_LIMIT" if amount == 100_000_000 else "INVALID_FIELD")


def test_the_greatest_bill_is_booked_exactly(front_desk: Till) -> None:
    guest = enrolled(front_desk)
    request = _purchase(guest.member_id)
    greatest = checkout_pb2.PurchaseLine(quantity=100_000, amount_minor=100_000_000_000)
    bought = checkout_pb2.Purchase(
        member=request.purchase.member, lines=[greatest] * 200, currency="CNY"
    )
    receipt = front_desk.checkout(bought).response.checkout.receipt
    assert receipt.gross_minor == receipt.to_pay_minor == 200 * 100_000_000_000
    assert front_desk.balances(guest.member_id).points == receipt.points_earned


def test_fields_of_a_later_contract_are_passed_over(restaurant: Till, guest: Guest) -> None:
    request = partner_service_pb2.GetBalancesRequest(
        member=checkout_pb2.MemberIdentifier(member_id=guest.member_id)
    )
    later = request.SerializeToString() + b"\xfa\x3e\x04news"
    assert request.FromString(later).SerializeToString() == later
    answer = restaurant.call("GetBalances", request.FromString(later)).response
    assert answer.balances == restaurant.balances(guest.member_id)
