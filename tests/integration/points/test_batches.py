"""The batch forms of holds and reversals: each item as a single call would be, one outcome each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from google.protobuf.message import Message
from huitouke.points.v1 import hold_pb2
from huitouke.points.v1 import points_service_pb2 as pb

from chassis.kernel import Refusal
from chassis.rpc.batch import batch_call
from chassis.rpc.coalescer import Coalescer
from chassis.rpc.status import from_status
from services.points.servicers.allowed import ALLOW
from tests.integration.points.conftest import Serve
from tests.integration.points.requests import (
    authorize,
    capture,
    post,
    purchase,
    release,
    reverse,
)
from tests.integration.points.running import Caller

ITEMS_MAX = 256
BATCHES = {
    "AuthorizeHold": hold_pb2.BatchAuthorizeHoldRequest,
    "CaptureHold": hold_pb2.BatchCaptureHoldRequest,
    "ReleaseHold": hold_pb2.BatchReleaseHoldRequest,
    "Reverse": pb.BatchReverseRequest,
}
"""The single RPC, and its batch's request."""
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Guest:
    """A member with 1,000 points earned by one dinner."""

    def __init__(self, caller: Caller) -> None:
        self.caller, self.member, self.dinner = caller, uuid4(), uuid4()

    async def dine(self) -> Guest:
        await self.caller.call("Post", post(purchase(self.member, 100_000), self.dinner))
        return self

    async def held(self) -> UUID:
        hold = uuid4()
        await self.caller.call("AuthorizeHold", authorize(self.member, hold, 100, seconds=600))
        return hold


def batch_of(method: str, *requests: Message) -> Any:
    """A batch of these requests, each with a trace of its own."""
    batch: Any = BATCHES[method]()
    for request in requests:
        batch.items.add(traceparent=TRACE).request.CopyFrom(request)
    return batch


async def outcomes(caller: Caller, method: str, *requests: Message) -> list[Any]:
    answer = await caller.call(f"Batch{method}", batch_of(method, *requests))
    return list(answer.outcomes)


def told(outcome: Any) -> str:
    """OK, or the reason of its refusal."""
    if outcome.WhichOneof("result") == "response":
        return "OK"
    return from_status(outcome.error).reason


async def _good(method: str, guest: Guest) -> Message:
    """A request that succeeds."""
    if method == "AuthorizeHold":
        return authorize(guest.member, uuid4(), 100, seconds=600)
    if method == "CaptureHold":
        return capture(guest.member, await guest.held(), 100)
    if method == "ReleaseHold":
        return release(guest.member, await guest.held())
    return reverse(guest.member, guest.dinner, amount=1_000)


async def _refused(method: str, guest: Guest) -> tuple[Message, str]:
    """A request that a rule refuses, and its reason."""
    if method == "AuthorizeHold":
        return authorize(guest.member, uuid4(), 5_000, seconds=600), "INSUFFICIENT_POINTS"
    if method == "CaptureHold":
        return capture(guest.member, uuid4(), 100), "HOLD_NOT_FOUND"
    if method == "ReleaseHold":
        hold = await guest.held()
        await guest.caller.call("CaptureHold", capture(guest.member, hold, 100))
        return release(guest.member, hold), "HOLD_CAPTURED"
    return reverse(guest.member, uuid4(), amount=1_000), "CHECKOUT_NOT_FOUND"


def with_a_guest(
    serve: Serve, story: Callable[[Guest], Awaitable[None]], caller: str = "gateway"
) -> None:
    async def run() -> None:
        async with serve() as points:
            await story(await Guest(points.caller(caller)).dine())

    asyncio.run(run())


@pytest.mark.parametrize("method", BATCHES)
def test_each_item_is_validated_alone_and_has_its_own_outcome_in_its_place(
    method: str, serve: Serve, ledger_url: str
) -> None:
    async def ask(guest: Guest) -> None:
        good = await _good(method, guest)
        refused, reason = await _refused(method, guest)
        broken = type(good)()
        broken.CopyFrom(good)
        broken.member_id = "nobody"  # type: ignore[attr-defined]
        found = await outcomes(guest.caller, method, good, broken, refused, good)
        assert [told(each) for each in found] == ["OK", "INVALID_FIELD", reason, "OK"]
        assert [each.replayed for each in found] == [False, False, False, True]
        assert found[3].response == found[0].response
        fields = from_status(found[1].error).fields
        assert [each.field for each in fields] == ["member_id"]
        alone = await guest.caller.call(method, good)
        assert alone == found[0].response
        with pytest.raises(Refusal) as single:
            await guest.caller.call(method, refused)
        assert single.value.reason == reason

    with_a_guest(serve, ask)
    with psycopg.connect(ledger_url) as connection:
        (traces,) = connection.execute(
            "SELECT count(*) FROM outbox WHERE traceparent = %s", (TRACE,)
        ).fetchone() or (0,)
    assert traces == 1


