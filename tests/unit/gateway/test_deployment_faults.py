"""A deployment at fault: what a till was promised waits until it is mended."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from chassis.kernel import Category, Refusal
from gateway.domain.checkouts import Phase, Record, State
from gateway.domain.participants import Posted
from tests.fakes import FakeLedger
from tests.unit.gateway.worlds import Fate, World


@dataclass
class _ClosedLedger(FakeLedger):
    """A ledger that lets nobody post while `reason` says why."""

    reason: str = ""

    def post(self, request: bytes) -> Posted:
        if self.reason:
            raise Refusal(Category.FORBIDDEN, self.reason, "the gateway may not post")
        return super().post(request)


def _run(world: World) -> Record:
    """Let every message arrive and be answered; the only checkout as it then stands."""
    while world.drivers:
        world.step(world.drivers[0], Fate.ANSWERED)
    (record,) = world.journal.records.values()
    return record


@pytest.mark.parametrize("reason", ["CALLER_NOT_ALLOWED", "UNAUTHENTICATED"])
def test_a_commit_that_was_taken_waits_for_a_ledger_that_does_not_let_the_gateway_in(
    reason: str,
) -> None:
    ledger = _ClosedLedger()
    world = World(ledger=ledger)
    world.open("tab", coupon=True, value=True)
    assert _run(world).phase is Phase.WAITING
    ledger.reason = reason
    world.commit("tab", "bill")
    waiting = _run(world)
    assert (waiting.phase, waiting.state) == (Phase.COMMITTING, State.OPEN)
    assert (ledger.fenced, world.answers) == (set(), {})
    ledger.reason = ""
    world.settle()
    assert _run(world).state is State.COMMITTED
    assert len(ledger.posted) == 1
    assert ledger.fenced == set()
