"""A till as the integration guide asks for it: what is in doubt is asked again, under its id."""

from __future__ import annotations

import time
from typing import Any

import grpc
from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2, partner_service_pb2_grpc

from chassis.kernel import Refusal
from chassis.rpc.status import from_rpc_error
from cli.clients import Metadata, partner_credentials, till_metadata
from cli.endpoints import Endpoints
from tests.integration.gateway.till import Answer, Till
from tests.waiting import wait_until

ATTEMPT_SECONDS = 8.0
_QUICK_TO_RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 250),
]


class PatientTill:
    """Repeats the same request until it is answered for good. May be used by many threads."""

    def __init__(self, endpoints: Endpoints, till: Till) -> None:
        self._metadata: Metadata = till_metadata(till.key, till.terminal_id)
        channel = grpc.secure_channel(
            endpoints.partner, partner_credentials(endpoints), options=_QUICK_TO_RECONNECT
        )
        self._stub = partner_service_pb2_grpc.PartnerServiceStub(channel)

    def insist(self, method: str, request: Any, within_seconds: float = 60) -> Answer:
        """The answer, whatever happens meanwhile; raises the Refusal that is one."""

        def answered() -> Answer | None:
            try:
                return self.once(method, request, min(ATTEMPT_SECONDS, end - time.monotonic()))
            except Refusal as refusal:
                if not refusal.passing:
                    raise
                return None

        end = time.monotonic() + within_seconds
        answer = wait_until(answered, within_seconds, f"{method} is answered")
        assert answer is not None
        return answer

    def once(self, method: str, request: Any, timeout: float) -> Answer:
        """One attempt, which waits for a connection within its time; raises Refusal."""
        call = getattr(self._stub, method)
        try:
            response, finished = call.with_call(
                request, timeout=max(timeout, 0.1), metadata=self._metadata, wait_for_ready=True
            )
        except grpc.RpcError as error:
            refusal = from_rpc_error(error)
            refusal.replayed = _is_replayed(error)
            raise refusal from None
        return Answer(response, _is_replayed(finished))

    def outcome(self, method: str, request: Any, within_seconds: float = 60) -> Answer | Refusal:
        """The final answer or the final refusal."""
        try:
            return self.insist(method, request, within_seconds)
        except Refusal as refusal:
            return refusal

    def balances(self, member_id: str) -> checkout_pb2.MemberBalances:
        request = partner_service_pb2.GetBalancesRequest(member=_by_id(member_id))
        balances: checkout_pb2.MemberBalances = self.insist(
            "GetBalances", request
        ).response.balances
        return balances

    def usable_coupons(self, member_id: str) -> set[str]:
        """Ids of the coupons the guest may use now."""
        request = partner_service_pb2.ListCouponsRequest(member=_by_id(member_id), page_size=200)
        answer = self.insist("ListCoupons", request).response
        return {coupon.coupon_id for coupon in answer.coupons}

    def find(self, request_id: str) -> checkout_pb2.CheckoutRecord:
        """The checkout made with this request id."""
        request = partner_service_pb2.GetCheckoutRequest(checkout_request_id=request_id)
        record: checkout_pb2.CheckoutRecord = self.insist("GetCheckout", request).response.checkout
        return record


def checkout_request(
    bought: checkout_pb2.Purchase, request_id: str
) -> partner_service_pb2.CheckoutRequest:
    return partner_service_pb2.CheckoutRequest(request_id=request_id, purchase=bought)


def _is_replayed(call: Any) -> bool:
    return ("huitouke-replayed", "true") in tuple(call.trailing_metadata() or ())


def _by_id(member_id: str) -> checkout_pb2.MemberIdentifier:
    return checkout_pb2.MemberIdentifier(member_id=member_id)
