"""A sender that is killed between two steps, and what the next one makes of it."""

from __future__ import annotations

import asyncio
import signal

from tests.integration.notify.facts import paid
from tests.integration.notify.running import (
    Places,
    World,
    environment,
    process_of,
    received,
    texts,
    world_of,
)


async def _killed_at(world: World, failpoint: str) -> None:
    """Run a sender that dies at the failpoint."""
    settings = environment(world.places, world.member_port, HUITOUKE_FAILPOINTS=f"{failpoint}=kill")
    process = await process_of("work", settings)
    async with asyncio.timeout(60):
        await process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_killed_after_the_record_and_before_the_submission_it_is_sent_once(
    places: Places,
) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(41)
            world.tell(received(guest, paid(guest)))
            await _killed_at(world, "notify.work.before_submit")
            assert world.states() == ["SUBMITTING"]
            assert places.smsc.messages() == []
            async with world.working():
                await world.until("DELIVERED")
        assert len(places.smsc.messages()) == world.rows()[0]["parts"]

    asyncio.run(scenario())


def test_killed_after_the_submission_and_before_its_record_it_is_sent_again_under_its_id(
    places: Places,
) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(42)
            world.tell(received(guest, paid(guest)))
            await _killed_at(world, "notify.work.after_submit")
            first = places.smsc.messages()
            assert world.states() == ["SUBMITTING"]
            async with world.working():
                (row,) = await world.until("DELIVERED")
        lines = places.smsc.messages()
        assert len(lines) == 2 * len(first)
        assert {line["part"]["reference"] for line in lines} == {row["message_id"].int & 0xFF}
        # The same reference and numbers: a phone that has the parts already has one text.
        assert len(texts(lines)) == 1

    asyncio.run(scenario())


def test_killed_before_what_happened_is_committed_it_is_recorded_by_the_next(
    places: Places,
) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(43)
            world.tell(received(guest, paid(guest)))
            await _killed_at(world, "notify.executor.before_commit")
            assert world.select("SELECT * FROM outbox") == []
            async with world.working():
                await world.until("DELIVERED")
            told = world.select("SELECT version FROM outbox ORDER BY seq")
        assert [row["version"] for row in told] == [1, 2]

    asyncio.run(scenario())
