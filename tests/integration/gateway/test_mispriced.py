"""Points that come to be worth something else between a till's quote and its post."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from huitouke.gateway.v1 import checkout_pb2
from huitouke.points.v1 import points_service_pb2, programme_pb2

from chassis.kernel import Refusal
from cli.suite import Suite
from tests.integration.gateway.till import (
    Operator,
    Till,
    new_request_id,
    purchase,
    refusal_of,
)
from tests.waiting import wait_until

CANCELLED = checkout_pb2.CHECKOUT_STATE_CANCELLED
SERVE, WORK = "gateway.serve", "gateway.work"
BILL, QUOTED, HALVED = 200_000, 199_900, 199_950
"""Of a bill that 100 points pay in part: what is left to pay, and what once they are halved."""


class Prices:
    """What points are worth, which a new version of the programme says."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        request = points_service_pb2.GetProgrammeRequest()
        self._usual = operator.call(operator.points.GetProgramme, request).programme

    def halve(self) -> None:
        """Points are worth half, since the usual version is valid, and nobody may owe any."""
        halved = programme_pb2.Programme()
        halved.CopyFrom(self._usual)
        halved.redemption.points_per_unit *= 2
        halved.clawback = programme_pb2.CLAWBACK_REFUSE
        self._publish(halved)

    def restore(self) -> None:
        self._publish(self._usual)

    def _publish(self, programme: programme_pb2.Programme) -> None:
        request = points_service_pb2.PublishProgrammeRequest(
            request_id=new_request_id(), programme=programme
        )
        self._operator.call(self._operator.points.PublishProgramme, request)


@pytest.fixture
def prices(operator: Operator) -> Iterator[Prices]:
    made = Prices(operator)
    yield made
    made.restore()


@pytest.fixture
def unattended(armed: Suite) -> Suite:
    """The shared suite without recovery, whose gateway a test may kill."""
    armed.stop_process(WORK)
    return armed


def die(suite: Suite, place: str, call: Any, *arguments: Any) -> None:
    """Make a call under which the gateway is killed at `place`; it is down afterwards."""
    suite.restart(SERVE, f"gateway.checkout.{place}=kill")
    with contextlib.suppress(Refusal):
        call(*arguments)
    wait_until(lambda: not suite.processes[SERVE].running, 20, "the gateway dies")


def is_told(till: Till, bought: Any, request_id: str, operator: Operator) -> None:
    """The till's repetition is told what is left to pay now; of the checkout nothing is left."""
    refused = refusal_of(till.checkout, bought, request_id)
    assert refused.reason == "TENDERS_DIFFER"
    assert refused.metadata["to_pay_minor"] == str(HALVED)
    assert till.find(request_id).state == CANCELLED
    wait_until(operator.all_ended, 20, "everything is told to everyone")
    books, ledger = operator.books(), operator.ledger_books()
    assert (books.committed, books.refunded) == (ledger.checkouts_posted, ledger.checkouts_reversed)
    assert operator.coupon_books().reserved == 0


def test_points_that_are_repriced_after_the_quote_leave_nothing_posted(
    unattended: Suite, operator: Operator, restaurant: Till, guest: str, prices: Prices
) -> None:
    coupon = restaurant.claim(guest, operator.campaign(amount_minor=1_000))
    bought = purchase(guest, BILL + 1_000, coupons=[coupon], points=100, tenders=[QUOTED])
    request_id, before = new_request_id(), restaurant.balances(guest)
    posted = operator.ledger_books().checkouts_posted
    die(unattended, "before_post", restaurant.checkout, bought, request_id)
    prices.halve()
    unattended.start_process(SERVE)
    is_told(restaurant, bought, request_id, operator)
    assert restaurant.balances(guest) == before
    assert operator.ledger_books().checkouts_posted == posted
    restaurant.checkout(purchase(guest, BILL, coupons=[coupon]))  # which is free again


def test_a_commit_that_is_repriced_after_its_quote_gives_back_all_that_was_held(
    unattended: Suite, operator: Operator, restaurant: Till, guest: str, prices: Prices
) -> None:
    before = restaurant.balances(guest)
    opened = restaurant.open(guest, hold_points=100, hold_stored_value_minor=5_000)
    checkout_id = opened.response.checkout.checkout_id
    tenders = [checkout_pb2.Tender(kind=checkout_pb2.TENDER_KIND_ALIPAY, amount_minor=QUOTED)]

    def commit(request_id: str) -> None:
        restaurant.commit(
            checkout_id, BILL, request_id=request_id, redeem_points=100, tenders=tenders
        )

    request_id = new_request_id()
    die(unattended, "after_commit", commit, request_id)
    prices.halve()
    unattended.start_process(SERVE)
    refused = refusal_of(commit, request_id)
    assert (refused.reason, refused.metadata["to_pay_minor"]) == ("TENDERS_DIFFER", str(HALVED))
    wait_until(operator.all_ended, 20, "everything is told to everyone")
    assert restaurant.balances(guest) == before
