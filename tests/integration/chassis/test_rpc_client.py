"""Calls to other services: retried when that is safe and helps, batched when many come at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from chassis.kernel.refusals import Category, Refusal
from chassis.rpc.batch import ItemContext, batch_call, fill_outcomes, run_batch
from chassis.rpc.calls import Actor, Call, current_call, enter_call
from chassis.rpc.coalescer import Coalescer
from chassis.rpc.retries import RetryBudget, RetryPolicy
from tests.integration.chassis import echo
from tests.integration.chassis.rpc_world import connected, serving

HELLO = echo.EchoRequest(text="hello")
TRACE = "00-4fa4ed7240d61025a17a65c2773a07f2-dc5cdbf4484a2595-01"
QUICK = RetryPolicy(attempts_max=4, first_pause_seconds=0.01, longest_pause_seconds=0.02)


class Flaky:
    """Refuses the first `failures` calls with `category`, then echoes."""

    def __init__(self, failures: int, category: Category = Category.UNAVAILABLE) -> None:
        self.failures = failures
        self.category = category
        self.seen = 0

    async def __call__(self, request: Any, context: Any) -> Any:
        self.seen += 1
        if self.seen <= self.failures:
            raise Refusal(self.category, "SOME_REASON", "not now")
        return await echo.answer(request, context)


def test_an_idempotent_call_is_repeated_through_a_passing_trouble(certificates: Path) -> None:
    async def scenario() -> None:
        flaky = Flaky(3)
        async with (
            serving(certificates, echo.EchoServicer(flaky)) as server,
            connected(certificates, server.port, retry=QUICK) as (channel, stub),
        ):
            response = await channel.call(stub.Echo, HELLO, timeout_seconds=5, idempotent=True)
            assert (response.text, flaky.seen) == ("hello", 4)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("category", "idempotent"),
    [(Category.UNAVAILABLE, False), (Category.PRECONDITION, True), (Category.TOO_LATE, True)],
)
def test_a_call_that_is_not_idempotent_or_was_refused_by_a_rule_is_never_repeated(
    certificates: Path, category: Category, *, idempotent: bool
) -> None:
    async def scenario() -> None:
        flaky = Flaky(1, category)
        async with (
            serving(certificates, echo.EchoServicer(flaky)) as server,
            connected(certificates, server.port, retry=QUICK) as (channel, stub),
        ):
            with pytest.raises(Refusal, match="SOME_REASON"):
                await channel.call(stub.Echo, HELLO, timeout_seconds=5, idempotent=idempotent)
            assert flaky.seen == 1

    asyncio.run(scenario())


def test_a_lasting_outage_is_not_multiplied_by_retries(certificates: Path) -> None:
    async def scenario() -> None:
        flaky = Flaky(1_000_000)
        budget = RetryBudget(tokens_max=5, earned_per_call=0.1)
        async with (
            serving(certificates, echo.EchoServicer(flaky)) as server,
            connected(certificates, server.port, retry=QUICK, budget=budget) as (channel, stub),
        ):
            for _ in range(50):
                with pytest.raises(Refusal):
                    await channel.call(stub.Echo, HELLO, timeout_seconds=5, idempotent=True)
            assert flaky.seen == 55

    asyncio.run(scenario())


def test_retries_end_with_the_deadline_of_the_call(certificates: Path) -> None:
    async def scenario() -> None:
        flaky = Flaky(1_000_000)
        endless = RetryPolicy(
            attempts_max=10_000, first_pause_seconds=0.05, longest_pause_seconds=0.05
        )
        budget = RetryBudget(tokens_max=10_000)
        async with (
            serving(certificates, echo.EchoServicer(flaky)) as server,
            connected(certificates, server.port, retry=endless, budget=budget) as (channel, stub),
        ):
            before = monotonic()
            with pytest.raises(Refusal) as caught:
                await channel.call(stub.Echo, HELLO, timeout_seconds=0.3, idempotent=True)
            assert caught.value.passing
            assert monotonic() - before < 5
            assert flaky.seen > 1

    asyncio.run(scenario())


def test_a_server_that_is_not_there_is_a_passing_refusal(certificates: Path) -> None:
    async def scenario() -> None:
        async with serving(certificates) as server:
            port = server.port
        async with connected(certificates, port) as (channel, stub):
            with pytest.raises(Refusal) as caught:
                await channel.call(stub.Echo, HELLO, timeout_seconds=5)
            assert (caught.value.category, caught.value.reason) == (
                Category.UNAVAILABLE,
                "UNAVAILABLE",
            )

    asyncio.run(scenario())


def test_a_call_made_while_serving_another_inherits_its_deadline_trace_and_actor(
    certificates: Path,
) -> None:
    async def tell(_request: Any, _context: Any) -> Any:
        call = current_call()
        return echo.EchoResponse(
            text=f"{call.remaining_seconds() < 2} {call.traceparent} {call.actor.staff_id}",
        )

    async def scenario() -> None:
        async with (
            serving(certificates, echo.EchoServicer(tell)) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            enter_call(Call("till", "/x/Y", monotonic() + 1.5, TRACE, Actor(staff_id="s9")))
            response = await channel.call(stub.Echo, HELLO, timeout_seconds=60)
            assert response.text == f"True {TRACE} s9"
            enter_call(Call("till", "/x/Y", monotonic() - 1, TRACE))
            with pytest.raises(Refusal, match="DEADLINE_PASSED"):
                await channel.call(stub.Echo, HELLO, timeout_seconds=60)

    asyncio.run(scenario())


@dataclass(frozen=True)
class Done:
    answer: str
    replayed: bool


@dataclass(frozen=True)
class Shout:
    text: str
    context: ItemContext


class ShoutingExecutor:
    """Answers in capitals; refuses `no` as a rule would, and remembers `again`."""

    def __init__(self) -> None:
        self.batches: list[list[Shout]] = []

    async def execute_many(self, submissions: Sequence[Shout]) -> list[Done | Refusal]:
        self.batches.append(list(submissions))
        return [self._execute(submission.text) for submission in submissions]

    @staticmethod
    def _execute(text: str) -> Done | Refusal:
        if text == "no":
            refusal = Refusal(Category.PRECONDITION, "SAID_NO", "no")
            refusal.replayed = True
            return refusal
        return Done(text.upper(), replayed=text == "again")


def _build(request: Any, context: ItemContext) -> Shout:
    if request.text == "unbuildable":
        raise Refusal(Category.NOT_FOUND, "NOT_THERE", "not there")
    return Shout(request.text, context)


class BatchWorld:
    """The servicer's side of a batch RPC, over an executor that shouts."""

    def __init__(self) -> None:
        self.executor = ShoutingExecutor()

    async def serve(self, request: Any, _context: Any) -> Any:
        results = await run_batch(request.items, _build, self.executor)
        return fill_outcomes(
            echo.BatchEchoResponse(), results, lambda text: echo.EchoResponse(text=text)
        )


