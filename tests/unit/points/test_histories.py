"""Random histories of guests: the service over tables in memory against the naive model."""

from __future__ import annotations

import pytest

from chassis.clock import ManualClock
from tests.histories.playing import START, History, Script
from tests.histories.programmes import PROGRAMMES
from tests.histories.services import MemoryService
from tests.histories.strategies import MEMORY, proven


@pytest.mark.parametrize("share", MEMORY.shares)
def test_the_service_and_the_model_agree_after_every_step_and_the_books_balance(
    share: int,
) -> None:
    @proven(MEMORY, share)
    def history(script: Script) -> None:
        clock = ManualClock(START)
        History(MemoryService(clock, PROGRAMMES), clock, space=1).play(script)

    history()
