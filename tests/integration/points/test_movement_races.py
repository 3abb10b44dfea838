"""Movements raced by two points services on one database."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from huitouke.points.v1 import points_service_pb2 as pb

from tests.integration.points.conftest import Serve
from tests.integration.points.movement_requests import (
    adjust,
    approve,
    put_group,
    refund_top_up,
    transfer,
    withdraw,
)
from tests.integration.points.racing import ROUNDS
from tests.integration.points.requests import post, purchase, top_up
from tests.integration.points.running import Caller
from tests.integration.points.test_replicas import outcomes


async def _books(caller: Caller) -> None:
    assert (await caller.call("VerifyBooks", pb.VerifyBooksRequest())).balanced


def test_transfers_in_both_directions_at_once_lose_nothing_and_never_lock_each_other_out(
    serve: Serve,
) -> None:
    async def race() -> None:
        async with serve() as one, serve() as other:
            callers = [one.caller("operator"), other.caller("operator")]
            pair = [uuid4(), uuid4()]
            directions = [(pair[0], pair[1]), (pair[1], pair[0])]
            await callers[0].call("PutTransferGroup", put_group(uuid4(), *pair))
            for member in pair:
                await callers[0].call("Post", post(purchase(member, 1_000_000)))
            for _ in range(ROUNDS):
                both = [
                    (callers[at % 2], "TransferPoints", transfer(*directions[at // 2 % 2], 3))
                    for at in range(16)
                ]
                assert await outcomes(*both) == {"OK": 16}
            for member in pair:
                asked = pb.GetBalancesRequest(member_id=str(member))
                found = (await callers[0].call("GetBalances", asked)).balances
                assert (found.points, found.member_version) == (10_000, 1 + ROUNDS * 16)

            for _ in range(ROUNDS):
                wanted = uuid4()
                once = [
                    (callers[at % 2], "TransferPoints", transfer(pair[0], pair[1], 1, wanted))
                    for at in range(8)
                ]
                assert await outcomes(*once) == {"OK": 1, "TRANSFER_EXISTS": 7}
            over = [
                (callers[at % 2], "TransferPoints", transfer(pair[0], pair[1], 9_000))
                for at in range(8)
            ]
            assert await outcomes(*over) == {"OK": 1, "INSUFFICIENT_POINTS": 7}
            await _books(callers[0])

    asyncio.run(race())


def test_one_member_put_into_many_groups_at_once_is_in_one(serve: Serve) -> None:
    async def race() -> None:
        async with serve() as one, serve() as other:
            callers = [one.caller("operator"), other.caller("operator")]
            for _ in range(ROUNDS):
                wanted, group = uuid4(), uuid4()
                puts = [
                    (callers[at % 2], "PutTransferGroup", put_group(uuid4(), wanted, uuid4()))
                    for at in range(8)
                ]
                assert await outcomes(*puts) == {"OK": 1, "MEMBER_IN_ANOTHER_GROUP": 7}
                same = [
                    (callers[at % 2], "PutTransferGroup", put_group(group, uuid4()))
                    for at in range(8)
                ]
                assert await outcomes(*same) == {"OK": 1, "TRANSFER_GROUP_CHANGED": 7}

    asyncio.run(race())


def test_an_adjustment_approved_many_times_at_once_is_booked_once(serve: Serve) -> None:
    async def race() -> None:
        async with serve() as one, serve() as other:
            callers = [one.caller("operator"), other.caller("operator")]
            member = uuid4()
            for _ in range(ROUNDS):
                wanted = adjust(member, 10_001)
                await callers[0].call("AdjustBalance", wanted)
                approvals = [
                    (callers[at % 2], "ApproveAdjustment", approve(member, wanted.adjustment_id))
                    for at in range(8)
                ]
                assert await outcomes(*approvals) == {"OK": 1, "ADJUSTMENT_DECIDED": 7}
            asked = pb.GetBalancesRequest(member_id=str(member))
            balances = (await callers[0].call("GetBalances", asked)).balances
            assert balances.points == ROUNDS * 10_001

            hurried = uuid4()
            pieces = await asyncio.gather(
                *(caller.call("AdjustBalance", adjust(hurried, 6_000)) for caller in callers)
            )
            assert sorted(each.state for each in pieces) == [1, 2], "together above the limit"
            await _books(callers[0])

    asyncio.run(race())


def test_a_withdrawal_and_a_purchase_never_have_the_same_fen(serve: Serve) -> None:
    async def race() -> None:
        async with serve() as one, serve() as other:
            callers = [one.caller("operator"), other.caller("operator")]
            for _ in range(ROUNDS):
                member = uuid4()
                await callers[0].call("TopUp", top_up(member, 40_000))
                done = await outcomes(
                    (callers[0], "WithdrawStoredValue", withdraw(member, 40_000)),
                    (callers[1], "Post", post(purchase(member, 40_000, stored=40_000))),
                    (callers[0], "WithdrawStoredValue", withdraw(member, 40_000)),
                )
                assert done["OK"] == 1
                refused = done["INSUFFICIENT_CASH"] + done["INSUFFICIENT_STORED_VALUE"]
                assert refused == 2

                sold = top_up(member, 40_000)
                await callers[0].call("TopUp", sold)
                refunds = [
                    (callers[at % 2], "RefundTopUp", refund_top_up(member, sold.top_up_id))
                    for at in range(4)
                ]
                assert await outcomes(*refunds) == {"OK": 1, "TOP_UP_REFUNDED": 3}
            await _books(callers[0])

    asyncio.run(race())
