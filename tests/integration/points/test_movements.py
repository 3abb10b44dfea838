"""Movements over gRPC on PostgreSQL: answered, remembered, told, and kept by the database too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from google.protobuf.message import Message
from huitouke.points.v1 import entry_pb2, events_pb2, movement_pb2
from huitouke.points.v1 import movement_service_pb2 as moving
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.type.v1 import tender_kind_pb2

from chassis.clock import ManualClock
from chassis.kernel import Refusal
from tests.integration.points.conftest import Serve
from tests.integration.points.movement_requests import (
    adjust,
    approve,
    put_group,
    quote_withdrawal,
    refund_top_up,
    reject,
    transfer,
    withdraw,
)
from tests.integration.points.requests import post, purchase, top_up
from tests.integration.points.running import Caller
from tests.unit.points.worlds import START


async def refused(caller: Caller, method: str, request: Any) -> Refusal:
    """The refusal of a call."""
    try:
        await caller.call(method, request)
    except Refusal as refusal:
        return refusal
    raise AssertionError(f"{method} was answered")


def told(url: str, kind: type[Message]) -> list[Any]:
    """The events of a kind in the outbox, in their order."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT payload FROM outbox WHERE type = %s ORDER BY seq", (kind.DESCRIPTOR.full_name,)
        ).fetchall()
    return [kind.FromString(bytes(payload)) for (payload,) in rows]


def with_operator(
    serve: Serve, story: Callable[[Caller], Awaitable[None]], clock: ManualClock | None = None
) -> None:
    """Run a story told by an operator, after which the books must balance."""

    async def run() -> None:
        async with serve(clock=clock) as points:
            operator = points.caller("operator")
            await story(operator)
            assert (await operator.call("VerifyBooks", pb.VerifyBooksRequest())).balanced

    asyncio.run(run())


def test_points_go_from_one_member_of_a_family_to_another(serve: Serve, ledger_url: str) -> None:
    mother, son, group = uuid4(), uuid4(), uuid4()

    async def story(operator: Caller) -> None:
        await operator.call("Post", post(purchase(mother, 50_000)))
        stranger = await refused(operator, "TransferPoints", transfer(mother, son, 200))
        assert stranger.reason == "NOT_IN_ONE_GROUP"
        made = await operator.call("PutTransferGroup", put_group(group, mother, son))
        by_member = moving.GetTransferGroupRequest(member_id=str(son))
        assert (await operator.call("GetTransferGroup", by_member)).group == made.group
        by_id = moving.GetTransferGroupRequest(group_id=str(group))
        assert (await operator.call("GetTransferGroup", by_id)).group == made.group

        request = transfer(mother, son, 200)
        done = await operator.call("TransferPoints", request)
        assert (done.points, done.balances.points, done.balances.member_version) == (200, 300, 2)
        assert await operator.call("TransferPoints", request) == done
        other = transfer(mother, son, 200, UUID(request.transfer_id))
        assert (await refused(operator, "TransferPoints", other)).reason == "TRANSFER_EXISTS"
        received = await operator.call("GetBalances", pb.GetBalancesRequest(member_id=str(son)))
        assert (received.balances.points, received.balances.next_expiry) == (
            200,
            done.balances.next_expiry,
        )
        listed = await operator.call("ListEntries", pb.ListEntriesRequest(member_id=str(son)))
        assert [(each.kind, each.points, each.reference_id) for each in listed.entries] == [
            (entry_pb2.ENTRY_KIND_TRANSFER, 200, request.transfer_id)
        ]
        limit = await refused(operator, "TransferPoints", transfer(mother, son, 20_001))
        assert limit.metadata["period"] == "TRANSFER"

        await operator.call("PutTransferGroup", put_group(group, revision=1))
        gone = moving.GetTransferGroupRequest(member_id=str(son))
        assert (await refused(operator, "GetTransferGroup", gone)).reason == (
            "TRANSFER_GROUP_NOT_FOUND"
        )

    with_operator(serve, story)
    out, came_in = told(ledger_url, events_pb2.PointsTransferred)
    assert (out.member_id, out.direction) == (str(mother), movement_pb2.TRANSFER_DIRECTION_OUT)
    assert (came_in.member_id, came_in.balances.member_version) == (str(son), 1)


