"""Calls being carried out in this process; repetitions of one wait for its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any

from chassis.kernel import Refusal
from gateway.converters.fingerprints import Fingerprint, differing_field
from gateway.domain import errors
from gateway.domain.checkouts import Record


@dataclass(frozen=True, slots=True)
class Answer:
    """A checkout as a call leaves it; `replayed` when an earlier call had done what it asks."""

    record: Record
    replayed: bool


@dataclass(frozen=True, slots=True)
class _Flight:
    fingerprint: Fingerprint
    task: asyncio.Task[Answer]


class Flights:
    """Carries each call out once at a time. For one event loop.

    Work goes on when the till stops waiting: a task belongs to nobody's call.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}

    async def join(
        self,
        key: Hashable,
        fingerprint: Fingerprint,
        carry_out: Callable[[], Coroutine[Any, Any, Answer]],
    ) -> Answer:
        """Return what `carry_out` answers, or the call under way with this key; raises Refusal."""
        flight = self._flights.get(key)
        if flight is not None:
            check_same(flight.fingerprint.field_macs, fingerprint)
            answer = await _wait_for(flight.task)
            return Answer(answer.record, replayed=True)
        task = asyncio.create_task(carry_out())
        self._flights[key] = _Flight(fingerprint, task)
        task.add_done_callback(lambda done: self._landed(key, done))
        return await _wait_for(task)

    def tasks(self) -> set[asyncio.Task[Answer]]:
        """What is being carried out now."""
        return {flight.task for flight in self._flights.values()}

    def _landed(self, key: Hashable, done: asyncio.Task[Answer]) -> None:
        self._flights.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waited has it; if nobody did, it is no loss


def check_same(remembered: bytes, asked: Fingerprint) -> None:
    """Raise Refusal REQUEST_ID_REUSED where a request is not the one that had its id first."""
    field = differing_field(remembered, asked)
    if field is not None:
        raise errors.request_id_reused(field)


async def _wait_for(task: asyncio.Task[Answer]) -> Answer:
    """Return a flight's answer without ending it when this till goes; each gets its own refusal."""
    try:
        return await asyncio.shield(task)
    except Refusal as refusal:
        raise refusal.copy() from None
