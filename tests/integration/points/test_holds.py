"""Holds through the real server: authorised, captured, released and timed out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from huitouke.points.v1 import books_pb2, entry_pb2, events_pb2, hold_pb2
from huitouke.points.v1 import points_service_pb2 as pb

from chassis.clock import ManualClock
from services.points.jobs.expiring import EXPIRING
from services.points.jobs.walking import Job
from tests.integration.points.conftest import Serve
from tests.integration.points.requests import (
    authorize,
    cancel,
    capture,
    post,
    purchase,
    release,
    reverse,
    top_up,
)
from tests.integration.points.running import Caller, Points
from tests.integration.points.test_checkouts import refused
from tests.integration.points.test_expiry import events_of

SPRING = datetime(2026, 3, 10, 4, tzinfo=UTC)


async def guest(caller: Caller, now: datetime | None = None) -> UUID:
    """A member with 500 points and stored value of 100,000 with a gift of 10,000."""
    member = uuid4()
    await caller.call("TopUp", top_up(member, 100_000))
    await caller.call("Post", post(purchase(member, 50_000, occurred_at=now)))
    return member


async def state(caller: Caller, member: UUID, hold_id: UUID) -> str:
    """Where a hold stands, as GetHold answers it."""
    request = hold_pb2.GetHoldRequest(member_id=str(member), hold_id=str(hold_id))
    hold = (await caller.call("GetHold", request)).hold
    return hold_pb2.HoldState.Name(hold.state).removeprefix("HOLD_STATE_")


async def read(caller: Caller, member: UUID) -> pb.GetBalancesResponse:
    request = pb.GetBalancesRequest(member_id=str(member))
    answer: pb.GetBalancesResponse = await caller.call("GetBalances", request)
    return answer


async def balanced(points: Points) -> bool:
    books = await points.caller("operator").call("VerifyBooks", pb.VerifyBooksRequest())
    return bool(books.balanced)


def kinds(url: str, member: UUID) -> list[str]:
    """The member's events in order, by name; their versions have no gap."""
    events = events_of(url, member)
    assert [version for version, _, _ in events] == list(range(1, len(events) + 1))
    return [kind.rpartition(".")[2] for _, kind, _ in events]


def test_a_direct_hold_is_authorised_shown_captured_in_part_and_reversed(
    serve: Serve, ledger_url: str
) -> None:
    async def stay() -> None:
        async with serve() as points:
            caller = points.caller()
            member, hold_id = await guest(caller), uuid4()
            request = authorize(member, hold_id, 300, 22_000, seconds=3600)
            held = await caller.call("AuthorizeHold", request)
            assert await caller.call("AuthorizeHold", request) == held
            assert (held.points, held.cash_minor, held.bonus_minor) == (300, 20_000, 2_000)
            assert held.timeout_at.seconds - held.authorized_at.seconds == 3600
            found = await read(caller, member)
            assert found.balances == held.balances
            assert (found.balances.points, found.balances.points_held) == (500, 300)
            available = found.available
            assert (available.points, available.cash_minor, available.bonus_minor) == (
                200, 80_000, 8_000,
            )  # fmt: skip
            listed = await caller.call(
                "ListOpenHolds", hold_pb2.ListOpenHoldsRequest(member_id=str(member))
            )
            assert [hold.hold_id for hold in listed.holds] == [str(hold_id)]
            assert await balanced(points)

            done = await caller.call("CaptureHold", capture(member, hold_id, 100, 5_500))
            assert (done.points_captured, done.cash_captured_minor) == (100, 5_000)
            assert (done.points_released, done.bonus_released_minor) == (200, 1_500)
            assert done.balances.points_held == 0
            assert await state(caller, member, hold_id) == "CAPTURED"
            page = await caller.call("ListEntries", pb.ListEntriesRequest(member_id=str(member)))
            assert page.entries[0].kind == entry_pb2.ENTRY_KIND_CAPTURE
            assert page.entries[0].reference_id == str(hold_id)
            books = await points.caller("operator").call("VerifyBooks", pb.VerifyBooksRequest())
            assert books.balanced
            assert books.checkouts_posted == 1

            undone = await caller.call("Reverse", reverse(member, hold_id))
            assert (undone.points_restored, undone.cash_restored_minor) == (100, 5_000)
            assert undone.balances.points == 500
            assert await balanced(points)
            assert kinds(ledger_url, member)[2:] == [
                "HoldAuthorized", "HoldCaptured", "CheckoutReversed",
            ]  # fmt: skip

    asyncio.run(stay())


