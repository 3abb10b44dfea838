"""Two replicas race for holds: for their ids, their checkouts, their value and their end."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

from chassis.clock import ManualClock
from chassis.kernel import Refusal
from chassis.storage.executor import Submission
from services.points.domain.commands import SettleDue
from tests.integration.points.conftest import Serve
from tests.integration.points.racing import ROUNDS
from tests.integration.points.requests import (
    authorize,
    capture,
    post,
    purchase,
    release,
    reverse,
)
from tests.integration.points.running import Caller, Points
from tests.integration.points.test_holds import SPRING, balanced, guest, kinds, read, state

ENDINGS = {"HoldCaptured", "HoldReleased", "HoldExpired"}


def test_capture_release_and_timeout_race_at_two_replicas_and_exactly_one_wins(
    serve: Serve, ledger_url: str
) -> None:
    clock, random = ManualClock(SPRING), Random(20260310)
    ended: Counter[str] = Counter()

    async def later(caller: Caller, member: UUID) -> None:
        for _ in range(random.randrange(5)):
            await read(caller, member)  # about as long as the others take
        clock.advance(timedelta(seconds=60))

    async def expire(points: Points, member: UUID) -> None:
        await points.application.executor.execute(Submission(SettleDue(member), "x", "x", None))

    async def one_round(one: Points, other: Points, member: UUID) -> None:
        callers, hold_id = [one.caller(), other.caller()], uuid4()
        await callers[0].call("AuthorizeHold", authorize(member, hold_id, 500, seconds=60))
        random.shuffle(callers)
        calls = [
            callers[0].call("CaptureHold", capture(member, hold_id, 500)),
            callers[1].call("ReleaseHold", release(member, hold_id)),
            later(callers[0], member),
            expire(one, member),
            expire(other, member),
        ]
        order = random.sample(range(len(calls)), len(calls))
        done = await asyncio.gather(*(calls[at] for at in order), return_exceptions=True)
        outcomes = [done[order.index(at)] for at in range(len(calls))]
        assert [each for each in outcomes[2:] if isinstance(each, Exception)] == []
        refusals = [each.reason for each in outcomes[:2] if isinstance(each, Refusal)]
        assert len(refusals) >= 1
        await expire(one, member)
        how = await state(callers[0], member, hold_id)
        ended[how] += 1
        assert len(refusals) == (2 if how == "EXPIRED" else 1)
        assert set(refusals) == {f"HOLD_{how}"}
        if how == "CAPTURED":
            await callers[1].call("Reverse", reverse(member, hold_id))

    async def race() -> None:
        async with serve(clock=clock) as one, serve(clock=clock) as other:
            member = await guest(one.caller(), clock.now())
            for _ in range(ROUNDS):
                await one_round(one, other, member)
            assert await balanced(one)
            told = Counter(kind for kind in kinds(ledger_url, member) if kind in ENDINGS)
            assert told == {f"Hold{how.capitalize()}": times for how, times in ended.items()}

    asyncio.run(race())


def test_a_hold_id_or_a_checkout_that_two_replicas_authorise_is_won_once(serve: Serve) -> None:
    async def race() -> None:
        async with serve() as one, serve() as other:
            callers = [one.caller(), other.caller()]
            members = [await guest(callers[0]) for _ in range(4)]
            for wanted, checkout in ((uuid4(), None), (None, uuid4()), (uuid4(), None)):
                requests = [
                    authorize(member, wanted or uuid4(), 10, checkout_id=checkout)
                    for member in members
                ]
                outcomes = await asyncio.gather(
                    *(
                        callers[at % 2].call("AuthorizeHold", request)
                        for at, request in enumerate(requests)
                    ),
                    return_exceptions=True,
                )
                refusals = [each for each in outcomes if isinstance(each, Refusal)]
                assert len(refusals) == 3
                expected = "HOLD_EXISTS" if wanted else "CHECKOUT_HAS_HOLD"
                assert {each.reason for each in refusals} == {expected}
            assert await balanced(one)

    asyncio.run(race())


def test_of_holds_and_spends_of_a_whole_balance_at_two_replicas_exactly_one_succeeds(
    serve: Serve,
) -> None:
    async def race() -> None:
        async with serve() as one, serve() as other:
            callers = [one.caller(), other.caller()]
            member = await guest(callers[0])
            calls = [
                callers[at % 2].call("Post", post(purchase(member, 500, points=500)))
                if at % 3
                else callers[at % 2].call("AuthorizeHold", authorize(member, uuid4(), 500))
                for at in range(48)
            ]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            reasons = [each.reason for each in outcomes if isinstance(each, Refusal)]
            assert reasons == ["INSUFFICIENT_POINTS"] * 47
            assert await balanced(one)

    asyncio.run(race())
