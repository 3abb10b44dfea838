"""Expiry by the job: the same ledger whatever the batches, and however often it is run."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from uuid import UUID

import pytest

from chassis.clock import ManualClock
from chassis.storage.contracts import Submission
from services.points.domain.commands import Command, SettleDue
from tests.histories.playing import START, History, Script
from tests.histories.programmes import PROGRAMMES
from tests.histories.services import LotRow, MemberRow, MemoryService, Told
from tests.histories.stage import NUMBERS
from tests.histories.steps import STEPS

STEP_COUNT, YEARS = 150, timedelta(days=1100)


def settled(
    service: MemoryService, guests: list[UUID], size: int
) -> list[tuple[MemberRow, list[LotRow], list[Told]]]:
    """Everything that is stored and told after the job has gone by all guests, `size` at a time."""
    ended, twice = service.copy(), guests + guests
    for at in range(0, len(twice), size):
        batch: list[Submission[Command]] = [
            Submission(SettleDue(each), "points", "expire", None) for each in twice[at : at + size]
        ]
        ended.run(batch)
    told: dict[UUID, list[Told]] = {each: [] for each in guests}
    for event in ended.news(guests)[1]:
        told[event.member_id].append(event)
    return [(ended.member(each), ended.lots(each), told[each]) for each in guests]


@pytest.mark.parametrize("seed", range(10))
def test_expiry_leaves_the_same_ledger_at_any_batch_size_and_finds_nothing_twice(seed: int) -> None:
    random, clock = Random(seed), ManualClock(START)
    service = MemoryService(clock, PROGRAMMES)
    history = History(service, clock, space=1)
    drawn = [(random.randrange(len(STEPS)), random.randrange(NUMBERS)) for _ in range(STEP_COUNT)]
    history.play(Script(drawn))
    clock.advance(YEARS)
    guests = [UUID(each) for each in history.stage.member_ids]
    alone = settled(service, guests, 1)
    assert alone == settled(service, guests, 2) == settled(service, guests, 256)
    assert alone == settled(service, guests[::-1], 2)[::-1]
