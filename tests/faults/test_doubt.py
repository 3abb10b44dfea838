"""Doubt about a checkout, settled: a post that commits too late, a cancel that overtakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2

from chassis.kernel import Refusal
from chassis.rpc.status import from_rpc_error
from cli.suite import Suite
from tests.e2e.aftermath import at_rest, checkout_state, recorded_bytes
from tests.e2e.guests import dinner, well_off
from tests.e2e.patience import PatientTill, checkout_request
from tests.integration.gateway.till import Operator, Till, new_request_id, refusal_of
from tests.waiting import wait_until

OPEN, COMMITTED, CANCELLED = 1, 2, 3
COMMIT_DELAY_SECONDS = 8
TILL_SECONDS = 4.0


def as_gateway(suite: Suite, service: str, method: str, request: bytes) -> None:
    """Send recorded bytes as the gateway would; raises Refusal."""
    folder = Path(suite.endpoints.certificates)
    credentials = grpc.ssl_channel_credentials(
        (folder / "ca.pem").read_bytes(),
        (folder / "gateway.key").read_bytes(),
        (folder / "gateway.pem").read_bytes(),
    )
    name = f"{service}.huitouke.internal"
    options = [("grpc.ssl_target_name_override", name)]
    target = getattr(suite.endpoints, service)
    with grpc.secure_channel(target, credentials, options=options) as channel:
        call: Any = channel.unary_unary(method)
        try:
            call(request, timeout=10)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None


@pytest.mark.parametrize("settled_by", ["the till's cancellation", "recovery"])
def test_a_post_that_commits_after_its_caller_gave_up_is_what_happened(
    broken: Suite, front_desk: Till, patient: PatientTill, settled_by: str
) -> None:
    guest = well_off(front_desk)
    request = checkout_request(dinner(guest.member_id), new_request_id())
    delay = f"points.executor.before_commit=delay:{COMMIT_DELAY_SECONDS}@1"
    broken.restart("points.serve", delay)
    before = patient.balances(guest.member_id)
    gave_up = refusal_of(patient.once, "Checkout", request, TILL_SECONDS)
    assert gave_up.passing
    assert checkout_state(broken, request.request_id) == OPEN
    if settled_by != "recovery":
        cancel = partner_service_pb2.CancelCheckoutRequest(checkout_request_id=request.request_id)
        refused = refusal_of(patient.insist, "CancelCheckout", cancel)
        assert refused.reason == "CHECKOUT_COMMITTED"
    wait_until(
        lambda: checkout_state(broken, request.request_id) == COMMITTED, 30, "it is committed"
    )
    again = patient.insist("Checkout", request)
    assert again.replayed
    assert again.response.checkout.receipt.balances == patient.balances(guest.member_id)
    broken.armed.discard("points.serve")  # it delays once
    earned = again.response.checkout.receipt.points_earned
    assert patient.balances(guest.member_id).points == before.points - 1_000 + earned


@pytest.mark.parametrize(
    ("overtaken", "service", "method"),
    [
        ("reserve", "coupon", "/huitouke.coupon.v1.CouponService/Reserve"),
        ("post", "points", "/huitouke.points.v1.PointsService/Post"),
    ],
)
def test_a_cancel_that_overtakes_a_step_leaves_nothing_of_it(
    broken: Suite,
    operator: Operator,
    front_desk: Till,
    restaurant: Till,
    patient: PatientTill,
    tmp_path: Path,
    overtaken: str,
    service: str,
    method: str,
) -> None:
    guest = well_off(front_desk)
    coupon = restaurant.claim(guest.member_id, operator.campaign())
    before = restaurant.balances(guest.member_id)
    request = checkout_request(dinner(guest.member_id, coupon), new_request_id())
    broken.stop_process("gateway.work")
    gate = tmp_path / "gate"
    broken.restart("gateway.serve", f"gateway.checkout.before_{overtaken}=until:{gate}@1")
    patient.balances(guest.member_id)
    call = restaurant.start("Checkout", request)
    wait_until(lambda: checkout_state(broken, request.request_id) == OPEN, 10, "it is open")
    cancel = partner_service_pb2.CancelCheckoutRequest(checkout_request_id=request.request_id)
    cancelled = patient.insist("CancelCheckout", cancel).response.checkout
    assert cancelled.state == checkout_pb2.CHECKOUT_STATE_CANCELLED
    at_rest(broken)
    assert not call.done(), "the overtaken step is still on its way"
    gate.touch()
    assert _refused(call).reason == "CHECKOUT_CANCELLED"
    late = refusal_of(
        as_gateway, broken, service, method, recorded_bytes(broken, request.request_id, overtaken)
    )
    assert late.reason == "CHECKOUT_CANCELLED"
    assert restaurant.balances(guest.member_id) == before
    assert patient.usable_coupons(guest.member_id) == {coupon}
    broken.armed.discard("gateway.serve")  # it is held once
    broken.start_process("gateway.work")


def _refused(call: Any) -> Refusal:
    error = call.exception(timeout=20)
    assert isinstance(error, grpc.RpcError)
    return from_rpc_error(error)