def test_an_adjustment_above_the_limit_waits_for_a_second_person(
    serve: Serve, ledger_url: str
) -> None:
    member = uuid4()

    async def story(operator: Caller) -> None:
        small = await operator.call("AdjustBalance", adjust(member, 10_000))
        assert small.state == movement_pb2.ADJUSTMENT_STATE_BOOKED
        assert small.balances.points == 10_000
        large = adjust(member, 1, by="s-001")
        waits = await operator.call("AdjustBalance", large)
        assert waits.state == movement_pb2.ADJUSTMENT_STATE_PENDING_APPROVAL
        assert not waits.HasField("booked_at")
        assert await operator.call("AdjustBalance", large) == waits
        pending = moving.ListAdjustmentsRequest(
            state=movement_pb2.ADJUSTMENT_STATE_PENDING_APPROVAL
        )
        (shown,) = (await operator.call("ListAdjustments", pending)).adjustments
        assert (shown.adjustment_id, shown.requested_by) == (large.adjustment_id, "S-001")
        own = await refused(
            operator, "ApproveAdjustment", approve(member, large.adjustment_id, by="S-001")
        )
        assert own.reason == "SECOND_PERSON_REQUIRED"
        other = approve(member, large.adjustment_id)
        done = await operator.call("ApproveAdjustment", other)
        assert done.balances.points == 10_001
        assert await operator.call("ApproveAdjustment", other) == done
        again = await refused(operator, "RejectAdjustment", reject(member, large.adjustment_id))
        assert again.metadata["state"] == "BOOKED"
        no = adjust(member, -10_001)
        await operator.call("AdjustBalance", no)
        await operator.call("RejectAdjustment", reject(member, no.adjustment_id))
        assert not (await operator.call("ListAdjustments", pending)).adjustments
        short = await refused(operator, "AdjustBalance", adjust(member, -5, "CASH"))
        assert short.reason == "INSUFFICIENT_STORED_VALUE"

    with_operator(serve, story)
    first, second = told(ledger_url, events_pb2.BalanceAdjusted)
    assert (first.amount, first.approved_by) == (10_000, "")
    assert (second.requested_by, second.approved_by) == ("S-001", "S-002")


def test_adjustments_are_listed_page_by_page(serve: Serve) -> None:
    async def story(operator: Caller) -> None:
        made = [adjust(uuid4(), 10_001 + at) for at in range(5)]
        for each in made:
            await operator.call("AdjustBalance", each)
        request = moving.ListAdjustmentsRequest(
            state=movement_pb2.ADJUSTMENT_STATE_PENDING_APPROVAL, page_size=2
        )
        seen = []
        for _ in range(3):
            page = await operator.call("ListAdjustments", request)
            seen += [each.adjustment_id for each in page.adjustments]
            request.page_token = page.next_page_token
        assert seen == sorted(each.adjustment_id for each in made)
        assert not request.page_token
        request.page_token = "AAAA"
        assert (await refused(operator, "ListAdjustments", request)).reason == "PAGE_TOKEN_INVALID"

    with_operator(serve, story)


def test_a_withdrawal_does_what_its_quote_said(serve: Serve, ledger_url: str) -> None:
    member = uuid4()

    async def story(operator: Caller) -> None:
        await operator.call("TopUp", top_up(member, 100_000))
        await operator.call("Post", post(purchase(member, 55_000, stored=55_000)))
        everything = await operator.call("QuoteWithdrawal", quote_withdrawal(member, 0))
        assert everything.withdrawal.paid_out_minor == 50_000
        quoted = await operator.call("QuoteWithdrawal", quote_withdrawal(member, 33_333))
        request = withdraw(member, 33_333)
        done = await operator.call("WithdrawStoredValue", request)
        assert done.withdrawal == quoted.withdrawal
        assert done.withdrawal.bonus_taken_back_minor == 3_334
        assert await operator.call("WithdrawStoredValue", request) == done
        rest = await operator.call("WithdrawStoredValue", withdraw(member, 16_667))
        assert rest.withdrawal.bonus_taken_back_minor == 1_666
        assert rest.withdrawal.balances.cash_minor == rest.withdrawal.balances.bonus_minor == 0
        nothing = await refused(operator, "QuoteWithdrawal", quote_withdrawal(uuid4(), 0))
        assert nothing.reason == "INSUFFICIENT_CASH"
        twice = withdraw(member, 1, UUID(request.withdrawal_id))
        assert (await refused(operator, "WithdrawStoredValue", twice)).reason == (
            "WITHDRAWAL_EXISTS"
        )

    with_operator(serve, story)
    first, _ = told(ledger_url, events_pb2.StoredValueWithdrawn)
    assert (first.currency, first.withdrawal.paid_out_minor) == ("CNY", 33_333)


def test_gift_that_staff_took_away_is_not_asked_for_again_by_a_withdrawal(serve: Serve) -> None:
    member = uuid4()

    async def story(operator: Caller) -> None:
        await operator.call("TopUp", top_up(member, 100_000))
        await operator.call("AdjustBalance", adjust(member, -7_000, "BONUS"))
        done = await operator.call("WithdrawStoredValue", withdraw(member, 100_000))
        assert done.withdrawal.paid_out_minor == 100_000
        assert done.withdrawal.bonus_taken_back_minor == 3_000

    with_operator(serve, story)


