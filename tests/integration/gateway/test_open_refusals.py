"""What is refused of open checkouts: with which reason, and that it changes nothing."""

from __future__ import annotations

import uuid

import pytest
from google.protobuf.duration_pb2 import Duration
from huitouke.gateway.v1 import checkout_pb2, merchant_pb2, partner_service_pb2

from tests.integration.gateway.tab_requests import commit_request, open_request
from tests.integration.gateway.tabs import ALIPAY, COMMITTED, OPEN, tab
from tests.integration.gateway.till import Operator, Till, new_request_id, purchase, refusal_of


@pytest.mark.parametrize(
    ("points", "stored_value"), [(501, 0), (0, 22_001)], ids=["points", "stored value"]
)
def test_a_commit_beyond_the_hold_names_it_and_leaves_the_tab_open(
    restaurant: Till, guest: str, points: int, stored_value: int
) -> None:
    opened = tab(restaurant, guest)
    spends = {"redeem_points": points, "pay_stored_value_minor": stored_value}
    request_id = new_request_id()
    refused = refusal_of(
        restaurant.commit, opened.checkout_id, 90_000, request_id=request_id, **spends
    )
    assert refused.reason == "COMMIT_EXCEEDS_HOLD"
    assert refused.metadata == {"held_points": "500", "held_stored_value_minor": "22000"}
    again = refusal_of(
        restaurant.commit, opened.checkout_id, 90_000, request_id=request_id, **spends
    )
    assert (again.reason, again.replayed) == ("COMMIT_EXCEEDS_HOLD", True)
    quoted = refusal_of(restaurant.quote_commit, opened.checkout_id, 90_000, **spends)
    assert (quoted.reason, quoted.metadata) == (again.reason, again.metadata)
    assert restaurant.find(opened.request_id).state == OPEN
    done = restaurant.commit(
        opened.checkout_id, 90_000, redeem_points=500, pay_stored_value_minor=22_000
    )
    assert done.response.checkout.state == COMMITTED


@pytest.mark.parametrize(
    ("amounts", "fields", "reason"),
    [
        ((1_000,), {"pay_stored_value_minor": 2_000}, "TENDER_EXCEEDS_BILL"),
        (
            (1_000,),
            {"tenders": [checkout_pb2.Tender(kind=ALIPAY, amount_minor=999)]},
            "TENDERS_DIFFER",
        ),
    ],
)
def test_a_commit_that_a_rule_refuses_leaves_the_tab_open(
    restaurant: Till, guest: str, amounts: tuple[int, ...], fields: dict[str, object], reason: str
) -> None:
    opened = tab(restaurant, guest)
    assert refusal_of(restaurant.commit, opened.checkout_id, *amounts, **fields).reason == reason
    assert restaurant.find(opened.request_id) == opened
    restaurant.cancel_open(opened.checkout_id)


def test_what_cannot_be_set_aside_opens_nothing(
    operator: Operator, restaurant: Till, guest: str
) -> None:
    coupon = restaurant.claim(guest, operator.campaign())
    before = restaurant.balances(guest)
    request_id = new_request_id()
    fields = {"lines": [20_000], "coupon_ids": [coupon], "hold_points": 100_000}
    refused = refusal_of(restaurant.open, guest, request_id, **fields)
    assert (refused.reason, refused.replayed) == ("INSUFFICIENT_POINTS", False)
    again = refusal_of(restaurant.open, guest, request_id, **fields)
    assert (again.reason, again.replayed) == ("INSUFFICIENT_POINTS", True)
    assert restaurant.balances(guest) == before
    assert operator.coupon_books().reserved == operator.books().coupons_held
    restaurant.checkout(purchase(guest, 20_000, coupons=[coupon]))
    tenant = operator.till(accepts=False)
    declined = refusal_of(tenant.open, guest, hold_stored_value_minor=1)
    assert declined.reason == "STORED_VALUE_NOT_ACCEPTED"


def test_an_open_checkout_is_not_refunded(restaurant: Till, guest: str) -> None:
    opened = tab(restaurant, guest)
    request_id = new_request_id()
    refused = refusal_of(restaurant.refund, opened.checkout_id, request_id)
    assert refused.reason == "CHECKOUT_OPEN"
    restaurant.commit(opened.checkout_id, 22_000, pay_stored_value_minor=22_000)
    part = restaurant.refund(opened.checkout_id, request_id, amount_minor=11_000).response.refund
    assert (part.cash_restored_minor, part.bonus_restored_minor) == (10_000, 1_000)
    rest = restaurant.refund(opened.checkout_id).response.refund
    assert (rest.amount_minor, rest.whole) == (11_000, True)


