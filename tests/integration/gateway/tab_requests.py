"""What opens and commits a checkout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2


def open_request(
    member_id: str, request_id: str, *, lines: Sequence[int] = (), **fields: Any
) -> partner_service_pb2.OpenCheckoutRequest:
    """What opens a checkout; lines of these amounts are what coupons are priced on."""
    fields.setdefault("currency", "CNY")
    return partner_service_pb2.OpenCheckoutRequest(
        request_id=request_id,
        member=checkout_pb2.MemberIdentifier(member_id=member_id),
        lines=[checkout_pb2.PurchaseLine(quantity=1, amount_minor=each) for each in lines],
        **fields,
    )


def commit_request(
    checkout_id: str, request_id: str, *amounts: int, **fields: Any
) -> partner_service_pb2.CommitCheckoutRequest:
    """What commits a checkout with lines of these amounts."""
    return partner_service_pb2.CommitCheckoutRequest(
        request_id=request_id,
        checkout_id=checkout_id,
        lines=[checkout_pb2.PurchaseLine(quantity=1, amount_minor=each) for each in amounts],
        **fields,
    )
