"""The liability to the point: transfers, holds, pending points and debts, and the trial balance."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from huitouke.points.v1 import entry_pb2, hold_pb2, purchase_pb2
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1 import report_service_pb2 as reports

from chassis.clock import ManualClock
from tests.integration.points.conftest import Serve
from tests.integration.points.drafting import MERCHANT, with_rules
from tests.integration.points.movement_requests import put_group, transfer
from tests.integration.points.requests import (
    PLACE,
    ROOM,
    authorize,
    post,
    purchase,
    release,
    request_id,
    reverse,
    top_up,
)
from tests.integration.points.running import Caller, Points

JANUARY = datetime(2026, 1, 10, 4, tzinfo=UTC)
SINCE = datetime(2020, 1, 1, tzinfo=UTC)
POINTS, CASH, BONUS = range(3)
FIGURES = ("earned", "redeemed", "expired", "outstanding", "held", "pending")
STAY_DAYS = 40


@dataclass
class Story:
    """Guests of one house: Ann gives to Bob, Bob to Cid; Dan owes; Eve has stored value."""

    points: Points
    clock: ManualClock
    ann: UUID = field(default_factory=uuid4)
    bob: UUID = field(default_factory=uuid4)
    cid: UUID = field(default_factory=uuid4)
    dan: UUID = field(default_factory=uuid4)
    eve: UUID = field(default_factory=uuid4)
    instants: dict[str, datetime] = field(default_factory=dict)

    @property
    def caller(self) -> Caller:
        return self.points.caller("gateway")

    def pause(self, name: str) -> None:
        """Remember this instant under a name; what follows is later."""
        self.instants[name] = self.clock.now()
        self.clock.advance(timedelta(minutes=1))

    async def dine(self, guest: UUID, amount: int, **more: Any) -> UUID:
        checkout = uuid4()
        bought = purchase(guest, amount, occurred_at=self.clock.now(), **more)
        await self.caller.call("Post", post(bought, checkout))
        return checkout

    async def tell(self) -> None:
        """Live it, up to the open holds; Ann's times out ten minutes later."""
        await self._programme()
        await self.dine(self.ann, 20_000, tier="GOLD")
        self.clock.advance(timedelta(days=31))
        await self._pass_on()
        self.clock.advance(timedelta(days=28))
        await self._stay()
        await self._owe()
        await self.caller.call("TopUp", top_up(self.eve, 50_000))
        self.pause("nothing held")
        await self.caller.call("AuthorizeHold", authorize(self.ann, uuid4(), 100, seconds=600))
        hold = authorize(self.eve, uuid4(), stored=10_600, checkout_id=uuid4())
        await self.caller.call("AuthorizeHold", hold)
        self.pause("all held")

    async def _programme(self) -> None:
        operator = self.points.caller("operator")
        programme = await with_rules(operator, since=SINCE)
        for rule in programme.earning_rules:
            if rule.code == "TIER_GOLD":
                rule.funder = MERCHANT
            if rule.code == "BASE_ROOM":
                rule.pending.days = STAY_DAYS
        request = pb.PublishProgrammeRequest(request_id=request_id(), programme=programme)
        await operator.call("PublishProgramme", request)

    async def _pass_on(self) -> None:
        operator = self.points.caller("operator")
        await operator.call("PutTransferGroup", put_group(uuid4(), self.ann, self.bob, self.cid))
        await self.caller.call("TransferPoints", transfer(self.ann, self.bob, 90))
        await self.caller.call("TransferPoints", transfer(self.bob, self.cid, 60))
        self.pause("passed on")
        await self.dine(self.cid, 9_000)
        await self.dine(self.cid, 10_000, points=100)

    async def _stay(self) -> None:
        bought = purchase(self.bob, 50_000, occurred_at=self.clock.now())
        bought.lines[0].category = ROOM
        bought.stay.nights, bought.stay.channel = 1, 1  # type: ignore[assignment]
        stay = uuid4()
        await self.caller.call("Post", post(bought, stay))
        self.pause("500 pending")
        await self.caller.call("Reverse", reverse(self.bob, stay, amount=20_000))

    async def _owe(self) -> None:
        dinner = await self.dine(self.dan, 40_000)
        await self.dine(self.dan, 10_000, points=400)
        await self.caller.call("Reverse", reverse(self.dan, dinner))

    async def report(self, instant: str = "") -> list[Any]:
        request = reports.GetLiabilityReportRequest()
        if instant:
            request.as_of.FromDatetime(self.instants[instant])
        answer = await self.points.reporter().call("GetLiabilityReport", request)
        return list(answer.assets)

    async def trial_balance(self) -> list[Any]:
        request = reports.GetTrialBalanceRequest()
        answer = await self.points.reporter().call("GetTrialBalance", request)
        assert answer.balanced
        return list(answer.assets)


