"""Checkouts from a till's side: one call, every participant, exact figures."""

from __future__ import annotations

from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2
from huitouke.type.v1 import booking_channel_pb2

from tests.integration.gateway.till import Operator, Till, new_request_id, purchase, refusal_of


def adds_up(receipt: checkout_pb2.Receipt) -> bool:
    return receipt.gross_minor == (
        receipt.coupons_minor
        + receipt.points_value_minor
        + receipt.cash_paid_minor
        + receipt.bonus_paid_minor
        + receipt.to_pay_minor
    )


def guest_with_value(front_desk: Till) -> str:
    """A guest with stored value 1,100 CNY and some points."""
    member_id = front_desk.member_id()
    front_desk.top_up(member_id, 100_000)
    front_desk.checkout(
        checkout_pb2.Purchase(
            member=checkout_pb2.MemberIdentifier(member_id=member_id),
            lines=[checkout_pb2.PurchaseLine(quantity=1, amount_minor=200_000)],
            currency="CNY",
            stay=checkout_pb2.Stay(channel=booking_channel_pb2.BOOKING_CHANNEL_DIRECT, nights=2),
        )
    )
    return member_id


def test_a_plain_checkout_earns_points_and_is_found_again(
    front_desk: Till, restaurant: Till
) -> None:
    member_id = front_desk.member_id()
    request_id = new_request_id()
    made = restaurant.checkout(purchase(member_id, 12_345, 655), request_id).response.checkout
    assert made.state == checkout_pb2.CHECKOUT_STATE_COMMITTED
    assert made.receipt.gross_minor == 13_000
    assert made.receipt.to_pay_minor == 13_000
    assert made.receipt.points_earned == restaurant.balances(member_id).points
    assert restaurant.find(request_id) == made
    by_id = partner_service_pb2.GetCheckoutRequest(checkout_id=made.checkout_id)
    assert restaurant.call("GetCheckout", by_id).response.checkout == made


