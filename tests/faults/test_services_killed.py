"""kill -9 of points at its commit, and of a relay between sending and deleting."""

from __future__ import annotations

import signal

import pytest

from cli.suite import Suite
from tests.e2e.aftermath import at_rest
from tests.e2e.guests import dinner, stay, well_off
from tests.e2e.patience import PatientTill, checkout_request
from tests.e2e.subscriber import applied, read_all
from tests.integration.gateway.till import Operator, Till, new_request_id

SERVE, RELAY = "points.serve", "points.relay"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_purchase_under_which_points_dies_is_booked_once(
    broken: Suite,
    operator: Operator,
    front_desk: Till,
    restaurant: Till,
    patient: PatientTill,
    moment: str,
) -> None:
    guest = well_off(front_desk)
    coupon = restaurant.claim(guest.member_id, operator.campaign())
    request = checkout_request(dinner(guest.member_id, coupon), new_request_id())
    before = patient.balances(guest.member_id)
    broken.restart(SERVE, f"points.executor.{moment}_commit=kill@1")
    patient.balances(guest.member_id)  # the gateway has found it again
    call = restaurant.start("Checkout", request)
    assert broken.processes[SERVE].wait_for_end(20) == -signal.SIGKILL
    broken.restart(SERVE)
    receipt = patient.insist("Checkout", request).response.checkout.receipt
    call.cancel()
    after = patient.balances(guest.member_id)
    assert after == receipt.balances
    assert after.points == before.points - 1_000 + receipt.points_earned
    assert after.cash_minor + after.bonus_minor == before.cash_minor + before.bonus_minor - 20_000


def test_what_a_killed_relay_had_sent_comes_twice_and_counts_once(
    broken: Suite, front_desk: Till
) -> None:
    known = len(applied(read_all(broken.endpoints, ["points"])).repeated)
    broken.restart(RELAY, "relay.after_send=kill@1")
    guest = well_off(front_desk)
    assert broken.processes[RELAY].wait_for_end(20) == -signal.SIGKILL
    for _ in range(5):
        front_desk.checkout(stay(guest.member_id))
    broken.restart(RELAY)
    at_rest(broken)
    events = applied(read_all(broken.endpoints, ["points"]))
    assert len(events.repeated) > known
    assert events.jumps == []
    assert len(events.of(guest.member_id, "CheckoutPosted")) == 6