def test_a_checkout_is_posted_out_of_its_hold_as_quoted_and_settled_the_same(
    serve: Serve, ledger_url: str
) -> None:
    async def dine() -> None:
        async with serve() as points:
            caller = points.caller()
            member, checkout, hold_id = await guest(caller), uuid4(), uuid4()
            other = authorize(member, uuid4(), 100)
            await caller.call("AuthorizeHold", other)
            request = authorize(member, hold_id, 400, 110_000, checkout_id=checkout)
            held = await caller.call("AuthorizeHold", request)
            assert not held.HasField("timeout_at")
            bought = purchase(member, 80_000, points=300, stored=55_000)
            refusal = await refused(caller, "Post", post(bought, checkout))
            assert refusal.reason == "CHECKOUT_HAS_HOLD"
            quote = pb.QuoteRequest(
                purchase=bought, hold_id=str(hold_id), checkout_id=str(checkout)
            )
            quoted = (await caller.call("Quote", quote)).posted
            posted = await caller.call("Post", post(bought, checkout, hold_id=hold_id))
            assert posted.posted == quoted
            assert (quoted.cash_paid_minor, quoted.bonus_paid_minor) == (50_000, 5_000)
            assert (quoted.balances.points_held, quoted.balances.cash_held_minor) == (100, 0)
            settled = await caller.call("CancelPost", cancel(member, checkout))
            assert settled.posted == posted
            assert await state(caller, member, hold_id) == "CAPTURED"
            event = events_pb2.CheckoutPosted.FromString(events_of(ledger_url, member)[-1][2])
            assert (event.hold_id, event.posted) == (str(hold_id), quoted)
            undone = await caller.call("Reverse", reverse(member, checkout))
            assert (undone.points_restored, undone.bonus_restored_minor) == (300, 5_000)
            assert await balanced(points)

    asyncio.run(dine())


def test_cancelling_a_checkout_releases_its_hold_in_one_and_fences_a_late_one(
    serve: Serve, ledger_url: str
) -> None:
    async def doubt() -> None:
        async with serve() as points:
            caller = points.caller()
            member, checkout, hold_id = await guest(caller), uuid4(), uuid4()
            request = authorize(member, hold_id, 400, 1_000, checkout_id=checkout)
            await caller.call("AuthorizeHold", request)
            done = await caller.call("CancelPost", cancel(member, checkout))
            assert done.HasField("cancelled")
            assert kinds(ledger_url, member)[2:] == ["HoldAuthorized", "HoldReleased"]
            assert await state(caller, member, hold_id) == "RELEASED"
            late = authorize(member, uuid4(), 1, checkout_id=checkout)
            assert (await refused(caller, "AuthorizeHold", late)).reason == "CHECKOUT_CANCELLED"
            refusal = await refused(
                caller, "Post", post(purchase(member, 1_000, points=1), checkout, hold_id=hold_id)
            )
            assert refusal.reason == "CHECKOUT_CANCELLED"

            never = uuid4()
            await caller.call("ReleaseHold", release(member, never))
            late = authorize(member, never, 1)
            assert (await refused(caller, "AuthorizeHold", late)).reason == "HOLD_RELEASED"
            assert (await read(caller, member)).available.points == 500
            assert await balanced(points)

    asyncio.run(doubt())


