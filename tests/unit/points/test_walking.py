"""A job's walk: batch by batch, resting after each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from chassis.clock import ManualClock
from services.points.domain.commands import SettleDue
from services.points.jobs import walking
from services.points.jobs.walking import Job, Walk
from services.points.storage.queries import DuePage

START = datetime(2026, 3, 10, tzinfo=UTC)


class Served:
    """Reads of one page, and an executor that takes so many seconds for each batch."""

    def __init__(self, members: Sequence[UUID], seconds: Sequence[float]) -> None:
        self.now = 100.0
        self.batches: list[int] = []
        self._members = members
        self._seconds = iter(seconds)

    async def run(self, *_: object) -> DuePage:
        return DuePage(list(self._members), None)

    async def execute_many(self, submissions: Sequence[object]) -> list[object]:
        self.batches.append(len(submissions))
        self.now += next(self._seconds)
        return list(submissions)


def test_a_job_rests_as_long_as_each_batch_took(monkeypatch: pytest.MonkeyPatch) -> None:
    served: Any = Served([uuid4() for _ in range(5)], [0.5, 2.0, 0.25])
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr("services.points.jobs.walking.asyncio.sleep", rest)
    monkeypatch.setattr(walking, "monotonic", lambda: served.now)
    walk = Walk("expire", served.run, SettleDue)
    job = Job(walk, served, served, ManualClock(START), batch_members=2)
    assert asyncio.run(job.run_once()) == 5
    assert served.batches == [2, 2, 1]
    assert rests == [0.5, 2.0, 0.25]
