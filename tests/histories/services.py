"""A points service as a history sees it: over tables in memory, or over PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from huitouke.points.v1.programme_pb2 import Programme

from chassis.clock import ManualClock
from chassis.kernel import Refusal
from chassis.storage.answers import ProtoAnswerCodec
from chassis.storage.batches import BatchRunner
from chassis.storage.contracts import Executed, Submission
from chassis.storage.outbox import OutboxEvent
from services.points.converters.answers import RESPONSE_TYPES
from services.points.converters.deciding import answering
from services.points.converters.programmes import to_programme
from services.points.domain.accounts import Member
from services.points.domain.commands import Command
from services.points.domain.journal import Entry
from services.points.domain.ledger import decide
from tests.histories.programmes import MOVEMENTS
from tests.points_memory.repository import MemoryRepository
from tests.points_memory.tables import Tables

Outcomes = Sequence[Executed[Any] | Refusal]


class LotRow(NamedTuple):
    """A lot as it is stored."""

    number: int
    asset: str
    amount: int
    remaining: int
    expired: int
    earned_at: datetime
    expires_at: datetime | None
    held: int


class MemberRow(NamedTuple):
    """A member as it is stored."""

    version: int
    points: int
    cash: int
    bonus: int
    points_debt: int
    points_held: int = 0
    cash_held: int = 0
    bonus_held: int = 0


class Told(NamedTuple):
    """An event as it will be published."""

    member_id: UUID
    kind: str
    version: int
    payload: bytes


class Service(Protocol):
    """What a history needs: to run a batch, and to look at what is stored afterwards."""

    def run(self, batch: Sequence[Submission[Command]]) -> Outcomes:
        """Run commands in one transaction where that is possible, in order in any case."""
        ...

    def member(self, member_id: UUID) -> MemberRow:
        """What is stored of a member: nothing but zeros of one who was never served."""
        ...

    def lots(self, member_id: UUID) -> list[LotRow]:
        """All lots that ever were, by number."""
        ...

    def pins(self, member_id: UUID) -> dict[int, int]:
        """How much of each lot the member's open holds have pinned, by number."""
        ...

    def budgets_given(self) -> dict[str, int]:
        """What rules with a budget have given to all members, by code."""
        ...

    def news(self, member_ids: Iterable[UUID]) -> tuple[list[Entry], list[Told]]:
        """Entries and events since it was last asked; each member's in the order of versions."""
        ...


class MemoryService:
    """The service without a server and a database; everything between is the real thing."""

    def __init__(self, clock: ManualClock, programmes: Sequence[Programme]) -> None:
        self._clock = clock
        self._serve(Tables(programmes=[to_programme(each) for each in programmes]))

    def copy(self) -> MemoryService:
        """Another service of the same clock, whose ledger begins as this one's is now."""
        other = MemoryService(self._clock, ())
        other._serve(deepcopy(self.tables))
        other.news(())
        return other

    def _serve(self, tables: Tables) -> None:
        self.tables = tables
        self._runner = BatchRunner(
            self.tables,
            MemoryRepository(self._clock, MOVEMENTS),
            answering(decide),
            ProtoAnswerCodec(RESPONSE_TYPES),
            _as_it_is,
            self._clock,
        )
        self._entries = self._events = 0

    def run(self, batch: Sequence[Submission[Command]]) -> Outcomes:
        return self._runner.run(batch)

    def member(self, member_id: UUID) -> MemberRow:
        row = self.tables.members.get(member_id) or Member(member_id)
        points, cash, bonus = row.accounts()
        return MemberRow(
            row.version,
            points.balance,
            cash.balance,
            bonus.balance,
            row.points_debt,
            points.held,
            cash.held,
            bonus.held,
        )

    def pins(self, member_id: UUID) -> dict[int, int]:
        pinned: Counter[int] = Counter()
        for hold_id, numbers in self.tables.hold_lots.items():
            if numbers and self.tables.holds[hold_id].member_id == member_id:
                pinned.update(dict(numbers))
        return pinned

    def lots(self, member_id: UUID) -> list[LotRow]:
        by_number = self.tables.lots.get(member_id, {})
        return [
            LotRow(
                lot.number,
                lot.asset,
                lot.amount,
                lot.remaining,
                lot.expired,
                lot.earned_at,
                lot.expires_at,
                lot.held,
            )
            for lot in (by_number[number] for number in sorted(by_number))
        ]

    def budgets_given(self) -> dict[str, int]:
        return {code: each.given_points for code, each in self.tables.rule_budgets.items()}

    def news(self, member_ids: Iterable[UUID]) -> tuple[list[Entry], list[Told]]:
        del member_ids  # there are no others in these tables
        entries, events = self.tables.journal[self._entries :], self.tables.outbox[self._events :]
        self._entries += len(entries)
        self._events += len(events)
        return entries, [Told(each.key, each.type, each.version, each.payload) for each in events]


class Many(Protocol):
    """What is needed of an executor."""

    async def execute_many(self, submissions: Sequence[Submission[Command]]) -> Outcomes: ...


def run_together(executor: Many, batch: Sequence[Submission[Command]]) -> Outcomes:
    return asyncio.run(executor.execute_many(batch))


def _as_it_is(event: OutboxEvent, _now: datetime) -> OutboxEvent:
    return event
