"""Random histories with movements on PostgreSQL, against the same commands on books in memory.

What is proven is that loading part of the lots, groups, sums and top-ups and saving what changed
loses and invents nothing, also where commands of one batch depend on each other.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import pytest

from chassis.clock import ManualClock
from chassis.storage.engine import create_engine
from services.points.domain.assets import Asset, Tender
from services.points.domain.commands import Command, TopUpStoredValue
from services.points.domain.movement_commands import (
    AdjustBalance,
    ApproveAdjustment,
    PutTransferGroup,
    RefundTopUp,
    RejectAdjustment,
    TransferPoints,
    WithdrawStoredValue,
)
from services.points.domain.programme import Programmes
from services.points.main import ledger_executor
from services.points.storage import queries
from services.points.storage.programmes import read_newer
from tests.integration.points.test_histories import Guests, Memory, check_against_memory, run
from tests.unit.points.worlds import PLACE, START

MEMBERS, BATCHES, BATCH_MAX = 4, 60, 12


class Family(Guests):
    """Guests who also pass points on, are adjusted, and take their money back."""

    def __init__(self, random: Random, memory: Memory, clock: ManualClock) -> None:
        super().__init__(random, memory, clock)
        self._group = uuid4()
        self._pending: list[tuple[UUID, UUID]] = []
        self._sold: list[tuple[UUID, UUID]] = []

    def next(self) -> Command:
        member, other = self._random.sample(sorted(self._memory.books.members), 2)
        kind = self._random.choices(
            ["guest", "transfer", "group", "adjust", "decide", "withdraw", "top up", "refund"],
            [50, 14, 2, 8, 4, 8, 8, 6],
        )[0]
        match kind:
            case "transfer":
                return self._transfer(member, other)
            case "group":
                return self._put_group()
            case "adjust":
                return self._adjust(member)
            case "decide" if self._pending:
                return self._decide()
            case "withdraw":
                return self._withdraw(member)
            case "top up":
                return self._top_up(member)
            case "refund" if self._sold:
                member, top_up = self._random.choice(self._sold[-5:])
                return RefundTopUp(member, uuid4(), top_up, PLACE)
        return super().next()

    def _transfer(self, member: UUID, other: UUID) -> TransferPoints:
        known = self._memory.books.members[member]
        share = self._random.choice([0, 0.1, 0.5, 1])
        points = int(known.points.balance * share)
        return TransferPoints(uuid4(), member, other, max(1, min(points, 20_000)))

    def _put_group(self) -> PutTransferGroup:
        members = sorted(self._memory.books.members)
        chosen = self._random.sample(members, self._random.randrange(2, MEMBERS + 1))
        group = self._memory.books.movements.groups.get(self._group)
        revision = group.revision if group else 0
        return PutTransferGroup(self._group, tuple(sorted(chosen)), revision)

    def _adjust(self, member: UUID) -> AdjustBalance:
        asset = self._random.choice(list(Asset))
        balance = self._memory.books.members[member].account(asset).balance
        amount = self._random.choice([500, 9_999, 10_001, -1, -balance // 2 or -1, -balance or -1])
        adjustment = uuid4()
        self._pending.append((member, adjustment))
        return AdjustBalance(adjustment, member, asset, amount, "WHY", 'why "not"', "S1")

    def _decide(self) -> Command:
        member, adjustment = self._random.choice(self._pending[-6:])
        if self._random.random() < 0.3:
            return RejectAdjustment(member, adjustment, "S1")
        return ApproveAdjustment(member, adjustment, self._random.choice(["S1", "S2", "S2"]))

    def _withdraw(self, member: UUID) -> WithdrawStoredValue:
        balance = self._memory.books.members[member].cash.balance
        amount = int(balance * self._random.choice([0.1, 0.5, 1])) or 1
        return WithdrawStoredValue(member, uuid4(), PLACE, amount, Tender.BANK_CARD)

    def _top_up(self, member: UUID) -> TopUpStoredValue:
        top_up = uuid4()
        self._sold.append((member, top_up))
        amount = self._random.choice([100, 50_000, 99_999, 100_000])
        tender = self._random.choice([None, *Tender])
        return TopUpStoredValue(member, top_up, PLACE, amount, "CNY", tender)


@pytest.mark.parametrize("seed", range(4))
def test_postgresql_answers_batches_of_movements_as_memory_does(seed: int, ledger_url: str) -> None:
    random, clock = Random(seed), ManualClock(START)
    engine = create_engine(ledger_url, application_name="test", pool_size=3, index_plans=True)
    programmes = Programmes()
    with engine.connect() as connection:
        read_newer(connection, programmes)
    memory = Memory([uuid4() for _ in range(MEMBERS)], programmes)
    family = Family(random, memory, clock)
    executor = ledger_executor(engine, clock)
    executor.start()
    for number in range(BATCHES):
        clock.advance(timedelta(days=random.choice([0, 0, 1, 3, 40]), hours=number % 5))
        expected, batch = [], []
        for _ in range(random.randrange(1, BATCH_MAX)):
            command = family.next()
            batch.append(command)
            expected.append(memory.answer(command, clock))
        assert asyncio.run(run(executor, batch)) == expected
    executor.stop()
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        found = queries.verify(connection)
    assert all(asset.balanced for asset in found.assets)
    engine.dispose()
    check_against_memory(ledger_url, memory)
