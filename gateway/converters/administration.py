"""Merchants, outlets, terminals and keys between the admin contract and the domain."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import available_timezones

from google.protobuf.message import Message
from huitouke.gateway.v1 import admin_service_pb2, merchant_pb2
from huitouke.type.v1 import merchant_category_pb2

from chassis.storage.executor import ProtoAnswerCodec
from gateway.converters.instants import read_instant, to_instant, to_timestamp
from gateway.domain import errors
from gateway.domain.books import Counts
from gateway.domain.merchants import AdminAnswer, ApiKey, Merchant, Outlet, Terminal

DEFAULT_TIME_ZONE = "Asia/Shanghai"
_NEVER = datetime.min.replace(tzinfo=UTC)


def from_merchant(merchant: merchant_pb2.Merchant, merchant_id: UUID) -> Merchant:
    """Return a merchant to be made under this id."""
    return Merchant(
        merchant_id,
        merchant.code,
        merchant.name,
        int(merchant.category),
        merchant.accepts_stored_value,
        merchant.sells_stored_value,
        _NEVER,
    )


def from_outlet(outlet: merchant_pb2.Outlet, outlet_id: UUID) -> Outlet:
    """Return an outlet to be made under this id; INVALID_FIELD for a zone nobody knows."""
    time_zone = outlet.time_zone or DEFAULT_TIME_ZONE
    if time_zone not in available_timezones():
        raise errors.invalid_field("outlet.time_zone", "must be an IANA zone, as Asia/Shanghai")
    merchant_id = UUID(outlet.merchant_id)
    return Outlet(outlet_id, merchant_id, outlet.name, outlet.property_code, time_zone, _NEVER)


def from_terminal(terminal: merchant_pb2.Terminal, terminal_id: UUID) -> Terminal:
    """Return a terminal to be made under this id."""
    return Terminal(terminal_id, UUID(terminal.outlet_id), terminal.name, _NEVER)


def from_key_request(
    request: admin_service_pb2.CreateApiKeyRequest, key_id: str, secret_sha256: bytes
) -> ApiKey:
    """Return a key to be made under this id."""
    ends = None
    if request.HasField("expires_at"):
        ends = read_instant(request.expires_at, "expires_at")
    scopes = tuple(sorted(int(scope) for scope in request.scopes))
    merchant_id = UUID(request.merchant_id)
    return ApiKey(key_id, merchant_id, secret_sha256, scopes, _NEVER, expires_at=ends)


def to_merchant(merchant: Merchant) -> merchant_pb2.Merchant:
    return merchant_pb2.Merchant(
        merchant_id=str(merchant.merchant_id),
        code=merchant.code,
        name=merchant.name,
        category=merchant_category_pb2.MerchantCategory.ValueType(merchant.category),
        accepts_stored_value=merchant.accepts_stored_value,
        sells_stored_value=merchant.sells_stored_value,
        created_at=to_timestamp(merchant.created_at),
    )


def to_outlet(outlet: Outlet) -> merchant_pb2.Outlet:
    return merchant_pb2.Outlet(
        outlet_id=str(outlet.outlet_id),
        merchant_id=str(outlet.merchant_id),
        name=outlet.name,
        property_code=outlet.property_code,
        time_zone=outlet.time_zone,
    )


def to_terminal(terminal: Terminal) -> merchant_pb2.Terminal:
    return merchant_pb2.Terminal(
        terminal_id=str(terminal.terminal_id),
        outlet_id=str(terminal.outlet_id),
        name=terminal.name,
    )


def to_api_key(key: ApiKey) -> merchant_pb2.ApiKey:
    """Return a key without anything secret."""
    shown = merchant_pb2.ApiKey(
        key_id=key.key_id,
        merchant_id=str(key.merchant_id),
        scopes=[merchant_pb2.Scope.ValueType(scope) for scope in key.scopes],
        created_at=to_timestamp(key.created_at),
    )
    if key.expires_at is not None:
        shown.expires_at.CopyFrom(to_timestamp(key.expires_at))
    if key.revoked_at is not None:
        shown.revoked_at.CopyFrom(to_timestamp(key.revoked_at))
    return shown


def to_books(counts: Counts) -> admin_service_pb2.VerifyBooksResponse:
    return admin_service_pb2.VerifyBooksResponse(**asdict(counts))


def to_answer(answer: AdminAnswer) -> Message:
    """Return the resource an admin command was about."""
    match answer:
        case Merchant():
            return to_merchant(answer)
        case Outlet():
            return to_outlet(answer)
        case Terminal():
            return to_terminal(answer)
        case ApiKey():
            return to_api_key(answer)


class AdminCodec:
    """Remembers admin answers as the resources they show; a key's secret or digest never."""

    def __init__(self) -> None:
        self._codec: ProtoAnswerCodec[Message] = ProtoAnswerCodec(
            [
                merchant_pb2.Merchant,
                merchant_pb2.Outlet,
                merchant_pb2.Terminal,
                merchant_pb2.ApiKey,
            ]
        )

    def encode(self, answer: AdminAnswer) -> bytes:
        return self._codec.encode(to_answer(answer))

    def decode(self, data: bytes) -> AdminAnswer:
        return _from_answer(self._codec.decode(data))


def _from_answer(shown: Message) -> AdminAnswer:
    match shown:
        case merchant_pb2.Merchant():
            merchant = from_merchant(shown, UUID(shown.merchant_id))
            return Merchant(**{**asdict(merchant), "created_at": to_instant(shown.created_at)})
        case merchant_pb2.Outlet():
            return from_outlet(shown, UUID(shown.outlet_id))
        case merchant_pb2.Terminal():
            return from_terminal(shown, UUID(shown.terminal_id))
        case merchant_pb2.ApiKey():
            return _remembered_key(shown)
        case _:
            raise TypeError(f"{shown.DESCRIPTOR.full_name} is no admin answer")


def _remembered_key(shown: merchant_pb2.ApiKey) -> ApiKey:
    return ApiKey(
        shown.key_id,
        UUID(shown.merchant_id),
        b"",
        tuple(int(scope) for scope in shown.scopes),
        to_instant(shown.created_at),
        expires_at=to_instant(shown.expires_at) if shown.HasField("expires_at") else None,
        revoked_at=to_instant(shown.revoked_at) if shown.HasField("revoked_at") else None,
    )
