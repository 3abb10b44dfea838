"""Merchants, outlets, terminals and keys: the admin executor's repository."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from chassis.storage import sets
from gateway.domain.merchants import (
    AdminAnswer,
    AdminCommand,
    ApiKey,
    CreateApiKey,
    CreateMerchant,
    CreateOutlet,
    CreateTerminal,
    Merchant,
    Outlet,
    Register,
    RevokeApiKey,
    Terminal,
)

_ONE_AT_A_TIME = text("LOCK TABLE merchants IN SHARE ROW EXCLUSIVE MODE")
_KEY_COLUMNS = (
    "key_id", "merchant_id", "secret_sha256", "scopes", "created_at", "expires_at", "revoked_at",
)  # fmt: skip


class MerchantRepository:
    """`chassis.storage.executor.Repository` of what operators administer; rare, so one at a time.

    The lock lets reads through and keeps a second replica's registrations waiting, so that a code
    found free stays free.
    """

    def lock(self, connection: Connection, commands: Sequence[AdminCommand]) -> Register:
        connection.execute(_ONE_AT_A_TIME)
        register = Register()
        ids = sorted({c.key_id for c in commands if isinstance(c, RevokeApiKey)})
        rows = sets.select_by_keys(
            connection, "api_keys", {"key_id": ("text", ids)}, select=_KEY_COLUMNS, lock=True
        )
        register.api_keys = {row[0]: _api_key(row) for row in rows}
        return register

    def load(
        self, connection: Connection, state: Register, commands: Sequence[AdminCommand]
    ) -> None:
        codes = {c.merchant.code for c in commands if isinstance(c, CreateMerchant)}
        merchants = {c.outlet.merchant_id for c in commands if isinstance(c, CreateOutlet)}
        merchants |= {c.api_key.merchant_id for c in commands if isinstance(c, CreateApiKey)}
        outlets = {c.terminal.outlet_id for c in commands if isinstance(c, CreateTerminal)}
        state.taken_codes = _existing(connection, "merchants", "code", "text", codes)
        state.merchants = _existing(connection, "merchants", "merchant_id", "uuid", merchants)
        state.outlets = _existing(connection, "outlets", "outlet_id", "uuid", outlets)

    def save(self, connection: Connection, state: Register) -> None:
        for added in state.added:
            connection.execute(_INSERTS[type(added)], _parameters(added))
        for key in state.revoked:
            connection.execute(_REVOKE, {"key_id": key.key_id, "revoked_at": key.revoked_at})


def _parameters(added: AdminAnswer) -> dict[str, Any]:
    """Return a resource's columns; the driver makes arrays of lists only."""
    columns = asdict(added)
    return {name: list(v) if isinstance(v, tuple) else v for name, v in columns.items()}


def _api_key(row: sets.Row) -> ApiKey:
    key_id, merchant_id, digest, scopes, created_at, expires_at, revoked_at = row
    return ApiKey(
        key_id, merchant_id, bytes(digest), tuple(scopes), created_at, expires_at, revoked_at
    )


def _existing(
    connection: Connection, table: str, column: str, kind: str, wanted: Iterable[str | UUID]
) -> set[Any]:
    keys = {column: (kind, sorted(wanted, key=str))}
    return {row[0] for row in sets.select_by_keys(connection, table, keys, select=(column,))}


def _insert(table: str, kind: type[AdminAnswer]) -> TextClause:
    names = [each.name for each in fields(kind)]
    values = ", ".join(f":{name}" for name in names)
    return text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})")


_INSERTS: dict[type[AdminAnswer], TextClause] = {
    Merchant: _insert("merchants", Merchant),
    Outlet: _insert("outlets", Outlet),
    Terminal: _insert("terminals", Terminal),
    ApiKey: _insert("api_keys", ApiKey),
}
_REVOKE = text("UPDATE api_keys SET revoked_at = :revoked_at WHERE key_id = :key_id")
