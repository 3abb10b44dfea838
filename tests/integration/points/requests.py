"""Requests to the points service with everything that a test doesn't care about filled in."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from huitouke.points.v1 import hold_pb2, purchase_pb2
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.type.v1 import merchant_category_pb2, place_pb2

PLACE = place_pb2.Place(
    merchant_id="0199aaaa-0000-7000-8000-000000000001",
    outlet_id="0199aaaa-0000-7000-8000-000000000002",
    terminal_id="0199aaaa-0000-7000-8000-000000000003",
    property_code="SHA01",
    time_zone="Asia/Shanghai",
)
DINING = merchant_category_pb2.MERCHANT_CATEGORY_DINING
ROOM = merchant_category_pb2.MERCHANT_CATEGORY_ROOM
_numbers = count(1)


def request_id() -> str:
    """A request id that no other test of the process uses."""
    return f"request-{next(_numbers)}-{uuid4()}"


def purchase(
    member_id: UUID,
    *amounts: int,
    points: int = 0,
    stored: int = 0,
    tier: str = "CLASSIC",
    occurred_at: datetime | None = None,
    **more: Any,
) -> purchase_pb2.Purchase:
    """A dinner of one line per amount, bought now."""
    message = purchase_pb2.Purchase(
        member_id=str(member_id),
        place=PLACE,
        currency="CNY",
        member=purchase_pb2.MemberFacts(tier=tier),
        lines=[purchase_pb2.Line(category=DINING, amount_minor=each) for each in amounts],
        redeem_points=points,
        pay_stored_value_minor=stored,
        **more,
    )
    message.occurred_at.FromDatetime(occurred_at or datetime.now(UTC))
    return message


def post(
    bought: purchase_pb2.Purchase,
    checkout_id: UUID | None = None,
    request: str = "",
    hold_id: UUID | None = None,
) -> pb.PostRequest:
    return pb.PostRequest(
        request_id=request or request_id(),
        checkout_id=str(checkout_id or uuid4()),
        purchase=bought,
        hold_id=str(hold_id or ""),
    )


def authorize(
    member_id: UUID,
    hold_id: UUID,
    points: int = 0,
    stored: int = 0,
    *,
    seconds: int = 0,
    checkout_id: UUID | None = None,
) -> hold_pb2.AuthorizeHoldRequest:
    """A hold of 15 minutes, of `seconds`, or of a checkout."""
    request = hold_pb2.AuthorizeHoldRequest(
        request_id=request_id(),
        hold_id=str(hold_id),
        member_id=str(member_id),
        place=PLACE,
        currency="CNY",
        points=points,
        stored_value_minor=stored,
    )
    if seconds:
        request.timeout.seconds = seconds
    if checkout_id is not None:
        request.checkout_id = str(checkout_id)
    return request


def capture(
    member_id: UUID, hold_id: UUID, points: int = 0, stored: int = 0
) -> hold_pb2.CaptureHoldRequest:
    return hold_pb2.CaptureHoldRequest(
        request_id=request_id(),
        hold_id=str(hold_id),
        member_id=str(member_id),
        place=PLACE,
        currency="CNY",
        points=points,
        stored_value_minor=stored,
    )


def release(member_id: UUID, hold_id: UUID) -> hold_pb2.ReleaseHoldRequest:
    return hold_pb2.ReleaseHoldRequest(
        request_id=request_id(), hold_id=str(hold_id), member_id=str(member_id)
    )


def top_up(member_id: UUID, amount: int, top_up_id: UUID | None = None) -> pb.TopUpRequest:
    return pb.TopUpRequest(
        request_id=request_id(),
        member_id=str(member_id),
        top_up_id=str(top_up_id or uuid4()),
        place=PLACE,
        amount_minor=amount,
        currency="CNY",
    )


def cancel(member_id: UUID, checkout_id: UUID | str) -> pb.CancelPostRequest:
    return pb.CancelPostRequest(
        request_id=request_id(), member_id=str(member_id), checkout_id=str(checkout_id)
    )


def reverse(
    member_id: UUID,
    checkout_id: UUID | str,
    reversal_id: UUID | None = None,
    amount: int | None = None,
) -> pb.ReverseRequest:
    return pb.ReverseRequest(
        request_id=request_id(),
        member_id=str(member_id),
        checkout_id=str(checkout_id),
        reversal_id=str(reversal_id or uuid4()),
        place=PLACE,
        amount_minor=amount,
    )
