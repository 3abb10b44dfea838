"""Open checkouts for tests, and the timeline in which they show."""

from __future__ import annotations

from typing import Any

from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2

from tests.integration.gateway.till import Till

OPEN = checkout_pb2.CHECKOUT_STATE_OPEN
COMMITTED = checkout_pb2.CHECKOUT_STATE_COMMITTED
CANCELLED = checkout_pb2.CHECKOUT_STATE_CANCELLED
ALIPAY = checkout_pb2.TENDER_KIND_ALIPAY


def tab(till: Till, guest: str, **fields: Any) -> checkout_pb2.CheckoutRecord:
    """An open checkout that holds 220 CNY of stored value and 500 points."""
    opened: checkout_pb2.CheckoutRecord = till.open(
        guest, hold_points=500, hold_stored_value_minor=22_000, **fields
    ).response.checkout
    return opened


def list_activity(
    till: Till, guest: str, page_size: int, page_token: str = ""
) -> partner_service_pb2.ListActivityResponse:
    request = partner_service_pb2.ListActivityRequest(
        member=checkout_pb2.MemberIdentifier(member_id=guest),
        page_size=page_size,
        page_token=page_token,
    )
    response: partner_service_pb2.ListActivityResponse = till.call("ListActivity", request).response
    return response


def activities(till: Till, guest: str, page_size: int) -> list[partner_service_pb2.Activity]:
    """A guest's whole timeline, by pages of this size."""
    found: list[partner_service_pb2.Activity] = []
    token = ""
    while True:
        page = list_activity(till, guest, page_size, token)
        found += page.activities
        token = page.next_page_token
        if not token:
            return found
