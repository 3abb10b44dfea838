"""Coalescing: concurrent calls share batches, and each keeps its own fate."""

import asyncio
from collections.abc import Sequence
from time import monotonic

import pytest

from chassis.kernel.refusals import Category, Refusal
from chassis.rpc.calls import Call, enter_call, leave_call
from chassis.rpc.coalescer import CROWD, ENOUGH, Coalescer, Item
from tests.waiting import wait_until_async

TRACE = "00-4fa4ed7240d61025a17a65c2773a07f2-dc5cdbf4484a2595-01"


class Batches:
    """A `call_batch` that answers request × 10, refuses odd requests, and can be held back."""

    def __init__(self) -> None:
        self.seen: list[list[Item[int]]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.most_at_once = 0
        self._now = 0

    async def __call__(self, items: Sequence[Item[int]]) -> list[int | Refusal]:
        self.seen.append(list(items))
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        await self.open.wait()
        self._now -= 1
        return [self._answer(item.request) for item in items]

    @staticmethod
    def _answer(request: int) -> int | Refusal:
        if request % 2:
            return Refusal(Category.PRECONDITION, "ODD", "odd numbers are refused")
        return request * 10


def test_calls_made_at_once_travel_together_and_each_gets_its_own_answer() -> None:
    async def scenario() -> None:
        batches = Batches()
        coalescer: Coalescer[int, int] = Coalescer(batches, in_flight=1)
        answers = await asyncio.gather(*(coalescer.call(n * 2) for n in range(100)))
        assert answers == [n * 20 for n in range(100)]
        assert [len(batch) for batch in batches.seen] == [100]

    asyncio.run(scenario())


def test_a_refused_item_refuses_only_itself() -> None:
    async def scenario() -> None:
        coalescer: Coalescer[int, int] = Coalescer(Batches())
        results = await asyncio.gather(
            *(coalescer.call(n) for n in range(4)),
            return_exceptions=True,
        )
        assert results[0] == 0
        assert results[2] == 20
        assert [isinstance(result, Refusal) for result in results] == [False, True, False, True]

    asyncio.run(scenario())


def test_batches_have_at_most_the_limit_and_only_so_many_travel_at_once() -> None:
    async def scenario() -> None:
        batches = Batches()
        coalescer: Coalescer[int, int] = Coalescer(batches, batch_limit=10, in_flight=2)
        await asyncio.gather(*(coalescer.call(n * 2) for n in range(95)))
        assert max(len(batch) for batch in batches.seen) == 10
        assert sum(len(batch) for batch in batches.seen) == 95
        assert batches.most_at_once <= 2

    asyncio.run(scenario())


def test_few_calls_wait_for_the_batch_under_way_instead_of_making_a_second_one() -> None:
    async def scenario() -> None:
        batches = Batches()
        batches.open.clear()
        coalescer: Coalescer[int, int] = Coalescer(batches, patience_seconds=60)
        calls = [asyncio.create_task(coalescer.call(n * 2)) for n in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        calls += [asyncio.create_task(coalescer.call(n * 2)) for n in range(3, 8)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [len(batch) for batch in batches.seen] == [3]
        batches.open.set()
        await asyncio.gather(*calls)
        assert [len(batch) for batch in batches.seen] == [3, 5]

    asyncio.run(scenario())


def test_many_calls_or_a_batch_that_stays_away_make_a_second_one() -> None:
    async def scenario(company: int, patience_seconds: float) -> None:
        batches = Batches()
        batches.open.clear()
        coalescer: Coalescer[int, int] = Coalescer(
            batches, company=company, patience_seconds=patience_seconds
        )
        calls = [asyncio.create_task(coalescer.call(2))]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        calls += [asyncio.create_task(coalescer.call(n * 2)) for n in range(5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [len(batch) for batch in batches.seen] == [1, 5]
        batches.open.set()
        await asyncio.gather(*calls)

    asyncio.run(scenario(company=5, patience_seconds=60))
    asyncio.run(scenario(company=64, patience_seconds=0))


def test_a_call_does_not_wait_for_a_batch_that_stays_away_nor_for_further_calls() -> None:
    async def scenario() -> None:
        batches = Batches()
        batches.open.clear()
        coalescer: Coalescer[int, int] = Coalescer(batches, patience_seconds=0.01)
        away = asyncio.create_task(coalescer.call(2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        late = asyncio.create_task(coalescer.call(4))

        async def left() -> bool:
            return len(batches.seen) == 2

        await wait_until_async(left, 5, "a flight of its own")
        batches.open.set()
        assert [await away, await late] == [20, 40]

    asyncio.run(scenario())


def test_large_requests_travel_in_batches_that_are_not_too_large() -> None:
    async def scenario() -> None:
        batches = Batches()
        coalescer: Coalescer[int, int] = Coalescer(
            batches, weigh=lambda request: request, weight_limit=10, in_flight=1
        )
        sizes = [4, 4, 4, 40, 2, 8, 2]
        answers = await asyncio.gather(*(coalescer.call(size) for size in sizes))
        assert answers == [size * 10 for size in sizes]
        travelled = [[item.request for item in batch] for batch in batches.seen]
        assert travelled == [[4, 4], [4], [40], [2, 8], [2]]

    asyncio.run(scenario())


def test_a_batch_lingers_for_company_only_just_after_a_crowd() -> None:
    async def batches_after(crowd: int, patience_seconds: float) -> list[int]:
        batches = Batches()
        coalescer: Coalescer[int, int] = Coalescer(
            batches, patience_seconds=patience_seconds, linger_seconds=0.05
        )
        await asyncio.gather(*(coalescer.call(n * 2) for n in range(crowd)))
        early = asyncio.create_task(coalescer.call(6))
        for _ in range(5):
            await asyncio.sleep(0)
        await asyncio.gather(early, coalescer.call(8))
        return [len(batch) for batch in batches.seen]

    assert asyncio.run(batches_after(CROWD, patience_seconds=60)) == [CROWD, 2]
    assert asyncio.run(batches_after(CROWD - 1, patience_seconds=60)) == [CROWD - 1, 1, 1]
    assert asyncio.run(batches_after(CROWD, patience_seconds=0)) == [CROWD, 1, 1]


def test_enough_calls_end_the_wait() -> None:
    async def scenario() -> None:
        batches = Batches()
        coalescer: Coalescer[int, int] = Coalescer(
            batches, patience_seconds=60, linger_seconds=3_600
        )
        await asyncio.gather(*(coalescer.call(n * 2) for n in range(CROWD)))
        early = asyncio.create_task(coalescer.call(2))
        for _ in range(5):
            await asyncio.sleep(0)
        await asyncio.gather(early, *(coalescer.call(n * 2) for n in range(ENOUGH - 1)))
        assert [len(batch) for batch in batches.seen] == [CROWD, ENOUGH]

    asyncio.run(scenario())


def test_each_item_keeps_the_deadline_and_trace_of_the_call_it_belongs_to() -> None:
    async def scenario() -> None:
        batches = Batches()
        coalescer: Coalescer[int, int] = Coalescer(batches)
        deadline = monotonic() + 1.0
        token = enter_call(Call("gateway", "/a/b", deadline, TRACE))
        task = asyncio.create_task(coalescer.call(2, timeout_seconds=60))
        leave_call(token)
        await asyncio.gather(task, coalescer.call(4, timeout_seconds=30))
        first, second = batches.seen[0]
        assert (first.deadline_monotonic, first.traceparent) == (deadline, TRACE)
        assert second.deadline_monotonic > deadline + 20
        assert second.traceparent != TRACE

    asyncio.run(scenario())


def test_a_caller_that_leaves_hurts_nobody_and_is_not_sent_if_it_still_waits() -> None:
    async def scenario() -> None:
        batches = Batches()
        batches.open.clear()
        coalescer: Coalescer[int, int] = Coalescer(batches, in_flight=1)
        travelling = [asyncio.create_task(coalescer.call(n)) for n in (2, 4)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(coalescer.call(n)) for n in (6, 8)]
        await asyncio.sleep(0)
        travelling[0].cancel()
        waiting[0].cancel()
        batches.open.set()
        assert await travelling[1] == 40
        assert await waiting[1] == 80
        assert [[item.request for item in batch] for batch in batches.seen] == [[2, 4], [8]]

    asyncio.run(scenario())


def test_a_batch_that_fails_as_a_whole_refuses_every_item_with_its_reason() -> None:
    async def fail(_items: Sequence[Item[int]]) -> list[int | Refusal]:
        raise Refusal(Category.UNAVAILABLE, "UNAVAILABLE", "away", retry_after_seconds=0.5)

    async def scenario() -> None:
        coalescer: Coalescer[int, int] = Coalescer(fail)
        results = await asyncio.gather(
            *(coalescer.call(n) for n in range(3)),
            return_exceptions=True,
        )
        refusals = [result for result in results if isinstance(result, Refusal)]
        assert len({id(refusal) for refusal in refusals}) == 3
        assert {refusal.reason for refusal in refusals} == {"UNAVAILABLE"}

    asyncio.run(scenario())


def test_a_batch_answered_with_too_few_outcomes_fails_instead_of_hanging() -> None:
    async def forget(_items: Sequence[Item[int]]) -> list[int | Refusal]:
        return []

    async def scenario() -> None:
        coalescer: Coalescer[int, int] = Coalescer(forget)
        with pytest.raises(ValueError, match="shorter"):
            await coalescer.call(2)

    asyncio.run(scenario())


def test_an_answer_that_comes_too_late_is_a_passing_refusal() -> None:
    async def scenario() -> None:
        batches = Batches()
        batches.open.clear()
        coalescer: Coalescer[int, int] = Coalescer(batches)
        with pytest.raises(Refusal) as caught:
            await coalescer.call(2, timeout_seconds=0.02)
        assert (caught.value.category, caught.value.passing) == (Category.TOO_LATE, True)
        batches.open.set()
        assert await coalescer.call(4) == 40

    asyncio.run(scenario())


def test_a_full_queue_refuses_at_once_and_closing_refuses_what_waits() -> None:
    async def scenario() -> None:
        batches = Batches()
        batches.open.clear()
        coalescer: Coalescer[int, int] = Coalescer(batches, in_flight=1, queue_limit=1)
        travelling = asyncio.create_task(coalescer.call(2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting = asyncio.create_task(coalescer.call(4))
        await asyncio.sleep(0)
        with pytest.raises(Refusal, match="OVERLOADED"):
            await coalescer.call(6)
        batches.open.set()
        await coalescer.close()
        assert await travelling == 20
        with pytest.raises(Refusal, match="UNAVAILABLE"):
            await waiting

    asyncio.run(scenario())