@pytest.mark.parametrize("method", BATCHES)
def test_an_item_whose_time_is_up_is_refused_alone_and_changes_nothing(
    method: str, serve: Serve
) -> None:
    async def ask(guest: Guest) -> None:
        late, in_time = await _good(method, guest), await _good(method, guest)
        batch = batch_of(method, late, in_time)
        batch.items[0].timeout.FromNanoseconds(0)
        batch.items[1].timeout.FromSeconds(20)
        answer = await guest.caller.call(f"Batch{method}", batch)
        assert [told(each) for each in answer.outcomes] == ["DEADLINE_PASSED", "OK"]
        (again,) = await outcomes(guest.caller, method, late)
        assert (told(again), again.replayed) == ("OK", False)

    with_a_guest(serve, ask)


@pytest.mark.parametrize("method", BATCHES)
def test_a_batch_of_none_or_too_many_is_refused_whole(method: str, serve: Serve) -> None:
    async def ask(guest: Guest) -> None:
        good = await _good(method, guest)
        for requests in ([], [good] * (ITEMS_MAX + 1)):
            with pytest.raises(Refusal) as refused:
                await outcomes(guest.caller, method, *requests)
            assert refused.value.reason == "INVALID_FIELD"
            assert [each.field for each in refused.value.fields] == ["items"]
        assert {
            told(each) for each in await outcomes(guest.caller, method, *[good] * ITEMS_MAX)
        } == {"OK"}

    with_a_guest(serve, ask)


def test_batches_are_for_the_callers_of_the_single_forms(serve: Serve) -> None:
    for method in BATCHES:
        service = "/huitouke.points.v1.PointsService/"
        assert ALLOW[f"{service}Batch{method}"] == ALLOW[f"{service}{method}"]

    async def knock() -> None:
        async with serve() as points:
            for method in BATCHES:
                with pytest.raises(Refusal) as refused:
                    await points.caller("notify").call(f"Batch{method}", batch_of(method))
                assert refused.value.reason == "CALLER_NOT_ALLOWED"

    asyncio.run(knock())


def test_parts_of_one_checkout_in_one_batch_add_up_to_its_bill_and_no_further(
    serve: Serve,
) -> None:
    async def ask(guest: Guest) -> None:
        parts = [reverse(guest.member, guest.dinner, amount=40_000) for _ in range(3)]
        found = await outcomes(guest.caller, "Reverse", *parts)
        assert [told(each) for each in found] == ["OK", "OK", "REVERSAL_EXCEEDS_CHECKOUT"]
        assert [each.response.left_minor for each in found[:2]] == [60_000, 20_000]

    with_a_guest(serve, ask)


def test_a_hold_ends_once_however_many_items_of_a_batch_end_it(serve: Serve) -> None:
    async def ask(guest: Guest) -> None:
        hold = await guest.held()
        captures = [capture(guest.member, hold, 50) for _ in range(3)]
        found = await outcomes(guest.caller, "CaptureHold", *captures)
        assert [told(each) for each in found] == ["OK", "HOLD_CAPTURED", "HOLD_CAPTURED"]

    with_a_guest(serve, ask)


def test_single_calls_of_a_client_travel_together(serve: Serve) -> None:
    async def ask(guest: Guest) -> None:
        stub = guest.caller.stubs[0]
        holding = Coalescer(
            batch_call(
                guest.caller.channel, stub.BatchAuthorizeHold, hold_pb2.BatchAuthorizeHoldRequest
            ),
            name="BatchAuthorizeHold",
        )
        asked = [authorize(guest.member, uuid4(), 100, seconds=600) for _ in range(12)]
        found = await asyncio.gather(
            *(holding.call(each, timeout_seconds=20) for each in asked), return_exceptions=True
        )
        await holding.close()
        answered = [each for each in found if not isinstance(each, BaseException)]
        refused = [each for each in found if isinstance(each, Refusal)]
        assert len(answered) == 10
        assert {each.reason for each in refused} == {"INSUFFICIENT_POINTS"}

    with_a_guest(serve, ask)