def figures(found: Any) -> tuple[int, ...]:
    return tuple(getattr(found, name) for name in FIGURES)


def by_month(groups: Iterable[Any]) -> dict[str, tuple[int, ...]]:
    return {each.month: figures(each.figures) for each in groups}


def check_sums(owed: Any, *, past: bool = False) -> None:
    """Every list adds up to the total, in every figure, worth and estimate included."""
    names = [*FIGURES, "value_minor", "pending_value_minor", "breakage"]
    for groups in (owed.by_source, owed.by_rule, owed.by_earned_month, owed.by_expiry_month):
        for name in names:
            if past and name == "held":
                assert not any(group.figures.HasField("held") for group in groups)
            else:
                summed = sum(getattr(group.figures, name) for group in groups)
                assert summed == getattr(owed.total, name), name


def test_transferred_points_stay_with_who_first_gave_them_and_what_is_held_is_told(
    serve: Serve,
) -> None:
    """Ann's 300 points are two thirds the group's, wherever they went.

    Her 210 left are 140 and 70, of 100 held 67 and 33; Bob's 30 are 20 and 10; Cid's 60 redeemed
    were 40 and 20. Besides, Cid earned 90 (40 redeemed) and 99, Dan 400 (redeemed) and 96 (taken
    back, 304 owed).
    """

    async def look() -> None:
        clock = ManualClock(JANUARY)
        async with serve(clock=clock) as points:
            story = Story(points, clock)
            await story.tell()
            owed, cash, bonus = await story.report()
            assert figures(owed.total) == (985, 500, 0, 389, 100, 300)
            assert (owed.otherwise_gone, owed.debt, owed.due) == (96, 304, 0)
            assert {(each.account, each.merchant_id): figures(each.figures)
                    for each in owed.by_source} == {
                ("ISSUED", PLACE.merchant_id): (885, 480, 0, 309, 67, 300),
                ("FUNDING", PLACE.merchant_id): (100, 20, 0, 80, 33, 0),
            }  # fmt: skip
            assert [each.funder for each in owed.by_source] == [
                purchase_pb2.FUNDER_MERCHANT,
                purchase_pb2.FUNDER_ISSUER,
            ]
            assert {each.rule_code: figures(each.figures) for each in owed.by_rule} == {
                "BASE_DINING": (885, 480, 0, 309, 67, 0),
                "BASE_ROOM": (0, 0, 0, 0, 0, 300),
                "TIER_GOLD": (100, 20, 0, 80, 33, 0),
            }
            assert by_month(owed.by_earned_month) == {
                "2026-01": (300, 60, 0, 240, 100, 0),
                "2026-02": (189, 40, 0, 149, 0, 0),
                "2026-03": (496, 400, 0, 0, 0, 300),
            }
            assert by_month(owed.by_expiry_month) == {
                "2028-01": (300, 60, 0, 240, 100, 0),
                "2028-02": (189, 40, 0, 149, 0, 0),
                "2028-03": (496, 400, 0, 0, 0, 300),
            }
            assert (owed.total.value_minor, owed.total.pending_value_minor) == (389, 300)
            assert figures(cash.total) == (50_000, 0, 0, 50_000, 10_000, 0)
            assert figures(bonus.total) == (3_000, 0, 0, 3_000, 600, 0)
            for each in (owed, cash, bonus):
                check_sums(each)

    asyncio.run(look())


