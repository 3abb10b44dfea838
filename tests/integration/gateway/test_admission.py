"""Who may call: keys, terminals, scopes, operators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from huitouke.gateway.v1 import (
    admin_service_pb2,
    checkout_pb2,
    merchant_pb2,
    partner_service_pb2,
    partner_service_pb2_grpc,
)

from cli.clients import partner_credentials
from cli.suite import Suite
from tests.integration.gateway.till import (
    Operator,
    Till,
    instant,
    new_request_id,
    purchase,
    refusal_of,
)
from tests.waiting import wait_until

ANYBODY = checkout_pb2.MemberIdentifier(member_id="00000000-0000-4000-8000-000000000000")
FIND = partner_service_pb2.FindMemberRequest(member=ANYBODY)


def reason_of(till: Till) -> str:
    return refusal_of(till.call, "FindMember", FIND).reason


def test_a_call_needs_a_key_that_exists_and_its_secret(restaurant: Till) -> None:
    assert reason_of(restaurant) == "MEMBER_NOT_FOUND"
    assert reason_of(restaurant.with_key("")) == "UNAUTHENTICATED"
    assert reason_of(restaurant.with_key("htk_0123456789abcdef_guessed")) == "UNAUTHENTICATED"
    assert reason_of(restaurant.with_key(restaurant.key[:-1] + "!")) == "UNAUTHENTICATED"
    assert reason_of(restaurant.with_key("nonsense")) == "UNAUTHENTICATED"


def test_a_terminal_must_be_the_merchants_own(operator: Operator, restaurant: Till) -> None:
    other = operator.till()
    for terminal in (other.terminal_id, "", "not-an-id", new_request_id()):
        assert reason_of(restaurant.with_key(restaurant.key, terminal)) == "TERMINAL_UNKNOWN"


def test_a_key_does_what_its_scopes_say_and_nothing_else(operator: Operator) -> None:
    reader = operator.till(scopes=[merchant_pb2.SCOPE_MEMBER_READ])
    assert reason_of(reader) == "MEMBER_NOT_FOUND"
    refused = refusal_of(reader.checkout, purchase(ANYBODY.member_id, 1_000))
    assert (refused.reason, refused.metadata["scope"]) == ("SCOPE_MISSING", "CHECKOUT")
    refused = refusal_of(reader.top_up, ANYBODY.member_id, 1_000)
    assert refused.metadata["scope"] == "TOP_UP"


def test_a_revoked_key_stops_within_a_second(operator: Operator) -> None:
    till = operator.till()
    assert reason_of(till) == "MEMBER_NOT_FOUND"
    request = admin_service_pb2.RevokeApiKeyRequest(
        request_id=new_request_id(), key_id=till.key.split("_")[1]
    )
    revoked = operator.call(operator.admin.RevokeApiKey, request).api_key
    assert revoked.HasField("revoked_at")
    wait_until(lambda: reason_of(till) == "UNAUTHENTICATED", 5, "the revoked key stops")
    assert operator.call(operator.admin.RevokeApiKey, request).api_key == revoked


def test_a_key_ends_by_itself(operator: Operator) -> None:
    till = operator.till()
    past = instant(datetime.now(UTC) - timedelta(seconds=1))
    key = operator.api_key(till.merchant.merchant_id, expires_at=past)
    assert reason_of(till.with_key(key.secret_text)) == "UNAUTHENTICATED"


def test_a_keys_text_is_told_once(operator: Operator) -> None:
    merchant_id, request_id = operator.merchant().merchant_id, new_request_id()
    first = operator.api_key(merchant_id, request_id=request_id)
    again = operator.api_key(merchant_id, request_id=request_id)
    assert first.secret_text.startswith(f"htk_{first.api_key.key_id}_")
    assert again.secret_text == ""
    assert again.api_key == first.api_key


def test_registering_says_what_is_taken_missing_or_wrong(operator: Operator) -> None:
    merchant = operator.merchant()
    taken = admin_service_pb2.CreateMerchantRequest(request_id=new_request_id(), merchant=merchant)
    create = operator.admin
    assert refusal_of(operator.call, create.CreateMerchant, taken).reason == "CODE_TAKEN"
    nobody = "00000000-0000-4000-8000-000000000000"
    outlet = merchant_pb2.Outlet(merchant_id=nobody, name="Bar", property_code="SHA01")
    asked = admin_service_pb2.CreateOutletRequest(request_id=new_request_id(), outlet=outlet)
    assert refusal_of(operator.call, create.CreateOutlet, asked).reason == "NOT_FOUND"
    outlet.merchant_id, outlet.time_zone = merchant.merchant_id, "Asia/Atlantis"
    asked = admin_service_pb2.CreateOutletRequest(request_id=new_request_id(), outlet=outlet)
    refused = refusal_of(operator.call, create.CreateOutlet, asked)
    assert refused.fields[0].field == "outlet.time_zone"
    terminal = merchant_pb2.Terminal(outlet_id=nobody, name="Till")
    till = admin_service_pb2.CreateTerminalRequest(request_id=new_request_id(), terminal=terminal)
    assert refusal_of(operator.call, create.CreateTerminal, till).reason == "NOT_FOUND"


def test_the_partners_port_has_no_administration(gateway_suite: Suite) -> None:
    endpoints = gateway_suite.endpoints
    channel = grpc.secure_channel(endpoints.partner, partner_credentials(endpoints))
    books: Any = channel.unary_unary("/huitouke.gateway.v1.AdminService/VerifyBooks")
    with pytest.raises(grpc.RpcError) as error:
        books(b"", timeout=5)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_admin_port_wants_a_certificate(gateway_suite: Suite) -> None:
    endpoints = gateway_suite.endpoints
    channel = grpc.secure_channel(endpoints.admin, partner_credentials(endpoints))
    stub = partner_service_pb2_grpc.PartnerServiceStub(channel)
    with pytest.raises(grpc.RpcError) as error:
        stub.FindMember(FIND, timeout=5)
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_call_without_a_deadline_is_refused(restaurant: Till) -> None:
    assert refusal_of(restaurant.call, "FindMember", FIND, None).reason == "DEADLINE_MISSING"
