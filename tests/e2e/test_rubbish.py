"""Rubbish of every kind is refused with a reason; none of it is ever a defect."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from huitouke.gateway.v1 import checkout_pb2, error_reason_pb2, partner_service_pb2

from chassis.kernel import Refusal
from chassis.rpc.status import from_rpc_error
from cli.clients import Metadata, operator_credentials, partner_credentials, till_metadata
from cli.suite import Suite
from tests.e2e.guests import Guest, dinner
from tests.e2e.nasty import SOME_ID, mangled, nasty, spoiled
from tests.integration.gateway.till import Operator, Till, new_mobile, new_request_id

DEFECTS = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE}
OPERATORS = {
    "gateway": "admin_service_pb2",
    "member": "member_service_pb2",
    "points": "points_service_pb2",
    "coupon": "coupon_service_pb2",
    "notify": "notify_service_pb2",
}
LASTING = {"PublishProgramme", "CreateTemplateVersion"}
"""What these write is used by everybody, so nothing random may succeed."""

ROUNDS = 40
TRIES = 8


class Wire:
    """One RPC by its name, taking bytes; answers the refusal, or None when it was answered."""

    def __init__(self, channel: grpc.Channel, metadata: Metadata = ()) -> None:
        self._channel = channel
        self._metadata = metadata

    def refusal(self, method: str, payload: bytes, timeout: float | None = 15) -> Refusal | None:
        """Asserts that whatever comes is no defect."""
        call: Any = self._channel.unary_unary(method)
        try:
            call(payload, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            status = error
        else:
            return None
        assert status.code() not in DEFECTS, (method, payload, status.code(), status.details())
        return from_rpc_error(status)


@pytest.fixture(scope="module")
def partner_channel(suite: Suite) -> Iterator[grpc.Channel]:
    endpoints = suite.endpoints
    with grpc.secure_channel(endpoints.partner, partner_credentials(endpoints)) as channel:
        yield channel


@pytest.fixture(scope="module")
def till_wire(partner_channel: grpc.Channel, front_desk: Till) -> Wire:
    return Wire(partner_channel, till_metadata(front_desk.key, front_desk.terminal_id))


def _methods(module: str) -> list[MethodDescriptor]:
    contract = import_module(f"huitouke.{module}")
    return [
        method
        for service in contract.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


PARTNER_METHODS = {method.name: method for method in _methods("gateway.v1.partner_service_pb2")}


@pytest.mark.parametrize("name", PARTNER_METHODS)
def test_whatever_a_till_sends_is_answered_or_refused_with_a_reason(
    till_wire: Wire, guest: Guest, operator: Operator, name: str
) -> None:
    method, chance = PARTNER_METHODS[name], random.Random(name)
    kind = GetMessageClass(method.input_type)
    good = _good(kind, guest, operator)
    payloads = [nasty(kind, chance).SerializeToString() for _ in range(ROUNDS)]
    payloads += [mangled(good.SerializeToString(), chance) for _ in range(ROUNDS)]
    payloads += [request.SerializeToString() for request in spoiled(good, chance, TRIES)]
    reasons = error_reason_pb2.ErrorReason.keys()
    for payload in payloads:
        refused = till_wire.refusal(_path(method), payload)
        assert refused is None or f"ERROR_REASON_{refused.reason}" in reasons, refused


def _good(kind: Any, guest: Guest, operator: Operator) -> Any:
    """A request that would do, were it not for its request_id, which may have been used."""
    request = kind()
    names = {field.name for field in kind.DESCRIPTOR.fields}
    if "member" in names:
        request.member.member_id = guest.member_id
    if "purchase" in names:
        request.purchase.CopyFrom(dinner(guest.member_id))
        request.purchase.occurred_at.GetCurrentTime()
        request.purchase.stay.channel = request.purchase.stay.nights = 1
    if "campaign_code" in names:
        request.campaign_code = operator.campaign()
    if "tender" in names:
        request.amount_minor, request.tender = 100, 1
    if "currency" in names:
        request.currency = "CNY"
    if "mobile" in names:
        request.name, request.mobile, request.vouched_by_staff = "虚构", new_mobile(), "S1"
    for name in ("request_id", "checkout_request_id"):
        if name in names:
            setattr(request, name, new_request_id())
    if kind in OF_CHECKOUTS:
        OF_CHECKOUTS[kind](request)
    return request


def _good_opening(request: Any) -> None:
    request.hold_points = request.hold_stored_value_minor = 1


def _good_commit(request: Any) -> None:
    request.checkout_id = SOME_ID
    request.lines.add(quantity=1, amount_minor=100)


def _good_quote(request: Any) -> None:
    request.commit.request_id = "r"
    _good_commit(request.commit)


def _good_refund(request: Any) -> None:
    request.checkout_id, request.amount_minor = SOME_ID, 100


OF_CHECKOUTS: dict[Any, Callable[[Any], None]] = {
    partner_service_pb2.OpenCheckoutRequest: _good_opening,
    partner_service_pb2.CommitCheckoutRequest: _good_commit,
    partner_service_pb2.QuoteCommitRequest: _good_quote,
    partner_service_pb2.RefundCheckoutRequest: _good_refund,
}


@pytest.mark.parametrize("service", OPERATORS)
def test_whatever_an_operator_sends_is_answered_or_refused_with_a_reason(
    suite: Suite, service: str
) -> None:
    endpoints = suite.endpoints
    target = endpoints.admin if service == "gateway" else getattr(endpoints, service)
    options = [("grpc.ssl_target_name_override", f"{service}.huitouke.internal")]
    reasons = import_module(f"huitouke.{service}.v1.error_reason_pb2").ErrorReason.keys()
    chance = random.Random(service)
    with grpc.secure_channel(target, operator_credentials(endpoints), options=options) as channel:
        wire = Wire(channel)
        for method in _methods(f"{service}.v1.{OPERATORS[service]}"):
            if method.name in LASTING:
                continue
            kind = GetMessageClass(method.input_type)
            for _ in range(ROUNDS):
                refused = wire.refusal(_path(method), nasty(kind, chance).SerializeToString())
                assert refused is None or f"ERROR_REASON_{refused.reason}" in reasons, refused


@pytest.mark.parametrize("payload", [b"\xff" * 40, b"\x0a\xff", b"\x0a\x02\xc3\x28", b"GET / HTTP"])
def test_bytes_that_are_no_request_are_the_callers_fault(till_wire: Wire, payload: bytes) -> None:
    for name, method in PARTNER_METHODS.items():
        refused = till_wire.refusal(_path(method), payload)
        assert refused is not None, name
        assert refused.reason == "INVALID_FIELD"


def test_a_call_without_deadline_key_or_sense_in_its_metadata_is_refused(
    till_wire: Wire, partner_channel: grpc.Channel, front_desk: Till
) -> None:
    path = _path(PARTNER_METHODS["FindMember"])
    refused = till_wire.refusal(path, b"", timeout=None)
    assert refused is not None
    assert refused.reason == "DEADLINE_MISSING"
    key, terminal = f"Bearer {front_desk.key}", front_desk.terminal_id
    for metadata, reason in (
        ((), "UNAUTHENTICATED"),
        ((("huitouke-terminal", terminal),), "UNAUTHENTICATED"),
        ((("authorization", "Basic eA=="),), "UNAUTHENTICATED"),
        ((("authorization", "Bearer"),), "UNAUTHENTICATED"),
        ((("authorization", "Bearer htk__"),), "UNAUTHENTICATED"),
        ((("authorization", "Bearer htk_" + "x" * 4_000),), "UNAUTHENTICATED"),
        ((("authorization", key),), "TERMINAL_UNKNOWN"),
        ((("authorization", key), ("huitouke-terminal", "x" * 4_000)), "TERMINAL_UNKNOWN"),
        ((("authorization", key), ("huitouke-terminal", SOME_ID)), "TERMINAL_UNKNOWN"),
    ):
        refused = Wire(partner_channel, metadata).refusal(path, b"")
        assert refused is not None
        assert refused.reason == reason, metadata
    strange = (*till_metadata(front_desk.key, terminal), ("traceparent", "00-zz-yy-xx"))
    refused = Wire(partner_channel, strange).refusal(path, b"")
    assert refused is not None
    assert refused.reason == "INVALID_FIELD"


def test_a_message_beyond_the_limit_is_refused_and_the_connection_lives_on(
    till_wire: Wire, guest: Guest
) -> None:
    path = _path(PARTNER_METHODS["EnrolMember"])
    refused = till_wire.refusal(path, b"\x12\xff\xff\xff\x02" + b"x" * 6_291_455)
    assert refused is not None
    found = partner_service_pb2.FindMemberRequest(
        member=checkout_pb2.MemberIdentifier(member_id=guest.member_id)
    )
    path = _path(PARTNER_METHODS["FindMember"])
    assert till_wire.refusal(path, found.SerializeToString()) is None
