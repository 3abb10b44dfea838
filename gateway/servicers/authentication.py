"""Who calls on the partners' port: an API key, at a terminal of the key's merchant."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from chassis.clock import Clock
from chassis.rpc.authentication import Context, Identity, Metadata, equal_in_constant_time
from gateway.domain import errors
from gateway.domain.principals import KeyAtTerminal, Principal

CALLER = "merchant"
"""The name that the partners' allow-list knows every merchant by."""

AUTHORIZATION_KEY, TERMINAL_KEY = "authorization", "huitouke-terminal"
CACHED_MAX = 10_000
AUTHORIZATION_CHARACTERS_MAX, TERMINAL_CHARACTERS_MAX = 128, 64
"""What is longer can't be ours and isn't kept: nobody without a key may fill the memory."""

ReadKey = Callable[[str, UUID | None], Awaitable[KeyAtTerminal | None]]


def key_text(key_id: str, secret: str) -> str:
    """Return what a till is given, once."""
    return f"htk_{key_id}_{secret}"


def digest_of(secret: str) -> bytes:
    """Return what is kept of a secret; it is random and 256 bits long, so one hash is enough."""
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read of a key and terminal, believed until an instant of `time.monotonic`."""

    row: KeyAtTerminal | None
    identity: Identity | None
    until: float


class KeyAuthenticator:
    """`chassis.rpc.authentication.Authenticator` of the partners' port.

    What it has read is believed for `cache_seconds`, so that a revoked key stops within that time
    on every replica; concurrent calls with one key share one read.
    """

    def __init__(self, read: ReadKey, clock: Clock, cache_seconds: float) -> None:
        self._read = read
        self._clock = clock
        self._cache_seconds = cache_seconds
        self._known: dict[tuple[str, str], _Known] = {}
        self._reading: dict[tuple[str, str], asyncio.Task[_Known]] = {}

    async def __call__(self, context: Context, metadata: Metadata) -> Identity:
        authorization = terminal = ""
        for key, value in metadata:
            if key == AUTHORIZATION_KEY:
                authorization = str(value)
            elif key == TERMINAL_KEY:
                terminal = str(value)
        key_id, secret = _parse(authorization)
        known = await self._look_up(key_id, terminal[:TERMINAL_CHARACTERS_MAX])
        row = known.row
        digest = row.secret_sha256 if row else b"\0" * 32
        proven = equal_in_constant_time(digest, digest_of(secret))
        if row is None or not proven or not row.works_at(self._clock.now()):
            raise errors.unauthenticated("the API key is unknown, revoked or past its end")
        if known.identity is None:
            raise errors.terminal_unknown()
        return known.identity

    async def _look_up(self, key_id: str, terminal: str) -> _Known:
        place = key_id, terminal
        known = self._known.get(place)
        if known is not None and monotonic() < known.until:
            return known
        reading = self._reading.get(place)
        if reading is None:
            reading = asyncio.ensure_future(self._refresh(place))
            self._reading[place] = reading
            reading.add_done_callback(lambda _done: self._reading.pop(place, None))
        return await asyncio.shield(reading)

    async def _refresh(self, place: tuple[str, str]) -> _Known:
        until = monotonic() + self._cache_seconds  # from before the read: what it says may be older
        row = await self._read(place[0], _uuid_or_none(place[1]))
        before = self._known.get(place)
        if before is not None and before.row == row:
            known = _Known(before.row, before.identity, until)
        else:
            known = _Known(row, _identity(row), until)
        if len(self._known) >= CACHED_MAX:
            self._known.clear()
        self._known[place] = known
        return known


def _parse(authorization: str) -> tuple[str, str]:
    kind, _, text = authorization.partition(" ")
    prefix, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    shaped = kind.lower() == "bearer" and prefix == "htk" and key_id and secret
    if not shaped or len(authorization) > AUTHORIZATION_CHARACTERS_MAX:
        raise errors.unauthenticated("send `authorization: Bearer htk_<key id>_<secret>`")
    return key_id, secret


def _uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _identity(row: KeyAtTerminal | None) -> Identity | None:
    if row is None or row.till is None:
        return None
    principal = Principal(
        merchant_id=row.merchant_id,
        scopes=row.scopes,
        category=row.category,
        accepts_stored_value=row.accepts_stored_value,
        sells_stored_value=row.sells_stored_value,
        till=row.till,
        time_zone=row.time_zone,
    )
    return Identity(f"{CALLER}:{row.merchant_id}", CALLER, principal)
