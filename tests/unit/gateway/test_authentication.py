"""Keys at terminals: read at most once a second, believed no longer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.clock import ManualClock
from chassis.kernel import Refusal
from chassis.rpc.authentication import Identity
from gateway.domain.principals import KeyAtTerminal, Principal
from gateway.servicers.admission import SCOPES, SERVICE
from gateway.servicers.authentication import KeyAuthenticator, digest_of, key_text
from tests.fakes import NOW
from tests.unit.gateway.worlds import SPACE, TILL

KEY = KeyAtTerminal(
    key_id="0123456789abcdef",
    secret_sha256=digest_of("s_e-cret"),
    merchant_id=SPACE,
    scopes=frozenset({2, 3}),
    expires_at=NOW + timedelta(days=1),
    revoked=False,
    category=2,
    accepts_stored_value=True,
    sells_stored_value=False,
    till=TILL,
    time_zone="Asia/Shanghai",
)


class Keys:
    """A table of one key that counts how often it is read."""

    def __init__(self, row: KeyAtTerminal | None = KEY, cache_seconds: float = 60) -> None:
        self.row = row
        self.reads = 0
        self.clock = ManualClock(NOW)
        self.authenticate = KeyAuthenticator(self._read, self.clock, cache_seconds)

    async def _read(self, key_id: str, terminal_id: UUID | None) -> KeyAtTerminal | None:
        self.reads += 1
        await asyncio.sleep(0)
        known = self.row is not None and key_id == self.row.key_id
        return self.row if known and terminal_id is not None else None

    async def call(self, secret: str = "s_e-cret", terminal: str = str(SPACE)) -> Identity:
        context: Any = None
        bearer = f"Bearer {key_text('0123456789abcdef', secret)}"
        metadata = (("authorization", bearer), ("huitouke-terminal", terminal))
        return await self.authenticate(context, metadata)


def refusal_of(keys: Keys, **asked: str) -> str:
    with pytest.raises(Refusal) as refused:
        asyncio.run(keys.call(**asked))
    return refused.value.reason


def test_a_key_with_its_secret_is_its_merchant_at_the_till() -> None:
    identity = asyncio.run(Keys().call())
    assert identity.listed_as == "merchant"
    assert identity.caller == f"merchant:{SPACE}"
    assert isinstance(identity.principal, Principal)
    assert identity.principal.till == TILL


def test_another_secret_an_unknown_key_and_one_past_its_end_look_the_same() -> None:
    late = Keys()
    late.clock.advance(timedelta(days=2))
    assert refusal_of(Keys(), secret="guess") == "UNAUTHENTICATED"
    assert refusal_of(Keys(None)) == "UNAUTHENTICATED"
    assert refusal_of(Keys(replace(KEY, revoked=True))) == "UNAUTHENTICATED"
    assert refusal_of(late) == "UNAUTHENTICATED"


def test_a_terminal_that_is_not_the_merchants_is_told_only_to_who_has_the_key() -> None:
    elsewhere = Keys(replace(KEY, till=None))
    assert refusal_of(elsewhere) == "TERMINAL_UNKNOWN"
    assert refusal_of(elsewhere, secret="guess") == "UNAUTHENTICATED"


def test_what_is_too_long_to_be_a_key_is_neither_looked_up_nor_kept() -> None:
    keys = Keys()
    assert refusal_of(keys, secret="x" * 200) == "UNAUTHENTICATED"
    assert keys.reads == 0
    assert refusal_of(keys, secret="guessed", terminal="y" * 8_000) == "UNAUTHENTICATED"
    assert max(len(terminal) for _, terminal in keys.authenticate._known) < 100


def test_concurrent_calls_share_one_read_and_later_ones_none() -> None:
    keys = Keys()

    async def many() -> None:
        await asyncio.gather(*(keys.call() for _ in range(20)))
        await keys.call()

    asyncio.run(many())
    assert keys.reads == 1


def test_nothing_is_believed_past_its_time() -> None:
    keys = Keys(cache_seconds=0)

    async def revoke_between() -> None:
        await keys.call()
        keys.row = replace(KEY, revoked=True)
        with pytest.raises(Refusal):
            await keys.call()

    asyncio.run(revoke_between())
    assert keys.reads == 2


def test_each_rpc_of_the_partners_port_names_its_scope() -> None:
    assert set(SCOPES) == set(SERVICE.methods_by_name)
