"""Posts that don't fit the till's tenders, booked by a ledger or for a gateway of before 0171."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1 import programme_pb2

from chassis.kernel import Refusal
from gateway.clients.participants import ServiceParticipants
from gateway.domain.checkouts import CommitPlan, Opening, Plan, Record, Recorded, State
from gateway.domain.coordinator import Coordinator, always
from gateway.domain.participants import Posted
from tests.fakes import FakeJournal
from tests.integration.points.requests import cancel, post, purchase, request_id, reverse
from tests.integration.points.running import Caller, migrated, running
from tests.unit.gateway.worlds import TILL

QUOTED, HALVED = 199_900, 199_950
"""Of a bill that 100 points pay in part: what is left to pay, and what once they are halved."""


class Journal:
    """The gateway's rows in memory, as a driver sees them."""

    def __init__(self) -> None:
        self.rows = FakeJournal()

    async def record(self, opening: Opening) -> Recorded:
        return self.rows.record(opening)

    async def note_held(self, record: Record, authorized: object | None) -> Record:
        return self.rows.note_held(record, authorized)

    async def take_commit(self, record: Record, commit: CommitPlan) -> Record:
        return self.rows.take_commit(record, commit)

    async def commit(self, record: Record, posted: Posted, *, finished: bool) -> Record:
        return self.rows.commit(record, posted, finished=finished)

    async def cancel(self, record: Record, refusal: Refusal, *, finished: bool) -> Record:
        return self.rows.cancel(record, refusal, finished=finished)

    async def finish(self, record_id: UUID) -> None:
        self.rows.finish(record_id)


class Died(Exception):
    """The driver is no more."""


@dataclass
class Hotel:
    """A ledger, a gateway's coordinator before it, and a guest with 1,000 points."""

    gateway: Caller
    operator: Caller
    participants: ServiceParticipants
    journal: Journal = field(default_factory=Journal)
    guest: UUID = field(default_factory=uuid4)
    checkout: UUID = field(default_factory=uuid4)

    async def halve(self) -> None:
        """Points are worth half from now on, and nobody may owe any."""
        found = await self.operator.call("GetProgramme", pb.GetProgrammeRequest())
        programme = found.programme
        programme.redemption.points_per_unit *= 2
        programme.clawback = programme_pb2.CLAWBACK_REFUSE
        programme.valid_from.FromDatetime(datetime.now(UTC))
        request = pb.PublishProgrammeRequest(request_id=request_id(), programme=programme)
        await self.operator.call("PublishProgramme", request)

    async def posted_and_left(self) -> Record:
        """A checkout that the till quoted before, posted by a driver that dies of it."""

        async def reach(place: str) -> None:
            if place == "gateway.checkout.before_reverse_post":
                raise Died

        recorded = await self.coordinator(reach).open(self._opening())
        with pytest.raises(Died):
            await self.coordinator(reach).conclude(recorded.record)
        return recorded.record

    def coordinator(self, reach: object = None) -> Coordinator:
        async def nowhere(_place: str) -> None:
            pass

        return Coordinator(self.participants, self.journal, reach or nowhere)  # type: ignore[arg-type]

    async def buy(self, bill: int, points: int = 0) -> None:
        await self.gateway.call("Post", post(purchase(self.guest, bill, points=points)))

    async def standing(self) -> tuple[int, int]:
        """The guest's points, and those owed."""
        request = pb.GetBalancesRequest(member_id=str(self.guest))
        found = (await self.gateway.call("GetBalances", request)).balances
        return found.points, found.points_debt

    def _opening(self) -> Opening:
        """As the release before recorded it: the post says nothing of what it expects."""
        bought, now = purchase(self.guest, 200_000, points=100), datetime.now(UTC)
        undo = reverse(self.guest, self.checkout, self.checkout)
        plan = Plan(
            post(bought, self.checkout).SerializeToString(),
            cancel(self.guest, self.checkout).SerializeToString(),
            reverse=undo.SerializeToString(),
        )
        return Opening(
            checkout_id=self.checkout,
            request_id="till/1",
            till=TILL,
            fingerprint=b"same",
            member_id=self.guest,
            opened_at=now,
            deadline_at=now + timedelta(seconds=30),
            plan=plan,
            tendered_minor=QUOTED,
        )


@asynccontextmanager
async def hotel(database_url: str, certificates: Path) -> AsyncIterator[Hotel]:
    async with running(migrated(database_url), certificates) as points:
        gateway, operator = points.caller(), points.caller("operator")
        nobody = points.caller().channel  # no coupon is used here
        participants = ServiceParticipants(gateway.channel, nobody, timeout_seconds=10.0)
        made = Hotel(gateway, operator, participants)
        await made.buy(100_000)
        await made.halve()
        yield made
        books = await operator.call("VerifyBooks", pb.VerifyBooksRequest())
        assert books.balanced
        await participants.close()


def is_cancelled(record: Record) -> None:
    assert record.state is State.CANCELLED
    assert record.refusal is not None
    assert record.refusal.reason == "TENDERS_DIFFER"
    assert record.refusal.metadata == {"to_pay_minor": str(HALVED)}


@pytest.mark.parametrize("late", [False, True])
def test_it_is_undone_though_the_points_it_earned_are_spent_and_nobody_may_owe(
    database_url: str, certificates: Path, late: bool
) -> None:
    async def undo() -> None:
        async with hotel(database_url, certificates) as there:
            seen = await there.posted_and_left()
            assert await there.standing() == (900 + 1_999, 0), "booked as it should not be"
            await there.buy(1_400, points=2_800)
            with pytest.raises(Refusal) as refused:  # and is remembered as the answer
                await there.participants.reverse_post(seen.opening.plan.reverse)
            assert refused.value.reason == "EARNED_POINTS_SPENT"
            options = {"give_up": always} if late else {}
            is_cancelled(await there.coordinator().conclude(seen, **options))
            assert await there.standing() == (0, 1_999 - 99 - 100)
            again = replace(seen, finished=False)  # of a driver that knows of nothing
            is_cancelled(await there.coordinator().conclude(again, **options))
            assert await there.standing() == (0, 1_800)
            await there.buy(200_000)
            assert await there.standing() == (2_000 - 1_800, 0)

    asyncio.run(undo())


def test_it_is_undone_where_an_operator_has_done_so_by_hand(
    database_url: str, certificates: Path
) -> None:
    async def undo() -> None:
        async with hotel(database_url, certificates) as there:
            seen = await there.posted_and_left()
            await there.operator.call("Reverse", reverse(there.guest, there.checkout))
            assert await there.standing() == (1_000, 0)
            is_cancelled(await there.coordinator().conclude(seen))
            assert await there.standing() == (1_000, 0)

    asyncio.run(undo())