def test_a_top_up_goes_back_once_by_the_tender_it_was_paid_with(
    serve: Serve, ledger_url: str
) -> None:
    member, clock = uuid4(), ManualClock(START)

    async def story(operator: Caller) -> None:
        silent, paid = top_up(member, 1_000), top_up(member, 100_000)
        paid.tender = tender_kind_pb2.TENDER_KIND_ALIPAY
        for each in (silent, paid):
            await operator.call("TopUp", each)
        request = refund_top_up(member, paid.top_up_id)
        done = await operator.call("RefundTopUp", request)
        assert (done.tender, done.cash_refunded_minor) == (paid.tender, 100_000)
        assert (done.balances.cash_minor, done.balances.bonus_minor) == (1_000, 0)
        assert await operator.call("RefundTopUp", request) == done
        again = await refused(operator, "RefundTopUp", refund_top_up(member, paid.top_up_id))
        assert again.reason == "TOP_UP_REFUNDED"
        done = await operator.call("RefundTopUp", refund_top_up(member, silent.top_up_id))
        assert done.tender == tender_kind_pb2.TENDER_KIND_UNSPECIFIED
        late = top_up(member, 1_000)
        await operator.call("TopUp", late)
        clock.advance(timedelta(days=7, seconds=1))
        refusal = await refused(operator, "RefundTopUp", refund_top_up(member, late.top_up_id))
        assert refusal.reason == "TOP_UP_TOO_OLD"

    with_operator(serve, story, clock)
    assert [each.tender for each in told(ledger_url, events_pb2.TopUpRefunded)] == [4, 0]


WRONG_FIELDS: dict[str, Any] = {
    "points": transfer(uuid4(), uuid4(), 0),
    "note": transfer(uuid4(), uuid4(), 1),
    "reason_text": adjust(uuid4(), 1),
    "reason_code": adjust(uuid4(), 1),
    "amount": adjust(uuid4(), 0),
    "amount_minor": withdraw(uuid4(), 0),
    "tender": withdraw(uuid4(), 1),
    "member_ids": put_group(uuid4(), *(uuid4() for _ in range(51))),
    "place.time_zone": refund_top_up(uuid4(), uuid4()),
}
WRONG_FIELDS["note"].note = "a\0b"
WRONG_FIELDS["reason_text"].reason_text = "a\0b"
WRONG_FIELDS["reason_code"].reason_code = "goodwill"
WRONG_FIELDS["tender"].tender = 0
WRONG_FIELDS["place.time_zone"].place.time_zone = "Asia/Nowhere"


def test_a_wrong_field_is_named_and_changes_nothing(serve: Serve) -> None:
    async def story(operator: Caller) -> None:
        for field, request in WRONG_FIELDS.items():
            method = type(request).__name__.removesuffix("Request")
            refusal = await refused(operator, method, request)
            assert refusal.reason == "INVALID_FIELD", field
            assert [each.field for each in refusal.fields] == [field]

    with_operator(serve, story)


def test_only_operators_adjust(serve: Serve) -> None:
    async def story() -> None:
        async with serve() as points:
            gateway = points.caller()
            for method, request in (
                ("AdjustBalance", adjust(uuid4(), 1)),
                ("ApproveAdjustment", approve(uuid4(), str(uuid4()))),
                ("RejectAdjustment", reject(uuid4(), str(uuid4()))),
            ):
                assert (await refused(gateway, method, request)).reason == "CALLER_NOT_ALLOWED"

    asyncio.run(story())


WRONG = (
    "UPDATE adjustments SET decided_by = requested_by",
    "UPDATE adjustments SET reason_text = 'another'",
    "DELETE FROM adjustments",
    "UPDATE transfers SET points = 1",
    "UPDATE withdrawals SET paid_out_minor = 1",
    "DELETE FROM top_up_refunds",
    "UPDATE top_ups SET withdrawn_minor = cash_minor + 1",
    "INSERT INTO transfer_group_members SELECT member_id, group_id FROM transfer_group_members",
    "INSERT INTO adjustments SELECT gen_random_uuid(), member_id, asset, amount, reason_code, "
    "reason_text, 'S1', requested_at, 'BOOKED', 's1', requested_at, 9 FROM adjustments",
)


def test_the_database_keeps_the_rules_of_movements_too(serve: Serve, ledger_url: str) -> None:
    mother, son = uuid4(), uuid4()

    async def story(operator: Caller) -> None:
        await operator.call("PutTransferGroup", put_group(uuid4(), mother, son))
        await operator.call("AdjustBalance", adjust(mother, 100))
        await operator.call("TransferPoints", transfer(mother, son, 10))
        sold = top_up(mother, 1_000)
        await operator.call("TopUp", sold)
        await operator.call("RefundTopUp", refund_top_up(mother, sold.top_up_id))
        await operator.call("TopUp", top_up(mother, 1_000))
        await operator.call("WithdrawStoredValue", withdraw(mother, 1_000))

    with_operator(serve, story)
    with psycopg.connect(ledger_url, autocommit=True) as connection:
        for statement in WRONG:
            with pytest.raises(psycopg.errors.IntegrityError):
                connection.execute(statement)
