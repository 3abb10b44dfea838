"""Reversals by part over real gRPC and PostgreSQL, from one service and from two."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from importlib import import_module
from uuid import UUID, uuid4

import psycopg
import pytest
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1 import programme_pb2
from psycopg.errors import CheckViolation

from chassis.kernel import Refusal
from tests.integration.points.conftest import Serve
from tests.integration.points.requests import (
    PLACE,
    post,
    purchase,
    request_id,
    reverse,
    top_up,
)
from tests.integration.points.running import Caller

CHECKOUTS = 500
"""Checkouts that are each reversed twice at once."""

_DIFFERING = """
SELECT count(*) FROM checkouts AS c
LEFT JOIN (SELECT checkout_id, sum(amount_minor) AS amount, sum(points_restored) AS points,
                  sum(cash_restored_minor) AS cash, sum(bonus_restored_minor) AS bonus,
                  sum(money_minor) AS money FROM reversals GROUP BY 1) AS r USING (checkout_id)
WHERE (c.reversed_minor, c.points_restored, c.cash_restored_minor, c.bonus_restored_minor)
      IS DISTINCT FROM (r.amount, r.points, r.cash, r.bonus)
   OR c.reversed_minor - c.points_value_restored_minor - c.cash_restored_minor
      - c.bonus_restored_minor IS DISTINCT FROM r.money
