"""Checkouts through the real server: posting, replaying, cancelling, reversing."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from huitouke.points.v1 import points_service_pb2 as pb

from chassis.kernel import Refusal
from tests.integration.points.conftest import Serve
from tests.integration.points.requests import cancel, post, purchase, reverse, top_up
from tests.integration.points.running import Caller


async def balances(caller: Caller, member_id: object) -> tuple[int, int, int, int]:
    """Points, CASH, BONUS and debt as GetBalances answers them."""
    answer = await caller.call("GetBalances", pb.GetBalancesRequest(member_id=str(member_id)))
    found = answer.balances
    return (found.points, found.cash_minor, found.bonus_minor, found.points_debt)


async def refused(caller: Caller, method: str, request: object) -> Refusal:
    """The refusal that a call gets."""
    with pytest.raises(Refusal) as caught:
        await caller.call(method, request)
    return caught.value


def test_a_dinner_is_paid_with_points_and_stored_value_and_earns_on_what_money_and_cash_paid(
    serve: Serve,
) -> None:
    async def dine() -> None:
        async with serve() as points:
            caller, member = points.caller(), uuid4()
            await caller.call("TopUp", top_up(member, 100_000))
            await caller.call("Post", post(purchase(member, 50_000)))
            bought = purchase(member, 30_000, 20_000, points=500, stored=22_000, tier="GOLD")
            quoted = (await caller.call("Quote", pb.QuoteRequest(purchase=bought))).posted
            answer = await caller.call("Post", post(bought))
            posted = answer.posted
            assert posted == quoted
            assert posted.points_value_minor == 500
            assert (posted.cash_paid_minor, posted.bonus_paid_minor) == (20_000, 2_000)
            assert posted.to_pay_minor == 50_000 - 500 - 22_000
            assert posted.points_earned == 475 + 237
            assert [by.rule_code for by in posted.earned_by] == ["BASE_DINING", "TIER_GOLD"]
            assert await balances(caller, member) == (712, 80_000, 8_000, 0)

    asyncio.run(dine())


def test_the_same_request_gets_the_same_answer_and_another_content_is_refused_by_field(
    serve: Serve,
) -> None:
    async def repeat() -> None:
        async with serve() as points:
            caller, member = points.caller(), uuid4()
            request = post(purchase(member, 12_300))
            first = await caller.call("Post", request)
            assert await caller.call("Post", request) == first
            other = pb.PostRequest()
            other.CopyFrom(request)
            other.purchase.lines[0].amount_minor += 1
            refusal = await refused(caller, "Post", other)
            assert refusal.reason == "REQUEST_ID_REUSED"
            assert refusal.fields[0].field == "purchase"
            assert await balances(caller, member) == (123, 0, 0, 0)

    asyncio.run(repeat())


def test_64_identical_requests_have_one_effect_and_64_equal_answers(serve: Serve) -> None:
    async def storm() -> None:
        async with serve() as points:
            caller, member = points.caller(), uuid4()
            request = post(purchase(member, 10_000))
            answers = await asyncio.gather(*(caller.call("Post", request) for _ in range(64)))
            assert all(answer == answers[0] for answer in answers)
            assert await balances(caller, member) == (100, 0, 0, 0)

    asyncio.run(storm())


def test_of_32_spends_of_the_whole_balance_exactly_one_succeeds(serve: Serve) -> None:
    async def race() -> None:
        async with serve() as points:
            caller, member = points.caller(), uuid4()
            await caller.call("Post", post(purchase(member, 50_000)))
            spends = [post(purchase(member, 500, points=500)) for _ in range(32)]
            outcomes = await asyncio.gather(
                *(caller.call("Post", spend) for spend in spends), return_exceptions=True
            )
            refusals = [each for each in outcomes if isinstance(each, Refusal)]
            assert len(refusals) == 31
            assert {each.reason for each in refusals} == {"INSUFFICIENT_POINTS"}
            assert refusals[0].metadata == {"available": "0"}
            assert await balances(caller, member) == (0, 0, 0, 0)

    asyncio.run(race())


def test_a_cancelled_checkout_can_never_be_posted_and_stays_cancelled(serve: Serve) -> None:
    async def fence() -> None:
        async with serve() as points:
            caller, member, checkout = points.caller(), uuid4(), uuid4()
            first = await caller.call("CancelPost", cancel(member, checkout))
            assert first.HasField("cancelled")
            refusal = await refused(caller, "Post", post(purchase(member, 1_000), checkout))
            assert refusal.reason == "CHECKOUT_CANCELLED"
            assert await caller.call("CancelPost", cancel(member, checkout)) == first

    asyncio.run(fence())


def test_cancelling_what_was_posted_answers_it_as_it_was_posted_even_after_its_reversal(
    serve: Serve,
) -> None:
    async def settle() -> None:
        async with serve() as points:
            caller, member, checkout = points.caller(), uuid4(), uuid4()
            await caller.call("TopUp", top_up(member, 50_000))
            bought = purchase(member, 20_000, 3_000, stored=10_001, tier="SILVER")
            posted = await caller.call("Post", post(bought, checkout))
            settled = await caller.call("CancelPost", cancel(member, checkout))
            assert settled.posted == posted
            await caller.call("Reverse", reverse(member, checkout))
            again = await caller.call("CancelPost", cancel(member, checkout))
            assert again.posted == posted
            refusal = await refused(caller, "Post", post(bought, checkout))
            assert refusal.reason == "CHECKOUT_EXISTS"

    asyncio.run(settle())


def test_a_reversal_restores_what_was_spent_takes_back_what_was_earned_and_happens_once(
    serve: Serve,
) -> None:
    async def refund() -> None:
        async with serve() as points:
            caller, member, lunch = points.caller(), uuid4(), uuid4()
            await caller.call("TopUp", top_up(member, 100_000))
            await caller.call("Post", post(purchase(member, 40_000)))
            bought = purchase(member, 30_000, points=300, stored=11_000)
            await caller.call("Post", post(bought, lunch))
            answer = await caller.call("Reverse", reverse(member, lunch))
            assert answer.points_restored == 300
            assert (answer.cash_restored_minor, answer.bonus_restored_minor) == (10_000, 1_000)
            assert (answer.points_taken_back, answer.debt_recorded) == (287, 0)
            assert await balances(caller, member) == (400, 100_000, 10_000, 0)
            refusal = await refused(caller, "Reverse", reverse(member, lunch))
            assert refusal.reason == "ALREADY_REVERSED"

    asyncio.run(refund())


def test_earned_points_that_were_spent_become_a_debt_that_the_next_earnings_pay(
    serve: Serve,
) -> None:
    async def owe() -> None:
        async with serve() as points:
            caller, member, first = points.caller(), uuid4(), uuid4()
            await caller.call("Post", post(purchase(member, 30_000), first))
            await caller.call("Post", post(purchase(member, 200, points=200)))
            answer = await caller.call("Reverse", reverse(member, first))
            assert (answer.points_taken_back, answer.debt_recorded) == (100, 200)
            assert await balances(caller, member) == (0, 0, 0, 200)
            earned = (await caller.call("Post", post(purchase(member, 50_000)))).posted
            assert (earned.points_earned, earned.debt_collected) == (500, 200)
            assert await balances(caller, member) == (300, 0, 0, 0)

    asyncio.run(owe())


def test_each_item_of_a_batch_has_its_own_outcome(serve: Serve) -> None:
    async def batch() -> None:
        async with serve() as points:
            caller, member = points.caller(), uuid4()
            good, same = post(purchase(member, 10_000)), uuid4()
            items = [good, post(purchase(member, 100, points=5)), good, pb.PostRequest()]
            items += [post(purchase(member, 100), same), post(purchase(uuid4(), 100), same)]
            request = pb.BatchPostRequest(items=[pb.BatchPostItem(request=each) for each in items])
            outcomes = (await caller.call("BatchPost", request)).outcomes
            assert [each.WhichOneof("result") for each in outcomes] == [
                "response", "error", "response", "error", "response", "error",
            ]  # fmt: skip
            assert outcomes[2].replayed
            assert outcomes[2].response == outcomes[0].response

    asyncio.run(batch())


def test_unknown_checkouts_and_those_of_others_are_not_found(serve: Serve) -> None:
    async def ask() -> None:
        async with serve() as points:
            caller, owner, other, checkout = points.caller(), uuid4(), uuid4(), uuid4()
            await caller.call("Post", post(purchase(owner, 10_000), checkout))
            for member, asked in ((owner, uuid4()), (other, checkout)):
                refusal = await refused(caller, "Reverse", reverse(member, asked))
                assert refusal.reason == "CHECKOUT_NOT_FOUND"
            refusal = await refused(caller, "CancelPost", cancel(other, checkout))
            assert refusal.reason == "CHECKOUT_NOT_FOUND"

    asyncio.run(ask())
