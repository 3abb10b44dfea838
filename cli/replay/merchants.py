"""The two hotels of a replay as merchants: made once, with a key that lives as long as the run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
from huitouke.gateway.v1 import admin_service_pb2 as admin
from huitouke.gateway.v1 import merchant_pb2
from huitouke.gateway.v1.admin_service_pb2_grpc import AdminServiceStub
from huitouke.type.v1.merchant_category_pb2 import MerchantCategory

from cli.clients import Metadata, call, new_request_id, operator_credentials, till_metadata
from cli.endpoints import Endpoints
from cli.replay.bookings import HOTEL_ZONE, PROPERTIES

SCOPES = (
    merchant_pb2.SCOPE_MEMBER_ENROL,
    merchant_pb2.SCOPE_MEMBER_READ,
    merchant_pb2.SCOPE_CHECKOUT,
)


@dataclass(frozen=True, slots=True)
class FrontDesk:
    """One hotel's till: what it sends with each call."""

    property_code: str
    metadata: Metadata


@contextmanager
def front_desks(endpoints: Endpoints) -> Iterator[dict[str, FrontDesk]]:
    """The hotels' tills by property code; their keys are revoked at the end, however it comes.

    Raises:
        Refused: The gateway refused or is not there.
    """
    keys: list[str] = []
    with grpc.secure_channel(endpoints.admin, operator_credentials(endpoints)) as channel:
        stub = AdminServiceStub(channel)
        try:
            yield {code: _open(stub, code, keys) for code in PROPERTIES.values()}
        finally:
            for key_id in keys:
                request = admin.RevokeApiKeyRequest(
                    request_id=new_request_id("replay/revoke"), key_id=key_id
                )
                call(stub.RevokeApiKey, request)


def _open(stub: AdminServiceStub, code: str, keys: list[str]) -> FrontDesk:
    """Repeating it makes nothing twice: everything but the key has a request_id of its own."""
    merchant = call(stub.CreateMerchant, _merchant(code)).merchant
    outlet = call(stub.CreateOutlet, _outlet(code, merchant.merchant_id)).outlet
    terminal = call(stub.CreateTerminal, _terminal(code, outlet.outlet_id)).terminal
    made = call(
        stub.CreateApiKey,
        admin.CreateApiKeyRequest(
            request_id=new_request_id("replay/key"),
            merchant_id=merchant.merchant_id,
            scopes=SCOPES,
        ),
    )
    keys.append(made.api_key.key_id)
    return FrontDesk(code, till_metadata(made.secret_text, terminal.terminal_id))


def _merchant(code: str) -> admin.CreateMerchantRequest:
    return admin.CreateMerchantRequest(
        request_id=f"replay/{code}/merchant",
        merchant=merchant_pb2.Merchant(
            code=f"{code}-REPLAY-FRONT-DESK",
            name=f"{code} front desk (replay)",
            category=MerchantCategory.MERCHANT_CATEGORY_ROOM,
        ),
    )


def _outlet(code: str, merchant_id: str) -> admin.CreateOutletRequest:
    return admin.CreateOutletRequest(
        request_id=f"replay/{code}/outlet",
        outlet=merchant_pb2.Outlet(
            merchant_id=merchant_id,
            name=f"{code} front desk",
            property_code=code,
            time_zone=HOTEL_ZONE,
        ),
    )


def _terminal(code: str, outlet_id: str) -> admin.CreateTerminalRequest:
    return admin.CreateTerminalRequest(
        request_id=f"replay/{code}/terminal",
        terminal=merchant_pb2.Terminal(outlet_id=outlet_id, name="replay"),
    )
