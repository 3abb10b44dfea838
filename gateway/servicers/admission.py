"""What an authenticated till may call: one scope for each RPC, denied where none is named."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from huitouke.gateway.v1 import merchant_pb2, partner_service_pb2

from chassis.kernel import Category, Refusal
from chassis.rpc.calls import Actor, current_call
from gateway.domain import errors
from gateway.domain.checkouts import Till
from gateway.domain.principals import Principal
from gateway.servicers.authentication import CALLER

SERVICE: Final = partner_service_pb2.DESCRIPTOR.services_by_name["PartnerService"]

SCOPES: Final[Mapping[str, merchant_pb2.Scope.ValueType]] = {
    "EnrolMember": merchant_pb2.SCOPE_MEMBER_ENROL,
    "FindMember": merchant_pb2.SCOPE_MEMBER_READ,
    "GetBalances": merchant_pb2.SCOPE_MEMBER_READ,
    "ListActivity": merchant_pb2.SCOPE_MEMBER_READ,
    "ExportStatement": merchant_pb2.SCOPE_MEMBER_READ,
    "ListCoupons": merchant_pb2.SCOPE_MEMBER_READ,
    "TopUp": merchant_pb2.SCOPE_TOP_UP,
    "ClaimCoupon": merchant_pb2.SCOPE_COUPON_CLAIM,
    "QuoteCheckout": merchant_pb2.SCOPE_CHECKOUT,
    "Checkout": merchant_pb2.SCOPE_CHECKOUT,
    "OpenCheckout": merchant_pb2.SCOPE_CHECKOUT,
    "QuoteCommit": merchant_pb2.SCOPE_CHECKOUT,
    "CommitCheckout": merchant_pb2.SCOPE_CHECKOUT,
    "GetCheckout": merchant_pb2.SCOPE_CHECKOUT,
    "CancelCheckout": merchant_pb2.SCOPE_CHECKOUT,
    "RefundCheckout": merchant_pb2.SCOPE_REFUND,
    "TransferPoints": merchant_pb2.SCOPE_TRANSFER,
    "QuoteWithdrawal": merchant_pb2.SCOPE_PAY_OUT,
    "WithdrawStoredValue": merchant_pb2.SCOPE_PAY_OUT,
    "RefundTopUp": merchant_pb2.SCOPE_PAY_OUT,
}

ALLOW: Final = {f"/{SERVICE.full_name}/{name}": frozenset({CALLER}) for name in SCOPES}
"""The partners' allow-list: every merchant may try each RPC that a scope is named for."""


def admit() -> Principal:
    """Return who calls, once its key's scopes allow the RPC; raises Refusal SCOPE_MISSING.

    From here on the till is the actor of every call to another service, whatever it sent itself.
    """
    call = current_call()
    principal = call.principal
    assert isinstance(principal, Principal), "the authenticator attaches one"
    needed = SCOPES.get(call.method.rpartition("/")[2])
    if needed is None:
        raise Refusal(Category.FORBIDDEN, "CALLER_NOT_ALLOWED", "no scope allows this")
    if needed not in principal.scopes:
        raise errors.scope_missing(merchant_pb2.Scope.Name(needed).removeprefix("SCOPE_"))
    call.actor = _actor(principal.till)
    return principal


@lru_cache(maxsize=4096)
def _actor(till: Till) -> Actor:
    return Actor(merchant_id=str(till.merchant_id), terminal_id=str(till.terminal_id))