def test_coupon_points_and_stored_value_pay_one_dinner_exactly(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    member_id = guest_with_value(front_desk)
    before = restaurant.balances(member_id)
    coupon = restaurant.claim(member_id, operator.campaign(amount_minor=5_000))
    dinner = purchase(
        member_id, 33_333, 21_111, coupons=[coupon], points=1_000, stored_value_minor=20_000
    )
    quoted = restaurant.call(
        "QuoteCheckout", partner_service_pb2.QuoteCheckoutRequest(purchase=dinner)
    ).response.receipt
    receipt = restaurant.checkout(dinner).response.checkout.receipt
    assert adds_up(receipt)
    assert quoted == receipt
    assert receipt.coupons_minor == 5_000
    assert receipt.points_value_minor == 1_000
    assert receipt.cash_paid_minor + receipt.bonus_paid_minor == 20_000
    after = restaurant.balances(member_id)
    assert after == receipt.balances
    assert after.points == before.points - 1_000 + receipt.points_earned
    used = refusal_of(restaurant.checkout, purchase(member_id, 9_000, coupons=[coupon]))
    assert used.reason in {"COUPON_REDEEMED", "COUPON_RESERVED"}, "redeemed right after the answer"


def test_a_refund_gives_back_everything_once(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    member_id = guest_with_value(front_desk)
    coupon = restaurant.claim(member_id, operator.campaign())
    before = restaurant.balances(member_id)
    lunch = purchase(member_id, 40_000, coupons=[coupon], points=500, stored_value_minor=11_000)
    request_id = new_request_id()
    made = restaurant.checkout(lunch, request_id).response.checkout
    refund_id = new_request_id()
    first = restaurant.refund(made.checkout_id, refund_id)
    refund = first.response.refund
    assert refund.money_minor == made.receipt.to_pay_minor
    assert refund.points_restored == 500
    assert refund.cash_restored_minor + refund.bonus_restored_minor == 11_000
    assert list(refund.restored_coupon_ids) == [coupon]
    assert refund.points_taken_back == made.receipt.points_earned
    after = restaurant.balances(member_id)
    assert (after.points, after.cash_minor, after.bonus_minor) == (
        before.points, before.cash_minor, before.bonus_minor,
    )  # fmt: skip
    again = restaurant.refund(made.checkout_id, refund_id)
    assert again.replayed
    assert again.response == first.response
    assert refusal_of(restaurant.refund, made.checkout_id).reason == "ALREADY_REFUNDED"
    assert list(restaurant.find(request_id).refunds) == [refund]
    restaurant.checkout(purchase(member_id, 9_000, coupons=[coupon]))


def test_tenders_must_add_up_to_what_is_left(front_desk: Till, restaurant: Till) -> None:
    member_id = guest_with_value(front_desk)
    short = purchase(member_id, 30_000, stored_value_minor=10_000, tenders=[19_999])
    refused = refusal_of(restaurant.checkout, short)
    assert refused.reason == "TENDERS_DIFFER"
    assert refused.metadata["to_pay_minor"] == "20000"
    with_points = purchase(member_id, 30_000, points=1_000, tenders=[20_000, 9_000])
    assert restaurant.checkout(with_points).response.checkout.receipt.to_pay_minor == 29_000
    wrong = purchase(member_id, 30_000, points=100, tenders=[30_000])
    assert refusal_of(restaurant.checkout, wrong).metadata["to_pay_minor"] == "29900"


def test_the_ledgers_refusal_reaches_the_till_and_is_remembered(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    member_id = front_desk.member_id()
    coupon = restaurant.claim(member_id, operator.campaign())
    request_id = new_request_id()
    greedy = purchase(member_id, 30_000, coupons=[coupon], points=200)
    first = refusal_of(restaurant.checkout, greedy, request_id)
    assert first.reason == "INSUFFICIENT_POINTS"
    assert "available" in first.metadata
    again = refusal_of(restaurant.checkout, greedy, request_id)
    assert (again.reason, again.metadata, again.replayed) == (first.reason, first.metadata, True)
    shown = restaurant.find(request_id)
    assert shown.state == checkout_pb2.CHECKOUT_STATE_CANCELLED
    assert shown.cancel_reason == "INSUFFICIENT_POINTS"
    restaurant.checkout(purchase(member_id, 30_000, coupons=[coupon]))


def test_a_merchant_that_takes_no_stored_value_refuses_it(
    operator: Operator, front_desk: Till
) -> None:
    tenant = operator.till(accepts=False, sells=False)
    member_id = front_desk.member_id()
    paid = purchase(member_id, 1_000, stored_value_minor=500)
    assert refusal_of(tenant.checkout, paid).reason == "STORED_VALUE_NOT_ACCEPTED"
    assert refusal_of(tenant.top_up, member_id, 10_000).reason == "TOP_UP_NOT_ALLOWED"


def test_a_bill_that_is_wrong_in_itself_names_the_tills_field(
    front_desk: Till, restaurant: Till
) -> None:
    member_id = front_desk.member_id()
    dollars = refusal_of(restaurant.checkout, purchase(member_id, 1_000, currency="USD"))
    assert dollars.reason == "CURRENCY_MISMATCH"
    twice = purchase(member_id, 1_000, 2_000)
    twice.lines[0].line_id = twice.lines[1].line_id = "A"
    refused = refusal_of(restaurant.checkout, twice)
    assert refused.fields[0].field == "purchase.lines[1].line_id"
    nothing = purchase(member_id, 1_000)
    nothing.lines[0].amount_minor = 0
    refused = refusal_of(restaurant.checkout, nothing)
    assert refused.fields[0].field == "purchase.lines[0].amount_minor"


def test_another_merchants_checkout_is_not_found(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    request_id = new_request_id()
    made = restaurant.checkout(purchase(front_desk.member_id(), 1_000), request_id)
    other = operator.till()
    assert refusal_of(other.find, request_id).reason == "CHECKOUT_NOT_FOUND"
    checkout_id = made.response.checkout.checkout_id
    assert refusal_of(other.refund, checkout_id).reason == "CHECKOUT_NOT_FOUND"


def test_the_books_of_all_services_agree(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    member_id = guest_with_value(front_desk)
    coupon = restaurant.claim(member_id, operator.campaign())
    restaurant.checkout(
        purchase(member_id, 20_000, coupons=[coupon], points=100, stored_value_minor=5_000)
    )
    books, ledger = operator.books(), operator.ledger_books()
    assert ledger.balanced
    assert operator.coupon_books().balanced
    assert books.committed == ledger.checkouts_posted
    assert books.refunded == ledger.checkouts_reversed
