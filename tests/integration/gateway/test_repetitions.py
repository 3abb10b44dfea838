"""The same request again, at once or later: one effect, equal answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc
from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2

from chassis.rpc.status import from_rpc_error
from tests.integration.gateway.till import (
    Operator,
    Till,
    new_mobile,
    new_request_id,
    purchase,
    refusal_of,
)


def test_64_identical_checkouts_at_once_have_one_effect_and_equal_answers(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    member_id = front_desk.member_id()
    coupon = restaurant.claim(member_id, operator.campaign())
    request = partner_service_pb2.CheckoutRequest(
        request_id=new_request_id(), purchase=purchase(member_id, 30_000, coupons=[coupon])
    )
    calls = [restaurant.start("Checkout", request) for _ in range(64)]
    answers = [call.result().checkout for call in calls]
    assert all(answer == answers[0] for answer in answers)
    replayed = [call for call in calls if ("huitouke-replayed", "true") in call.trailing_metadata()]
    assert len(replayed) == 63
    assert restaurant.balances(member_id).points == answers[0].receipt.points_earned


def test_a_repeated_checkout_gets_the_first_answer_marked(
    front_desk: Till, restaurant: Till
) -> None:
    bought = purchase(front_desk.member_id(), 10_000)
    request_id = new_request_id()
    first = restaurant.checkout(bought, request_id)
    again = restaurant.checkout(bought, request_id)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.response == first.response


def test_a_reused_request_id_names_the_first_differing_field(
    front_desk: Till, restaurant: Till
) -> None:
    member_id = front_desk.member_id()
    request_id = new_request_id()
    restaurant.checkout(purchase(member_id, 10_000), request_id)
    other = refusal_of(restaurant.checkout, purchase(member_id, 10_001), request_id)
    assert other.reason == "REQUEST_ID_REUSED"
    assert other.metadata["field"] == "purchase.lines"
    assert other.fields[0].field == "purchase.lines"
    more = refusal_of(restaurant.checkout, purchase(member_id, 10_000, points=100), request_id)
    assert more.metadata["field"] == "purchase.redeem_points"


def test_a_refusal_before_anything_was_opened_is_remembered_too(restaurant: Till) -> None:
    request_id = new_request_id()
    stranger = purchase("00000000-0000-4000-8000-000000000000", 10_000)
    first = refusal_of(restaurant.checkout, stranger, request_id)
    again = refusal_of(restaurant.checkout, stranger, request_id)
    assert (first.reason, first.replayed) == ("MEMBER_NOT_FOUND", False)
    assert (again.reason, again.replayed) == ("MEMBER_NOT_FOUND", True)


def test_enrolling_twice_with_one_request_id_makes_one_member_and_repeats_no_secret(
    front_desk: Till,
) -> None:
    mobile, request_id = new_mobile(), new_request_id()
    first = front_desk.enrol(mobile, request_id=request_id)
    again = front_desk.enrol(mobile, request_id=request_id)
    assert again.member.member_id == first.member.member_id
    assert len(first.card_verification_value) == 4
    assert again.card_verification_value == ""
    other = refusal_of(front_desk.enrol, new_mobile(), request_id=request_id)
    assert (other.reason, other.metadata["field"]) == ("REQUEST_ID_REUSED", "mobile")


def test_topping_up_twice_with_one_request_id_pays_in_once(
    front_desk: Till, restaurant: Till
) -> None:
    member_id = front_desk.member_id()
    request_id = new_request_id()
    first = front_desk.top_up(member_id, 100_000, request_id=request_id)
    again = front_desk.top_up(member_id, 100_000, request_id=request_id)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.response == first.response
    assert front_desk.balances(member_id).cash_minor == 100_000
    other = refusal_of(front_desk.top_up, member_id, 100_001, request_id=request_id)
    assert (other.reason, other.metadata["field"]) == ("REQUEST_ID_REUSED", "amount_minor")
    elsewhere = restaurant.top_up(member_id, 50_000, request_id=request_id)
    assert not elsewhere.replayed, "request ids are known per merchant"


def test_claiming_twice_with_one_request_id_gives_one_coupon(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    member_id = front_desk.member_id()
    code, request_id = operator.campaign(), new_request_id()
    coupon = restaurant.claim(member_id, code, request_id)
    assert restaurant.claim(member_id, code, request_id) == coupon
    listed = restaurant.call(
        "ListCoupons",
        partner_service_pb2.ListCouponsRequest(
            member=checkout_pb2.MemberIdentifier(member_id=member_id)
        ),
    ).response.coupons
    assert [each.coupon_id for each in listed] == [coupon]
    assert listed[0].name == "测试券"


def test_a_single_coupon_wanted_by_many_goes_to_exactly_one(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    member_id = front_desk.member_id()
    coupon = restaurant.claim(member_id, operator.campaign())

    def buy(_: int) -> str:
        request = partner_service_pb2.CheckoutRequest(
            request_id=new_request_id(), purchase=purchase(member_id, 20_000, coupons=[coupon])
        )
        try:
            restaurant.start("Checkout", request).result()
        except grpc.RpcError as error:
            return from_rpc_error(error).reason
        return "OK"

    with ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(buy, range(100)))
    assert outcomes.count("OK") == 1
    assert set(outcomes) <= {"OK", "COUPON_RESERVED", "COUPON_REDEEMED"}


def test_64_identical_refunds_at_once_have_one_effect(front_desk: Till, restaurant: Till) -> None:
    member_id = front_desk.member_id()
    made = restaurant.checkout(purchase(member_id, 10_000)).response.checkout
    request = partner_service_pb2.RefundCheckoutRequest(
        request_id=new_request_id(), checkout_id=made.checkout_id
    )
    answers = [
        call.result().refund
        for call in [restaurant.start("RefundCheckout", request) for _ in range(64)]
    ]
    assert all(answer == answers[0] for answer in answers)
    assert restaurant.balances(member_id).points == 0
