"""Who may call: merchants, outlets, terminals, keys; what an operator does with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from chassis.kernel import Decision
from gateway.domain import errors


@dataclass(frozen=True, slots=True)
class Merchant:
    """A partner. `category` is the contract's number; lines without one take it."""

    merchant_id: UUID
    code: str
    name: str
    category: int
    accepts_stored_value: bool
    sells_stored_value: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Outlet:
    """A merchant's place of business in a property."""

    outlet_id: UUID
    merchant_id: UUID
    name: str
    property_code: str
    time_zone: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Terminal:
    """A till of an outlet."""

    terminal_id: UUID
    outlet_id: UUID
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key; only the SHA-256 of its secret is known, which is random and long enough for that."""

    key_id: str
    merchant_id: UUID
    secret_sha256: bytes
    scopes: tuple[int, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CreateMerchant:
    """Register a partner."""

    merchant: Merchant


@dataclass(frozen=True, slots=True)
class CreateOutlet:
    """Give a merchant a place of business."""

    outlet: Outlet


@dataclass(frozen=True, slots=True)
class CreateTerminal:
    """Give an outlet a till."""

    terminal: Terminal


@dataclass(frozen=True, slots=True)
class CreateApiKey:
    """Let a merchant's software in."""

    api_key: ApiKey


@dataclass(frozen=True, slots=True)
class RevokeApiKey:
    """Stop a key for good; a key revoked before keeps its instant."""

    key_id: str


AdminCommand = CreateMerchant | CreateOutlet | CreateTerminal | CreateApiKey | RevokeApiKey
AdminAnswer = Merchant | Outlet | Terminal | ApiKey


@dataclass(slots=True)
class Register:
    """What one batch of admin commands needs to know, and what it adds."""

    taken_codes: set[str] = field(default_factory=set)
    merchants: set[UUID] = field(default_factory=set)
    outlets: set[UUID] = field(default_factory=set)
    api_keys: dict[str, ApiKey] = field(default_factory=dict)
    added: list[AdminAnswer] = field(default_factory=list)
    revoked: list[ApiKey] = field(default_factory=list)


def administer(
    register: Register, command: AdminCommand, now: datetime
) -> Decision[AdminAnswer, None]:
    """Decide one admin command; raises Refusal CODE_TAKEN or NOT_FOUND."""
    match command:
        case CreateMerchant(merchant):
            if merchant.code in register.taken_codes:
                raise errors.code_taken(merchant.code)
            register.taken_codes.add(merchant.code)
            return _add(register, replace(merchant, created_at=now))
        case CreateOutlet(outlet):
            if outlet.merchant_id not in register.merchants:
                raise errors.not_found("merchant")
            return _add(register, replace(outlet, created_at=now))
        case CreateTerminal(terminal):
            if terminal.outlet_id not in register.outlets:
                raise errors.not_found("outlet")
            return _add(register, replace(terminal, created_at=now))
        case CreateApiKey(api_key):
            if api_key.merchant_id not in register.merchants:
                raise errors.not_found("merchant")
            return _add(register, replace(api_key, created_at=now))
        case RevokeApiKey(key_id):
            return _revoke(register, key_id, now)


def _add(register: Register, added: AdminAnswer) -> Decision[AdminAnswer, None]:
    register.added.append(added)
    return Decision(added)


def _revoke(register: Register, key_id: str, now: datetime) -> Decision[AdminAnswer, None]:
    known = register.api_keys.get(key_id)
    if known is None:
        raise errors.not_found("key")
    if known.revoked_at is None:
        known = replace(known, revoked_at=now)
        register.api_keys[key_id] = known
        register.revoked.append(known)
    return Decision(known)
