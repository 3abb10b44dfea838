"""Doubt settled: cancellations, and a gateway that dies between any two steps."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from huitouke.gateway.v1 import checkout_pb2

from chassis.kernel import Refusal
from cli.suite import Suite
from tests.e2e.aftermath import deadline
from tests.integration.gateway.till import Operator, Till, new_request_id, purchase, refusal_of
from tests.waiting import wait_until

COMMITTED = checkout_pb2.CHECKOUT_STATE_COMMITTED
CANCELLED = checkout_pb2.CHECKOUT_STATE_CANCELLED
TILL_SECONDS = 4.0  # a gateway that has just started gets as far as it shall within them


def test_cancelling_a_request_never_seen_fences_it_for_ever(
    front_desk: Till, restaurant: Till
) -> None:
    request_id = new_request_id()
    tombstone = restaurant.cancel(request_id)
    assert tombstone == checkout_pb2.CheckoutRecord(
        state=CANCELLED, request_id=request_id, cancel_reason="CHECKOUT_CANCELLED"
    )
    late = refusal_of(restaurant.checkout, purchase(front_desk.member_id(), 1_000), request_id)
    assert late.reason == "CHECKOUT_CANCELLED"
    assert restaurant.cancel(request_id) == tombstone


def test_cancelling_what_happened_says_so(front_desk: Till, restaurant: Till) -> None:
    request_id = new_request_id()
    made = restaurant.checkout(purchase(front_desk.member_id(), 1_000), request_id)
    refused = refusal_of(restaurant.cancel, request_id)
    assert refused.reason == "CHECKOUT_COMMITTED"
    assert refused.metadata["checkout_id"] == made.response.checkout.checkout_id


@pytest.mark.parametrize("place", ["after_record", "before_post", "after_post", "after_decision"])
def test_a_gateway_that_dies_within_a_checkout_leaves_one_end_everywhere(
    armed: Suite, operator: Operator, front_desk: Till, restaurant: Till, place: str
) -> None:
    member_id = front_desk.member_id()
    coupon = restaurant.claim(member_id, operator.campaign())
    bought = purchase(member_id, 20_000, coupons=[coupon])
    request_id = new_request_id()
    armed.restart("gateway.serve", f"gateway.checkout.{place}=kill")
    with contextlib.suppress(Refusal):
        restaurant.checkout(bought, request_id, timeout=10.0)
    wait_until(lambda: not armed.processes["gateway.serve"].running, 20, "the gateway dies")
    armed.start_process("gateway.serve")
    wait_until(operator.all_ended, 30, "recovery settles everything")
    found = restaurant.find(request_id)
    assert found.state == COMMITTED, "before its deadline recovery goes forward"
    again = restaurant.checkout(bought, request_id)
    assert again.replayed
    assert again.response.checkout == found
    assert operator.books().committed == operator.ledger_books().checkouts_posted
    assert restaurant.balances(member_id).points == found.receipt.points_earned
    assert operator.coupon_books().reserved == 0


def test_recovery_goes_back_when_the_deadline_has_passed(
    armed: Suite, operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    member_id = front_desk.member_id()
    coupon = restaurant.claim(member_id, operator.campaign())
    bought = purchase(member_id, 20_000, coupons=[coupon])
    request_id = new_request_id()
    armed.stop_process("gateway.work")
    armed.restart("gateway.serve", "gateway.checkout.after_reserve=kill")
    with contextlib.suppress(Refusal):
        restaurant.checkout(bought, request_id, timeout=TILL_SECONDS)
    wait_until(lambda: not armed.processes["gateway.serve"].running, 20, "the gateway dies")
    armed.start_process("gateway.serve")
    assert restaurant.find(request_id).state == checkout_pb2.CHECKOUT_STATE_OPEN
    ends = deadline(armed, request_id)
    wait_until(lambda: datetime.now(UTC) > ends, TILL_SECONDS + 5, "the till's deadline passes")
    armed.start_process("gateway.work")
    wait_until(operator.all_ended, 30, "recovery settles everything")
    assert restaurant.find(request_id).state == CANCELLED
    assert refusal_of(restaurant.checkout, bought, request_id).reason == "CHECKOUT_CANCELLED"
    restaurant.checkout(purchase(member_id, 20_000, coupons=[coupon]))


@pytest.mark.parametrize("place", ["after_record", "after_reverse"])
def test_a_gateway_that_dies_within_a_refund_refunds_once(
    armed: Suite, operator: Operator, front_desk: Till, restaurant: Till, place: str
) -> None:
    member_id = front_desk.member_id()
    coupon = restaurant.claim(member_id, operator.campaign())
    made = restaurant.checkout(purchase(member_id, 20_000, coupons=[coupon])).response.checkout
    wait_until(operator.all_ended, 20, "the coupon is redeemed")
    refund_id = new_request_id()
    armed.restart("gateway.serve", f"gateway.refund.{place}=kill")
    with contextlib.suppress(Refusal):
        restaurant.refund(made.checkout_id, refund_id)
    wait_until(lambda: not armed.processes["gateway.serve"].running, 20, "the gateway dies")
    armed.start_process("gateway.serve")
    wait_until(operator.all_ended, 30, "recovery finishes the refund")
    refund = restaurant.refund(made.checkout_id, refund_id).response.refund
    assert list(refund.restored_coupon_ids) == [coupon]
    assert restaurant.balances(member_id).points == 0
    assert operator.books().refunded == operator.ledger_books().checkouts_reversed