"""


async def outcomes(calls: list[tuple[Caller, pb.ReverseRequest]]) -> Counter[str]:
    """How often each reason was given, "OK" for answers."""
    done = await asyncio.gather(
        *(caller.call("Reverse", request) for caller, request in calls), return_exceptions=True
    )
    for each in done:
        if isinstance(each, BaseException) and not isinstance(each, Refusal):
            raise each
    return Counter(each.reason if isinstance(each, Refusal) else "OK" for each in done)


async def refused(caller: Caller, request: pb.ReverseRequest) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await caller.call("Reverse", request)
    return caught.value


async def balances(caller: Caller, member: UUID) -> tuple[int, int, int, int]:
    request = pb.GetBalancesRequest(member_id=str(member))
    found = (await caller.call("GetBalances", request)).balances
    return found.points, found.cash_minor, found.bonus_minor, found.points_debt


async def check_books(caller: Caller, ledger_url: str, reversals: int) -> None:
    """The books balance, and what checkouts say of their reversals is what reversals say."""
    books = await caller.call("VerifyBooks", pb.VerifyBooksRequest())
    assert books.balanced
    assert books.reversals == reversals
    with psycopg.connect(ledger_url) as connection:
        assert connection.execute(_DIFFERING).fetchone() == (0,)


def test_a_purchase_is_reversed_part_by_part_until_nothing_is_left(
    serve: Serve, ledger_url: str
) -> None:
    async def refund() -> None:
        async with serve() as points:
            caller, member, dinner = points.caller(), uuid4(), uuid4()
            await caller.call("TopUp", top_up(member, 100_000))
            await caller.call("Post", post(purchase(member, 50_000)))
            before = await balances(caller, member)
            bought = purchase(member, 30_001, points=300, stored=11_000, tier="GOLD")
            await caller.call("Post", post(bought, dinner))
            answers = [
                await caller.call("Reverse", reverse(member, dinner, amount=amount))
                for amount in (1, 9_999, 20_000, None)
            ]
            assert [each.amount_minor for each in answers] == [1, 9_999, 20_000, 1]
            assert [each.left_minor for each in answers] == [30_000, 20_001, 1, 0]
            assert [each.whole for each in answers] == [False, False, False, True]
            for each in answers:
                assert each.amount_minor == (
                    each.points_value_minor
                    + each.cash_restored_minor
                    + each.bonus_restored_minor
                    + each.money_minor
                )
            assert sum(each.money_minor for each in answers) == 30_001 - 300 - 11_000
            assert await balances(caller, member) == before
            refusal = await refused(caller, reverse(member, dinner, amount=1))
            assert refusal.reason == "ALREADY_REVERSED"
            await check_books(points.caller("operator"), ledger_url, 4)

    asyncio.run(refund())


def test_a_repeated_reversal_answers_the_same_and_another_amount_is_another_request(
    serve: Serve,
) -> None:
    async def repeat() -> None:
        async with serve() as points:
            caller, member, dinner = points.caller(), uuid4(), uuid4()
            await caller.call("Post", post(purchase(member, 10_000), dinner))
            request = reverse(member, dinner, amount=2_500)
            first = await caller.call("Reverse", request)
            assert await caller.call("Reverse", request) == first
            request.amount_minor = 2_501
            refusal = await refused(caller, request)
            assert (refusal.reason, refusal.metadata["field"]) == (
                "REQUEST_ID_REUSED",
                "amount_minor",
            )
            too_much = reverse(member, dinner, amount=7_501)
            refusal = await refused(caller, too_much)
            assert refusal.reason == "REVERSAL_EXCEEDS_CHECKOUT"
            assert refusal.metadata["left_minor"] == "7500"
            await caller.call("Reverse", reverse(member, dinner))
            assert (await refused(caller, too_much)).reason == "REVERSAL_EXCEEDS_CHECKOUT"

    asyncio.run(repeat())


@pytest.mark.parametrize("amount", [0, -1, 100_000_000_000_001])
def test_an_amount_that_is_none_is_refused_by_its_field(serve: Serve, amount: int) -> None:
    async def ask() -> None:
        async with serve() as points:
            refusal = await refused(points.caller(), reverse(uuid4(), uuid4(), amount=amount))
            assert refusal.reason == "INVALID_FIELD"
            assert [each.field for each in refusal.fields] == ["amount_minor"]

    asyncio.run(ask())


async def let_nobody_owe(operator: Caller) -> None:
    programme = (await operator.call("GetProgramme", pb.GetProgrammeRequest())).programme
    assert programme.clawback == programme_pb2.CLAWBACK_COLLECT
    programme.clawback = programme_pb2.CLAWBACK_REFUSE
    programme.valid_from.FromDatetime(datetime.now(UTC))
    request = pb.PublishProgrammeRequest(request_id=request_id(), programme=programme)
    await operator.call("PublishProgramme", request)


def test_a_programme_may_refuse_what_would_leave_a_debt(serve: Serve) -> None:
    async def refuse() -> None:
        async with serve() as points:
            caller, member, dinner = points.caller(), uuid4(), uuid4()
            await let_nobody_owe(points.caller("operator"))
            await caller.call("Post", post(purchase(member, 30_000), dinner))
            await caller.call("Post", post(purchase(member, 250, points=250)))
            refusal = await refused(caller, reverse(member, dinner))
            assert refusal.reason == "EARNED_POINTS_SPENT"
            assert refusal.metadata["missing_points"] == "250"
            assert (await caller.call("Reverse", reverse(member, dinner, amount=5_000))).left_minor
            assert await balances(caller, member) == (0, 0, 0, 0)

    asyncio.run(refuse())


def test_what_no_till_was_told_of_is_undone_all_the_same_by_the_gateway_only(
    serve: Serve, ledger_url: str
) -> None:
    async def undo() -> None:
        async with serve() as points:
            caller, operator = points.caller(), points.caller("operator")
            member, dinner = uuid4(), uuid4()
            await let_nobody_owe(operator)
            await caller.call("Post", post(purchase(member, 30_000), dinner))
            await caller.call("Post", post(purchase(member, 250, points=250)))
            request = pb.UndoPostRequest(
                request_id=request_id(), member_id=str(member), checkout_id=str(dinner), place=PLACE
            )
            with pytest.raises(Refusal) as refusal:
                await operator.call("UndoPost", request)
            assert refusal.value.reason == "CALLER_NOT_ALLOWED"
            answer = await caller.call("UndoPost", request)
            undone = answer.reversal
            assert (undone.points_taken_back, undone.debt_recorded, undone.whole) == (50, 250, True)
            assert undone.reversal_id == str(dinner)
            assert await caller.call("UndoPost", request) == answer
            assert await balances(caller, member) == (0, 0, 0, 250)
            assert (await refused(caller, reverse(member, dinner))).reason == "ALREADY_REVERSED"
            await check_books(operator, ledger_url, reversals=1)

    asyncio.run(undo())


def test_a_purchase_with_another_amount_left_to_pay_than_expected_is_not_booked(
    serve: Serve,
) -> None:
    async def book() -> None:
        async with serve() as points:
            caller, member = points.caller(), uuid4()
            await caller.call("Post", post(purchase(member, 50_000)))
            wanted = post(purchase(member, 30_000, points=300))
            wanted.expected_to_pay_minor = 29_699
            with pytest.raises(Refusal) as refusal:
                await caller.call("Post", wanted)
            assert refusal.value.reason == "TO_PAY_DIFFERS"
            assert refusal.value.metadata["to_pay_minor"] == "29700"
            assert await balances(caller, member) == (500, 0, 0, 0)
            wanted.request_id, wanted.expected_to_pay_minor = request_id(), 29_700
            await caller.call("Post", wanted)
            free = post(purchase(member, 200, points=200))
            free.expected_to_pay_minor = 0
            await caller.call("Post", free)

    asyncio.run(book())


def test_of_two_replicas_reversing_the_same_checkouts_each_is_reversed_once(
    serve: Serve, ledger_url: str
) -> None:
    async def race() -> None:
        async with serve() as one, serve() as other:
            callers = [one.caller(), other.caller()]
            members = [uuid4() for _ in range(40)]
            dinners = [(members[at % 40], uuid4()) for at in range(CHECKOUTS)]
            items = [
                pb.BatchPostItem(request=post(purchase(member, 10_000), dinner))
                for member, dinner in dinners
            ]
            for at in range(0, CHECKOUTS, 250):
                batch = pb.BatchPostRequest(items=items[at : at + 250])
                await callers[0].call("BatchPost", batch)
            twice = [
                (caller, reverse(member, dinner))
                for member, dinner in dinners
                for caller in callers
            ]
            assert await outcomes(twice) == {"OK": CHECKOUTS, "ALREADY_REVERSED": CHECKOUTS}
            assert {await balances(callers[0], member) for member in members} == {(0, 0, 0, 0)}
            await check_books(one.caller("operator"), ledger_url, CHECKOUTS)

    asyncio.run(race())


def test_of_many_parts_reversed_at_once_those_that_fit_into_the_bill_succeed(
    serve: Serve, ledger_url: str
) -> None:
    async def race() -> None:
        async with serve() as one, serve() as other:
            callers = [one.caller(), other.caller()]
            member, dinner = uuid4(), uuid4()
            await callers[0].call("TopUp", top_up(member, 50_000))
            bought = purchase(member, 10_050, stored=5_000)
            await callers[0].call("Post", post(bought, dinner))
            parts = [(callers[at % 2], reverse(member, dinner, amount=1_000)) for at in range(32)]
            assert await outcomes(parts) == {"OK": 10, "REVERSAL_EXCEEDS_CHECKOUT": 22}
            last = await callers[1].call("Reverse", reverse(member, dinner))
            assert (last.amount_minor, last.whole) == (50, True)
            assert await balances(callers[0], member) == (0, 50_000, 3_000, 0)
            await check_books(one.caller("operator"), ledger_url, 11)

    asyncio.run(race())


@pytest.mark.parametrize(
    "change",
    [
        "reversed_minor = bill_minor + 1, cash_restored_minor = cash_restored_minor + 1",
        "reversed_minor = bill_minor",
        "state = 'REVERSED', resolved_at = now()",
        "reversed_minor = NULL",
        "points_value_restored_minor = points_value_restored_minor + 1",
        "cash_restored_minor = -1",
    ],
)
def test_the_database_refuses_more_back_than_was_paid(
    change: str, serve: Serve, ledger_url: str
) -> None:
    async def reverse_a_part() -> None:
        async with serve() as points:
            caller, member, dinner = points.caller(), uuid4(), uuid4()
            await caller.call("Post", post(purchase(member, 10_000), dinner))
            await caller.call("Reverse", reverse(member, dinner, amount=1_000))

    asyncio.run(reverse_a_part())
    with psycopg.connect(ledger_url) as connection, pytest.raises(CheckViolation):
        connection.execute(f"UPDATE checkouts SET {change}")


_FORGET = """
ALTER TABLE checkouts DROP COLUMN reversed_minor, DROP COLUMN points_restored,
    DROP COLUMN points_value_restored_minor, DROP COLUMN cash_restored_minor,
    DROP COLUMN bonus_restored_minor, DROP CONSTRAINT IF EXISTS checkouts_returned_whole,
    DROP CONSTRAINT IF EXISTS checkouts_returned_within_bill,
    DROP CONSTRAINT IF EXISTS checkouts_reversed_when_all_is;
