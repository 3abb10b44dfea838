"""kill -9 of recovery itself, half-way back: whoever comes next takes over when its lease ends."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

from cli.suite import Suite
from tests.e2e.aftermath import at_rest, checkout_state, deadline
from tests.e2e.guests import dinner, well_off
from tests.e2e.patience import PatientTill, checkout_request
from tests.integration.gateway.till import Operator, Till, new_request_id, refusal_of
from tests.waiting import wait_until

SERVE, WORK = "gateway.serve", "gateway.work"
CANCELLED = 3
TILL_SECONDS = 8.0


def test_a_recovery_that_dies_on_its_way_back_is_taken_over(
    broken: Suite,
    operator: Operator,
    front_desk: Till,
    restaurant: Till,
    patient: PatientTill,
) -> None:
    guest = well_off(front_desk)
    coupon = restaurant.claim(guest.member_id, operator.campaign())
    before = restaurant.balances(guest.member_id)
    request = checkout_request(dinner(guest.member_id, coupon), new_request_id())
    broken.stop_process(WORK)
    broken.restart(SERVE, "gateway.checkout.after_reserve=kill")
    call = restaurant.start("Checkout", request, TILL_SECONDS)
    assert broken.processes[SERVE].wait_for_end(20) == -signal.SIGKILL
    call.cancel()
    broken.restart(SERVE)
    ends = deadline(broken, request.request_id)
    wait_until(lambda: datetime.now(UTC) > ends, TILL_SECONDS + 5, "the till's deadline passes")
    broken.launch_process(WORK, "gateway.checkout.after_cancel_post=kill")
    assert broken.processes[WORK].wait_for_end(30) == -signal.SIGKILL
    broken.start_process(WORK)
    at_rest(broken)
    assert checkout_state(broken, request.request_id) == CANCELLED
    assert refusal_of(patient.insist, "Checkout", request).reason == "CHECKOUT_CANCELLED"
    assert patient.balances(guest.member_id) == before
    assert patient.usable_coupons(guest.member_id) == {coupon}