def test_a_timeout_is_exact_for_reads_quotes_and_captures_and_the_job_notes_it(
    serve: Serve, ledger_url: str
) -> None:
    clock = ManualClock(SPRING)

    async def wait() -> None:
        async with serve(clock=clock) as points:
            caller = points.caller()
            member, first, second = await guest(caller, clock.now()), uuid4(), uuid4()
            await caller.call("AuthorizeHold", authorize(member, first, 400, seconds=60))
            await caller.call("AuthorizeHold", authorize(member, second, 0, 5_500, seconds=90))
            clock.advance(timedelta(seconds=60) - timedelta(microseconds=1))
            assert (await read(caller, member)).available.points == 100
            clock.advance(timedelta(microseconds=1))
            assert (await read(caller, member)).available.points == 500
            assert await state(caller, member, first) == "EXPIRED"
            bought = purchase(member, 1_000, points=500, occurred_at=clock.now())
            quote = (await caller.call("Quote", pb.QuoteRequest(purchase=bought))).posted
            assert (quote.points_redeemed, quote.balances.cash_held_minor) == (500, 5_000)
            refusal = await refused(caller, "CaptureHold", capture(member, first, 1))
            assert refusal.reason == "HOLD_EXPIRED"
            assert refusal.metadata["timeout_at"] == clock.now().isoformat()
            assert (await read(caller, member)).balances.member_version == 4

            job = Job(EXPIRING, points.application.reads, points.application.executor, clock)
            assert await job.run_once() == 1
            assert await job.run_once() == 0
            clock.advance(timedelta(seconds=30))
            await caller.call("Post", post(purchase(member, 1_000, occurred_at=clock.now())))
            assert kinds(ledger_url, member)[4:] == [
                "HoldExpired", "HoldExpired", "CheckoutPosted",
            ]  # fmt: skip
            assert await job.run_once() == 0
            assert await balanced(points)

    asyncio.run(wait())


def test_a_held_lot_that_expires_stays_spendable_by_its_hold_over_its_months_end(
    serve: Serve, ledger_url: str
) -> None:
    clock = ManualClock(SPRING)

    async def hold_on() -> None:
        async with serve(clock=clock) as points:
            caller = points.caller()
            member, checkout, hold_id = await guest(caller, clock.now()), uuid4(), uuid4()
            request = authorize(member, hold_id, 400, 11_000, checkout_id=checkout)
            await caller.call("AuthorizeHold", request)
            clock.advance(timedelta(days=800))
            job = Job(EXPIRING, points.application.reads, points.application.executor, clock)
            assert await job.run_once() == 1
            found = await read(caller, member)
            assert (found.balances.points, found.available.points) == (400, 0)
            assert (found.balances.bonus_minor, found.available.bonus_minor) == (1_000, 0)
            assert await balanced(points)
            bought = purchase(member, 20_000, points=300, stored=5_500, occurred_at=clock.now())
            posted = await caller.call("Post", post(bought, checkout, hold_id=hold_id))
            assert posted.posted.balances.points == (20_000 - 300 - 500) // 100
            assert posted.posted.balances.bonus_minor == 0
            rest = events_pb2.ValueExpired.FromString(events_of(ledger_url, member)[-2][2])
            assert (rest.points, rest.bonus_minor) == (100, 500)
            assert kinds(ledger_url, member)[3:] == [
                "ValueExpired", "ValueExpired", "CheckoutPosted",
            ]  # fmt: skip
            assert await balanced(points)

    asyncio.run(hold_on())


@pytest.mark.parametrize(
    ("method", "change", "field"),
    [
        ("AuthorizeHold", {"points": 0}, ""),
        ("AuthorizeHold", {"points": -1}, "points"),
        ("AuthorizeHold", {"stored_value_minor": 10**18}, "stored_value_minor"),
        ("AuthorizeHold", {"hold_id": "7"}, "hold_id"),
        ("AuthorizeHold", {"checkout_id": "x"}, "checkout_id"),
        ("AuthorizeHold", {"timeout": timedelta(milliseconds=999)}, "timeout"),
        ("AuthorizeHold", {"timeout": timedelta(days=30, seconds=1)}, "timeout"),
        ("AuthorizeHold", {"currency": "yuan"}, "currency"),
        ("CaptureHold", {"points": 0}, ""),
        ("CaptureHold", {"place": None}, "place"),
        ("ReleaseHold", {"member_id": ""}, "member_id"),
    ],
)
def test_a_field_that_breaks_a_rule_is_named_and_nothing_changes(
    serve: Serve, method: str, change: dict[str, object], field: str
) -> None:
    async def ask() -> None:
        async with serve() as points:
            caller, member, hold_id = points.caller(), uuid4(), uuid4()
            good: dict[str, Any] = {
                "AuthorizeHold": authorize(member, hold_id, 1),
                "CaptureHold": capture(member, hold_id, 1),
                "ReleaseHold": release(member, hold_id),
            }
            request = good[method]
            for name, value in change.items():
                request.ClearField(name)
                if isinstance(value, timedelta):
                    request.timeout.FromTimedelta(value)
                elif value is not None:
                    setattr(request, name, value)
            refusal = await refused(caller, method, request)
            assert refusal.reason == "INVALID_FIELD"
            assert field in [each.field for each in refusal.fields]
            unknown = hold_pb2.GetHoldRequest(member_id=str(uuid4()), hold_id=str(hold_id))
            assert (await refused(caller, "GetHold", unknown)).reason == "HOLD_NOT_FOUND"

    asyncio.run(ask())