ALTER TABLE reversals DROP COLUMN amount_minor, DROP COLUMN points_value_minor,
    DROP COLUMN money_minor
"""


def test_what_was_reversed_wholly_before_there_were_parts_is_known_as_such(
    serve: Serve, ledger_url: str
) -> None:
    async def reverse_one() -> None:
        async with serve() as points:
            caller, member = points.caller(), uuid4()
            await caller.call("TopUp", top_up(member, 50_000))
            await caller.call("Post", post(purchase(member, 50_000)))
            dinner = uuid4()
            bought = purchase(member, 10_050, points=200, stored=5_000)
            await caller.call("Post", post(bought, dinner))
            await caller.call("Reverse", reverse(member, dinner))

    columns = "reversed_minor, points_value_restored_minor, points_restored, cash_restored_minor"
    asked = f"SELECT {columns} FROM checkouts ORDER BY checkout_id"
    asyncio.run(reverse_one())
    migration = import_module("services.points.storage.migrations.versions.0005_reversals")
    with psycopg.connect(ledger_url) as connection:
        before = connection.execute(asked).fetchall()
        connection.execute(_FORGET)
        for script in ("RETURNED", "REVERSALS", "BACKFILL", "CHECKED"):
            connection.execute(getattr(migration, script))
        assert connection.execute(asked).fetchall() == before
        assert connection.execute(_DIFFERING).fetchone() == (0,)
