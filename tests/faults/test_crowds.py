"""Crowds: the same request many times at once, one thing wanted by many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2

from chassis.rpc.status import from_rpc_error
from cli.suite import Suite
from tests.e2e.guests import dinner, well_off
from tests.e2e.patience import PatientTill, checkout_request
from tests.integration.gateway.till import (
    Operator,
    Till,
    new_mobile,
    new_request_id,
    purchase,
    refusal_of,
)

CROWD = 64
CALLERS = 200


def _by_id(member_id: str) -> checkout_pb2.MemberIdentifier:
    return checkout_pb2.MemberIdentifier(member_id=member_id)


def _enrol(_operator: Operator, _front_desk: Till) -> Any:
    return partner_service_pb2.EnrolMemberRequest(
        name="虚构客人", mobile=new_mobile(), vouched_by_staff="S001"
    )


def _top_up(_operator: Operator, front_desk: Till) -> Any:
    return partner_service_pb2.TopUpRequest(
        member=_by_id(front_desk.member_id()),
        amount_minor=100_000,
        currency="CNY",
        tender=checkout_pb2.TENDER_KIND_ALIPAY,
    )


def _claim(operator: Operator, front_desk: Till) -> Any:
    return partner_service_pb2.ClaimCouponRequest(
        member=_by_id(front_desk.member_id()), campaign_code=operator.campaign()
    )


def _checkout(operator: Operator, front_desk: Till) -> Any:
    guest = well_off(front_desk)
    coupon = front_desk.claim(guest.member_id, operator.campaign())
    return partner_service_pb2.CheckoutRequest(purchase=dinner(guest.member_id, coupon))


def _refund(operator: Operator, front_desk: Till) -> Any:
    bought = _checkout(operator, front_desk).purchase
    made = front_desk.checkout(bought).response.checkout
    return partner_service_pb2.RefundCheckoutRequest(checkout_id=made.checkout_id)


def _another_name(request: Any) -> None:
    request.name = "另一位"


def _another_amount(request: Any) -> None:
    request.amount_minor += 1


def _another_campaign(request: Any) -> None:
    request.campaign_code = "ANOTHER"


def _another_line(request: Any) -> None:
    request.purchase.lines[0].amount_minor += 1


def _another_checkout(request: Any) -> None:
    request.checkout_id = "01890a5d-ac96-774b-bcce-b302099a8057"


WRITES = {
    "EnrolMember": (_enrol, _another_name, "name"),
    "TopUp": (_top_up, _another_amount, "amount_minor"),
    "ClaimCoupon": (_claim, _another_campaign, "campaign_code"),
    "Checkout": (_checkout, _another_line, "purchase.lines"),
    "RefundCheckout": (_refund, _another_checkout, "checkout_id"),
}


@pytest.mark.parametrize("method", WRITES)
def test_64_identical_requests_at_once_have_one_effect_and_64_equal_answers(
    broken: Suite, operator: Operator, front_desk: Till, method: str
) -> None:
    make: Callable[[Operator, Till], Any] = WRITES[method][0]
    request = make(operator, front_desk)
    request.request_id = new_request_id()
    calls = [front_desk.start(method, request) for _ in range(CROWD)]
    answers = [_without_secrets(call.result()) for call in calls]
    assert answers == [answers[0]] * CROWD
    marked = [("huitouke-replayed", "true") in call.trailing_metadata() for call in calls]
    assert marked.count(False) == 1


@pytest.mark.parametrize("method", WRITES)
def test_a_request_id_with_other_content_is_refused_naming_the_field(
    broken: Suite, operator: Operator, front_desk: Till, method: str
) -> None:
    make, change, field = WRITES[method]
    request = make(operator, front_desk)
    request.request_id = new_request_id()
    front_desk.call(method, request)
    change(request)
    refused = refusal_of(front_desk.call, method, request)
    assert (refused.reason, refused.metadata.get("field")) == ("REQUEST_ID_REUSED", field)
    assert [violation.field for violation in refused.fields] == [field]


def test_a_single_coupon_wanted_by_200_callers_goes_to_exactly_one(
    broken: Suite, operator: Operator, front_desk: Till, patient: PatientTill
) -> None:
    campaign = operator.campaign(quantity=1)
    enrolments = [
        front_desk.start("EnrolMember", _named(_enrol(operator, front_desk)))
        for _ in range(CALLERS)
    ]
    members = [call.result().member.member_id for call in enrolments]
    claims = [
        front_desk.start(
            "ClaimCoupon",
            _named(
                partner_service_pb2.ClaimCouponRequest(
                    member=_by_id(member_id), campaign_code=campaign
                )
            ),
        )
        for member_id in members
    ]
    outcomes = [_outcome(call) for call in claims]
    assert outcomes.count("OK") == 1
    assert outcomes.count("QUANTITY_EXHAUSTED") == CALLERS - 1
    winner = members[outcomes.index("OK")]
    assert len(patient.usable_coupons(winner)) == 1


def test_a_coupon_wanted_by_64_checkouts_at_once_is_used_once(
    broken: Suite, operator: Operator, front_desk: Till
) -> None:
    member_id = front_desk.member_id()
    coupon = front_desk.claim(member_id, operator.campaign())
    bought = purchase(member_id, 20_000, coupons=[coupon])
    calls = [
        front_desk.start("Checkout", checkout_request(bought, new_request_id()))
        for _ in range(CROWD)
    ]
    outcomes = [_outcome(call) for call in calls]
    assert outcomes.count("OK") == 1
    assert set(outcomes) <= {"OK", "COUPON_RESERVED", "COUPON_REDEEMED"}


def _named(request: Any) -> Any:
    request.request_id = new_request_id()
    return request


def _outcome(call: Any) -> str:
    try:
        call.result()
    except grpc.RpcError as error:
        return from_rpc_error(error).reason
    return "OK"


def _without_secrets(answer: Any) -> Any:
    """A repeated answer is equal but for what is told once."""
    if isinstance(answer, partner_service_pb2.EnrolMemberResponse):
        answer.ClearField("card_verification_value")
    return answer
