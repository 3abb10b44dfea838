"""The server dies around its commit; the desk repeats its request: one member, one card."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli.local.ports import free_port
from tests.integration.member.requests import enrolment
from tests.integration.member.running import Caller, caller_at, migrated, refusal_of, running
from tests.integration.member.test_roles import PROGRAM, environment
from tests.waiting import wait_until_async


async def serves(caller: Caller) -> bool:
    try:
        return await caller.channel.probe()
    except Exception:  # noqa: BLE001 - whatever it is, the server isn't there yet
        return False


@pytest.mark.parametrize("moment", ["before_commit", "after_commit"])
def test_an_enrolment_repeated_after_a_crash_has_one_effect_and_tells_its_card(
    database_url: str, certificates: Path, moment: str
) -> None:
    migrated(database_url)
    port = free_port()
    settings = environment(
        database_url,
        certificates,
        HUITOUKE_MEMBER_LISTEN=f"127.0.0.1:{port}",
        HUITOUKE_FAILPOINTS=f"member.executor.{moment}=kill",
    )
    server = subprocess.Popen([*PROGRAM, "serve"], env=settings)
    request = enrolment(1)

    async def until_it_dies() -> str:
        caller = caller_at(port, certificates)
        await wait_until_async(lambda: serves(caller), 60, "the server serves")
        refusal = await refusal_of(caller.call("Enrol", request))
        await caller.channel.close()
        return refusal.reason

    async def again() -> Any:
        async with running(database_url, certificates) as member:
            return await member.caller().call("Enrol", request)

    try:
        assert asyncio.run(until_it_dies()) == "UNAVAILABLE"
        assert server.wait(30) == -signal.SIGKILL
    finally:
        server.kill()
    answer = asyncio.run(again())
    assert bool(answer.issued_card.verification_value) == (moment == "before_commit")
    with psycopg.connect(database_url) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            for table in ("members", "cards", "outbox")
        ]
    assert counts == [(1,), (1,), (1,)]