def test_another_merchants_open_checkout_is_not_found(
    operator: Operator, restaurant: Till, guest: str
) -> None:
    opened = tab(restaurant, guest)
    stranger = operator.till()
    assert refusal_of(stranger.commit, opened.checkout_id, 1_000).reason == "CHECKOUT_NOT_FOUND"
    assert refusal_of(stranger.quote_commit, opened.checkout_id, 1).reason == "CHECKOUT_NOT_FOUND"
    assert refusal_of(stranger.cancel_open, opened.checkout_id).reason == "CHECKOUT_NOT_FOUND"
    assert refusal_of(stranger.commit, str(uuid.uuid4()), 1_000).reason == "CHECKOUT_NOT_FOUND"
    assert restaurant.find(opened.request_id) == opened
    colleague = operator.till_of(restaurant.merchant)
    assert colleague.commit(opened.checkout_id, 1_000).response.checkout.state == COMMITTED


def test_a_checkout_of_one_call_is_not_committed(restaurant: Till, guest: str) -> None:
    made = restaurant.checkout(purchase(guest, 1_000)).response.checkout
    refused = refusal_of(restaurant.commit, made.checkout_id, 1_000)
    assert refused.reason == "CHECKOUT_NOT_OPENED"


def test_opening_and_committing_need_the_scope_of_a_checkout(
    operator: Operator, restaurant: Till, guest: str
) -> None:
    key = operator.api_key(restaurant.merchant.merchant_id, [merchant_pb2.SCOPE_MEMBER_READ])
    reader = restaurant.with_key(key.secret_text)
    for refused in (
        refusal_of(reader.open, guest),
        refusal_of(reader.commit, str(uuid.uuid4()), 1_000),
    ):
        assert (refused.reason, refused.metadata["scope"]) == ("SCOPE_MISSING", "CHECKOUT")


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("OpenCheckout", open_request("no-uuid", "r"), "member.member_id"),
        ("OpenCheckout", open_request(str(uuid.uuid4()), ""), "request_id"),
        ("OpenCheckout", open_request(str(uuid.uuid4()), "r", hold_points=-1), "hold_points"),
        (
            "OpenCheckout",
            open_request(str(uuid.uuid4()), "r", open_for=Duration(seconds=86_401)),
            "open_for",
        ),
        (
            "OpenCheckout",
            open_request(str(uuid.uuid4()), "r", open_for=Duration(seconds=90, nanos=5)),
            "open_for",
        ),
        ("CommitCheckout", commit_request("no-uuid", "r", 1), "checkout_id"),
        ("CommitCheckout", commit_request(str(uuid.uuid4()), "r"), "lines"),
        (
            "CommitCheckout",
            commit_request(str(uuid.uuid4()), "r", 1, pay_stored_value_minor=-1),
            "pay_stored_value_minor",
        ),
    ],
)
def test_what_breaks_a_field_rule_names_it(
    restaurant: Till, method: str, request_: object, field: str
) -> None:
    refused = refusal_of(restaurant.call, method, request_)
    assert refused.reason == "INVALID_FIELD"
    assert [each.field for each in refused.fields] == [field]


def test_coupons_need_a_bill_and_a_cancellation_one_key(restaurant: Till, guest: str) -> None:
    blind = refusal_of(restaurant.open, guest, coupon_ids=[str(uuid.uuid4())])
    assert blind.reason == "INVALID_FIELD"
    both = partner_service_pb2.CancelCheckoutRequest(
        checkout_request_id="r", checkout_id=str(uuid.uuid4())
    )
    for request in (both, partner_service_pb2.CancelCheckoutRequest()):
        assert refusal_of(restaurant.call, "CancelCheckout", request).reason == "INVALID_FIELD"
    dollars = refusal_of(restaurant.open, guest, currency="USD")
    assert (dollars.reason, dollars.fields[0].field) == ("CURRENCY_MISMATCH", "currency")
    refused = refusal_of(restaurant.open, guest, lines=[1], coupon_ids=[str(uuid.uuid4())])
    assert refused.reason == "COUPON_NOT_FOUND"