def test_concurrent_calls_become_one_batch_and_each_item_has_its_own_outcome(
    certificates: Path,
) -> None:
    async def scenario() -> None:
        world = BatchWorld()
        async with (
            serving(certificates, echo.EchoServicer(on_batch=world.serve)) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            call = batch_call(channel, stub.BatchEcho, echo.BatchEchoRequest)
            coalescer: Coalescer[Any, Any] = Coalescer(call, name="BatchEcho", in_flight=1)
            texts = ["a", "no", "", "again", "unbuildable", "b"]
            results: list[Any] = await asyncio.gather(
                *(coalescer.call(echo.EchoRequest(text=text)) for text in texts),
                return_exceptions=True,
            )
            told = [
                result.reason if isinstance(result, Refusal) else result.text for result in results
            ]
            assert told == ["A", "SAID_NO", "INVALID_FIELD", "AGAIN", "NOT_THERE", "B"]
            assert [result.replayed for result in results if isinstance(result, Refusal)] == [
                True,
                False,
                False,
            ]
            assert [[s.text for s in batch] for batch in world.executor.batches] == [
                ["a", "no", "again", "b"],
            ]

    asyncio.run(scenario())


def test_an_item_with_a_nul_is_refused_alone(certificates: Path) -> None:
    async def scenario() -> None:
        world = BatchWorld()
        request = echo.BatchEchoRequest()
        for text in ("a", "b\0c", "d"):
            request.items.add().request.text = text
        async with (
            serving(certificates, echo.EchoServicer(on_batch=world.serve)) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            response = await channel.call(stub.BatchEcho, request, timeout_seconds=10)
        told = [outcome.response.text or outcome.error.message for outcome in response.outcomes]
        assert told == ["A", "text: must not hold the character NUL", "D"]
        assert [each.text for each in world.executor.batches[0]] == ["a", "d"]

    asyncio.run(scenario())


def test_items_of_a_batch_keep_their_own_deadline_and_trace_and_late_ones_are_not_run(
    certificates: Path,
) -> None:
    async def scenario() -> None:
        world = BatchWorld()
        request = echo.BatchEchoRequest()
        for text, nanoseconds in (("long", 60_000_000_000), ("short", 1_000_000_000), ("late", 0)):
            item = request.items.add(traceparent=TRACE if text == "short" else "nonsense")
            item.request.text = text
            item.timeout.FromNanoseconds(nanoseconds)
        request.items.add().request.text = "none"
        async with (
            serving(certificates, echo.EchoServicer(on_batch=world.serve)) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            response = await channel.call(stub.BatchEcho, request, timeout_seconds=10)
            assert [o.WhichOneof("result") for o in response.outcomes] == [
                "response",
                "response",
                "error",
                "response",
            ]
            contexts = {shout.text: shout.context for shout in world.executor.batches[0]}
            assert contexts.keys() == {"long", "short", "none"}
            assert contexts["short"].traceparent == TRACE
            assert contexts["long"].traceparent == contexts["none"].traceparent
            assert contexts["short"].deadline_monotonic < contexts["long"].deadline_monotonic
            assert contexts["long"].deadline_monotonic == contexts["none"].deadline_monotonic

    asyncio.run(scenario())


@pytest.mark.parametrize("count", [0, 257])
def test_a_batch_that_is_empty_or_too_large_is_refused_as_a_whole(
    certificates: Path, count: int
) -> None:
    async def scenario() -> None:
        request = echo.BatchEchoRequest()
        for _ in range(count):
            request.items.add().request.text = "x"
        async with (
            serving(certificates, echo.EchoServicer(on_batch=BatchWorld().serve)) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            with pytest.raises(Refusal, match="items: must have 1 to 256 items"):
                await channel.call(stub.BatchEcho, request, timeout_seconds=10)

    asyncio.run(scenario())