def test_the_report_agrees_with_the_trial_balance_to_the_point(serve: Serve) -> None:
    async def look() -> None:
        clock = ManualClock(JANUARY)
        async with serve(clock=clock) as points:
            story = Story(points, clock)
            await story.tell()
            for owed, books in zip(await story.report(), await story.trial_balance(), strict=True):
                closings: dict[str, int] = {}
                for line in books.accounts:
                    closings[line.account] = closings.get(line.account, 0) + line.closing
                assert owed.total.outstanding == books.members.closing
                assert owed.total.expired == closings.pop("EXPIRED", 0)
                spent = "REDEEMED" if owed.asset == entry_pb2.ASSET_POINTS else "SETTLEMENT"
                assert owed.total.redeemed == closings.pop(spent, 0)
                assert owed.debt == -closings.pop("DEBT", 0)
                others = -sum(closings.values())
                assert owed.total.earned - owed.otherwise_gone == others + owed.debt
            assert owed.asset == entry_pb2.ASSET_BONUS

    asyncio.run(look())


def test_a_past_instant_knows_what_was_held_and_pending_then(serve: Serve) -> None:
    async def look() -> None:
        clock = ManualClock(JANUARY)
        async with serve(clock=clock) as points:
            story = Story(points, clock)
            await story.tell()
            clock.advance(timedelta(days=STAY_DAYS))
            await story.dine(story.bob, 100)  # Bob's stay matures, Ann's hold has timed out
            now = (await story.report())[POINTS]
            assert figures(now.total) == (1_286, 500, 0, 690, 0, 0)
            check_sums(now)
            before, cash_before, _ = await story.report("nothing held")
            assert figures(before.total) == (985, 500, 0, 389, 0, 300)
            assert cash_before.total.held == 0
            then, cash, bonus = await story.report("all held")
            assert figures(then.total) == (985, 500, 0, 389, 100, 300)
            assert (cash.total.held, bonus.total.held) == (10_000, 600)
            for each in (then, cash, bonus):
                check_sums(each, past=True)
            earlier = (await story.report("500 pending"))[POINTS]
            assert (earlier.total.pending, earlier.debt) == (500, 0)
            assert (await story.report("passed on"))[POINTS].total.pending == 0

    asyncio.run(look())


def test_pending_points_between_two_refunds_are_those_that_were_left_then(serve: Serve) -> None:
    async def look() -> None:
        clock = ManualClock(JANUARY)
        async with serve(clock=clock) as points:
            story, stay = Story(points, clock), uuid4()
            await story._programme()
            bought = purchase(story.bob, 50_000, occurred_at=clock.now())
            bought.lines[0].category = ROOM
            bought.stay.nights, bought.stay.channel = 1, 1  # type: ignore[assignment]
            await story.caller.call("Post", post(bought, stay))
            left = {"whole": 500, "first": 300, "second": 175, "none": 0}
            for name, refunded in (("whole", 20_000), ("first", 12_500), ("second", 17_500)):
                story.pause(name)
                await story.caller.call("Reverse", reverse(story.bob, stay, amount=refunded))
            story.pause("none")
            for name, pending in left.items():
                owed = (await story.report(name))[POINTS]
                assert (owed.total.pending, owed.total.outstanding) == (pending, 0)
            assert (await story.report())[POINTS].total.pending == 0

    asyncio.run(look())


@pytest.mark.parametrize("ends", ["RELEASE", "TIMEOUT"])
def test_a_hold_that_ended_is_held_no_more_and_what_it_kept_from_expiring_is_due(
    ends: str, serve: Serve
) -> None:
    async def look() -> None:
        clock = ManualClock(JANUARY)
        async with serve(clock=clock) as points:
            story, hold = Story(points, clock), uuid4()
            await story.dine(story.ann, 20_000)
            clock.advance(timedelta(days=749))  # two days before the points expire
            asked = authorize(story.ann, hold, 150, seconds=4 * 86_400)
            await story.caller.call("AuthorizeHold", asked)
            clock.advance(timedelta(days=3))
            owed = (await story.report())[POINTS]
            assert (owed.total.outstanding, owed.total.held, owed.due) == (200, 150, 50)
            if ends == "RELEASE":
                answer = await story.caller.call("ReleaseHold", release(story.ann, hold))
                assert isinstance(answer, hold_pb2.ReleaseHoldResponse)
                expected = (0, 0, 0)
            else:
                clock.advance(timedelta(days=1))
                expected = (200, 0, 200)
            owed = (await story.report())[POINTS]
            assert (owed.total.outstanding, owed.total.held, owed.due) == expected
            check_sums(owed)

    asyncio.run(look())
