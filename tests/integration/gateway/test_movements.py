"""Points passed on and stored value paid out, at a till."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from huitouke.gateway.v1 import checkout_pb2, merchant_pb2
from huitouke.gateway.v1 import partner_service_pb2 as pb

from tests.integration.gateway.till import Operator, Till, new_request_id, purchase, refusal_of


def who(member_id: str) -> checkout_pb2.MemberIdentifier:
    return checkout_pb2.MemberIdentifier(member_id=member_id)


def transfer(giver: str, receiver: str, points: int, request_id: str = "") -> Any:
    return pb.TransferPointsRequest(
        request_id=request_id or new_request_id(),
        from_member=who(giver),
        to_member=who(receiver),
        points=points,
    )


def withdraw(member_id: str, amount_minor: int) -> Any:
    return pb.WithdrawStoredValueRequest(
        request_id=new_request_id(),
        member=who(member_id),
        amount_minor=amount_minor,
        tender=checkout_pb2.TENDER_KIND_CASH_MONEY,
    )


def refund(member_id: str, top_up_id: str) -> Any:
    return pb.RefundTopUpRequest(
        request_id=new_request_id(), member=who(member_id), top_up_id=top_up_id
    )


def activities(till: Till, member_id: str) -> list[tuple[str, int, int, int]]:
    request = pb.ListActivityRequest(member=who(member_id))
    return [
        (pb.ActivityKind.Name(each.kind)[14:], each.points, each.cash_minor, each.bonus_minor)
        for each in till.call("ListActivity", request).response.activities
    ]


def test_points_are_passed_on_inside_a_family_once_for_each_request(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    mother, son = front_desk.member_id(), front_desk.member_id()
    restaurant.checkout(purchase(mother, 50_000))
    earned = front_desk.balances(mother).points
    refused = refusal_of(front_desk.call, "TransferPoints", transfer(mother, son, 100))
    assert refused.reason == "NOT_IN_ONE_GROUP"
    operator.unite(mother, son)
    request = transfer(mother, son, 100)
    first = front_desk.call("TransferPoints", request)
    again = front_desk.call("TransferPoints", request)
    assert (first.replayed, again.replayed) == (False, True)
    assert first.response == again.response
    assert first.response.balances.points == earned - 100
    assert front_desk.balances(son).points == 100
    assert activities(front_desk, son) == [("TRANSFER", 100, 0, 0)]
    assert activities(front_desk, mother)[0] == ("TRANSFER", -100, 0, 0)
    over = transfer(mother, son, 20_001)
    for replayed in (False, True):
        refused = refusal_of(front_desk.call, "TransferPoints", over)
        assert (refused.reason, refused.replayed) == ("TRANSFER_LIMIT", replayed)
        assert refused.metadata["period"] == "TRANSFER"
    itself = refusal_of(front_desk.call, "TransferPoints", transfer(mother, mother, 1))
    assert itself.reason == "TRANSFER_TO_SELF"


def test_stored_value_is_paid_out_as_quoted(front_desk: Till) -> None:
    member_id = front_desk.member_id()
    front_desk.top_up(member_id, 100_000)
    asked = pb.QuoteWithdrawalRequest(member=who(member_id))
    quoted = front_desk.call("QuoteWithdrawal", asked).response.payout
    request = withdraw(member_id, quoted.cash_minor)
    done = front_desk.call("WithdrawStoredValue", request)
    assert done.response.payout == quoted
    assert (quoted.paid_out_minor, quoted.bonus_taken_back_minor) == (100_000, 10_000)
    assert front_desk.call("WithdrawStoredValue", request).replayed
    assert activities(front_desk, member_id)[0] == ("WITHDRAWAL", 0, -100_000, -10_000)
    refused = refusal_of(front_desk.call, "WithdrawStoredValue", withdraw(member_id, 1))
    assert (refused.reason, refused.metadata) == ("INSUFFICIENT_CASH", {"available_minor": "0"})


def test_a_top_up_goes_back_where_it_was_sold_by_its_tender(
    front_desk: Till, restaurant: Till
) -> None:
    member_id = front_desk.member_id()
    sold = front_desk.top_up(member_id, 50_000).response.top_up_id
    elsewhere = refusal_of(restaurant.call, "RefundTopUp", refund(member_id, sold))
    assert elsewhere.reason == "TOP_UP_NOT_FOUND"
    request = refund(member_id, sold)
    done = front_desk.call("RefundTopUp", request).response
    assert done.tender == checkout_pb2.TENDER_KIND_BANK_CARD
    assert (done.cash_refunded_minor, done.bonus_taken_back_minor) == (50_000, 3_000)
    assert front_desk.call("RefundTopUp", request).response == done
    assert activities(front_desk, member_id)[0] == ("TOP_UP_REFUND", 0, -50_000, -3_000)
    again = refusal_of(front_desk.call, "RefundTopUp", refund(member_id, sold))
    assert again.reason == "TOP_UP_REFUNDED"
    unknown = refusal_of(front_desk.call, "RefundTopUp", refund(member_id, str(uuid4())))
    assert unknown.reason == "TOP_UP_NOT_FOUND"


def test_paying_out_needs_the_scope_and_a_merchant_that_sells_stored_value(
    operator: Operator, front_desk: Till
) -> None:
    member_id = front_desk.member_id()
    seller = operator.till(scopes=[merchant_pb2.SCOPE_TOP_UP])
    refused = refusal_of(seller.call, "WithdrawStoredValue", withdraw(member_id, 1))
    assert (refused.reason, refused.metadata["scope"]) == ("SCOPE_MISSING", "PAY_OUT")
    refused = refusal_of(seller.call, "TransferPoints", transfer(member_id, member_id, 1))
    assert refused.metadata["scope"] == "TRANSFER"
    tenant = operator.till(sells=False)
    for method, request in (
        ("WithdrawStoredValue", withdraw(member_id, 1)),
        ("RefundTopUp", refund(member_id, str(uuid4()))),
        ("QuoteWithdrawal", pb.QuoteWithdrawalRequest(member=who(member_id))),
    ):
        assert refusal_of(tenant.call, method, request).reason == "TOP_UP_NOT_ALLOWED"