def test_what_has_nothing_to_do_with_holds_never_asks_for_them(
    serve: Serve, ledger_url: str
) -> None:
    async def spend() -> None:
        async with serve() as points:
            caller, dinner = points.caller(), uuid4()
            with psycopg.connect(ledger_url) as connection:
                connection.execute("ALTER TABLE holds RENAME TO hidden")
                connection.execute("ALTER TABLE hold_lots RENAME TO hidden_lots")
            member = await guest(caller)
            bought = purchase(member, 50_000, points=200, stored=1_000)
            await caller.call("Post", post(bought, dinner))
            await caller.call("Reverse", reverse(member, dinner))
            await caller.call("CancelPost", cancel(member, uuid4()))
            assert (await read(caller, member)).available.points == 500

    asyncio.run(spend())


def test_what_is_held_differently_than_pinned_names_its_member(
    serve: Serve, ledger_url: str
) -> None:
    async def verify() -> None:
        async with serve() as points:
            caller = points.caller()
            members = [await guest(caller) for _ in range(5)]
            for member in members:
                await caller.call("AuthorizeHold", authorize(member, uuid4(), 100, 1_100))
            operator = points.caller("operator")
            books = await operator.call("VerifyBooks", pb.VerifyBooksRequest())
            assert books.balanced
            assert [asset.held for asset in books.assets] == [500, 5_000, 500]
            with psycopg.connect(ledger_url) as connection:
                for member, change in zip(
                    members,
                    (
                        "UPDATE members SET points_held = points_held + 1",
                        "UPDATE lots SET held = held - 1",
                        "UPDATE hold_lots SET amount = amount - 1",
                        "UPDATE members SET next_hold_timeout = now()",
                        "DELETE FROM hold_lots",
                    ),
                    strict=True,
                ):
                    held = " AND held > 0" if "lots SET held" in change else ""
                    connection.execute(f"{change} WHERE member_id = %s{held}".encode(), (member,))
            books = await operator.call("VerifyBooks", pb.VerifyBooksRequest())
            assert not books.balanced
            assert sorted(books.differing_member_ids) == sorted(map(str, members))
            found = {
                books_pb2.BookDifferenceKind.Name(each.kind).removeprefix("BOOK_DIFFERENCE_KIND_")
                for each in books.differences
            }
            assert found == {"HELD", "LOT_HELD", "HOLD", "OPEN_HOLDS"}

    asyncio.run(verify())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE holds SET points_captured = points + 1, state = 'CAPTURED', resolved_at = now()",
        "UPDATE holds SET state = 'RELEASED'",
        "UPDATE holds SET state = 'EXPIRED', resolved_at = now()",
        "UPDATE holds SET state = 'OPEN', resolved_at = NULL WHERE state <> 'OPEN'",
        "DELETE FROM holds",
        "UPDATE lots SET held = remaining + 1",
        "UPDATE lots SET held = -1",
        "UPDATE members SET points_held = points + 1",
        "UPDATE members SET open_holds = 0",
        "UPDATE hold_lots SET amount = 0",
    ],
)
def test_the_database_itself_refuses_what_a_hold_must_never_be(
    serve: Serve, ledger_url: str, statement: str
) -> None:
    async def hold_some() -> None:
        async with serve() as points:
            caller = points.caller()
            member, released = await guest(caller), uuid4()
            await caller.call("AuthorizeHold", authorize(member, uuid4(), 100))
            await caller.call("AuthorizeHold", authorize(member, released, 100))
            await caller.call("ReleaseHold", release(member, released))

    asyncio.run(hold_some())
    with psycopg.connect(ledger_url) as connection, pytest.raises(psycopg.errors.IntegrityError):
        connection.execute(statement.encode())
