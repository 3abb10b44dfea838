"""Dry runs over recorded history: no difference by what is in force, the whole one by a draft."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from huitouke.points.v1 import programme_pb2
from huitouke.points.v1 import programme_service_pb2 as pb
from huitouke.type.v1 import season_pb2

from chassis.kernel import Refusal
from tests.integration.points.conftest import Serve
from tests.integration.points.drafting import bonus, draft, publish
from tests.integration.points.requests import post, purchase, reverse, top_up
from tests.integration.points.running import Caller, Points


def trying(**subject: Any) -> pb.DryRunProgrammeRequest:
    """A dry run over the last hour."""
    request = pb.DryRunProgrammeRequest(**subject)
    request.posted_from.FromDatetime(datetime.now(UTC) - timedelta(hours=1))
    request.posted_until.FromDatetime(datetime.now(UTC) + timedelta(minutes=1))
    return request


async def some_history(points: Points) -> list[UUID]:
    """Members with dinners of all kinds: capped, tiered, tendered, pending, reversed, broken."""
    caps = programme_pb2.Caps(per_member_day=90, per_member=140)
    await publish(
        points.caller("operator"),
        bonus("CAPPED", 40, caps=caps),
        bonus("GIFT", 5, pending=programme_pb2.Pending(days=9)),
        bonus("BROKEN", 5, expression="bill_minor / nights > 1"),
        bonus("WELCOME", 100, first_purchase_only=True),
        since=datetime(2020, 1, 1, tzinfo=UTC),
    )
    caller, members = points.caller(), [uuid4() for _ in range(6)]
    for at, member in enumerate(members):
        tier = ("CLASSIC", "GOLD", "PLATINUM")[at % 3]
        await caller.call("TopUp", top_up(member, 60_000))
        for number in range(4):
            lines = [333 + 7_001 * number, 12_345, 99]
            bought = purchase(member, *lines, tier=tier, stored=1_234 * number)
            bought.occurred_at.FromDatetime(datetime.now(UTC) - timedelta(days=number % 2))
            await caller.call("Post", post(bought, UUID(int=member.int // 8 + number)))
            if number == 1:
                gone = UUID(int=member.int // 8)
                await caller.call("Reverse", reverse(member, gone))
    return members


async def last(operator: Caller, request: pb.DryRunProgrammeRequest) -> Any:
    responses = await operator.stream("DryRunProgramme", request)
    assert [each.done for each in responses] == [False] * (len(responses) - 1) + [True]
    return responses[-1]


def test_the_version_in_force_makes_no_difference_to_what_it_decided(serve: Serve) -> None:
    async def dry_run() -> None:
        async with serve() as points:
            await some_history(points)
            found = await last(points.caller("operator"), trying(version=2))
            assert found.complete
            assert (found.checkouts, found.checkouts_changed) == (24, 0)
            assert found.points_recorded == found.points_tried > 0
            for rule in found.rules:
                assert rule.points_recorded == rule.points_tried
                assert rule.checkouts_recorded == rule.checkouts_tried
            assert {rule.rule_code: rule.faults for rule in found.rules}["BROKEN"] == 24
            assert not found.examples

    asyncio.run(dry_run())


def test_a_range_that_begins_amid_a_cap_knows_where_the_cap_stood(serve: Serve) -> None:
    async def dry_run() -> None:
        async with serve() as points:
            member, caller, operator = uuid4(), points.caller(), points.caller("operator")
            caps = programme_pb2.Caps(per_member=100)
            await publish(operator, bonus("CAPPED", 40, caps=caps))
            early, middle = uuid4(), datetime.now(UTC)
            for number in range(4):
                if number == 2:
                    middle = datetime.now(UTC)
                    await caller.call("Reverse", reverse(member, early))
                dinner = early if number == 0 else uuid4()
                await caller.call("Post", post(purchase(member, 90), dinner))
            request = trying(version=2)
            request.posted_from.FromDatetime(middle)
            found = await last(operator, request)
            assert (found.checkouts, found.checkouts_changed) == (2, 0)
            assert (found.points_recorded, found.points_tried) == (60, 60)

    asyncio.run(dry_run())


def test_refunds_by_part_give_back_to_caps_in_a_dry_run_as_they_did(serve: Serve) -> None:
    async def dry_run() -> None:
        async with serve() as points:
            member, caller, operator = uuid4(), points.caller(), points.caller("operator")
            caps = programme_pb2.Caps(per_member=100)
            await publish(operator, bonus("CAPPED", 40, caps=caps))
            middle = datetime.now(UTC)
            for number in range(5):
                middle = datetime.now(UTC) if number == 2 else middle
                dinner = uuid4()
                await caller.call("Post", post(purchase(member, 1_000), dinner))
                part = reverse(member, dinner)
                part.amount_minor = 250 * (number % 3)
                if part.amount_minor:
                    await caller.call("Reverse", part)
            for posted_from in (middle, middle - timedelta(minutes=5)):
                request = trying(version=2)
                request.posted_from.FromDatetime(posted_from)
                found = await last(operator, request)
                assert (found.checkouts_changed, found.points_recorded) == (0, found.points_tried)
                assert found.checkouts == (3 if posted_from == middle else 5)

    asyncio.run(dry_run())


def test_refunds_give_back_to_caps_rule_by_rule_in_the_ledgers_order(serve: Serve) -> None:
    async def dry_run() -> None:
        async with serve() as points:
            member, caller, operator = uuid4(), points.caller(), points.caller("operator")
            caps, waits = programme_pb2.Caps(per_member=3), programme_pb2.Pending(days=9)
            await publish(
                operator,
                bonus("A_LATER", 3, caps=caps, pending=waits),
                bonus("NEXT", 3, caps=caps),
                bonus("LAST", 3, caps=caps),
            )
            first = uuid4()
            await caller.call("Post", post(purchase(member, 99), first))
            middle = datetime.now(UTC)
            part = reverse(member, first)
            part.amount_minor = 45  # 4 of 9 points: of each rule 1 1/3, the odd one of the first
            answer = await caller.call("Reverse", part)
            taken = {each.rule_code: each.points for each in answer.taken_back_by}
            assert (taken, answer.pending_cancelled) == ({"NEXT": 2, "LAST": 1}, 1)
            await caller.call("Post", post(purchase(member, 99)))
            for posted_from in (middle, middle - timedelta(minutes=5)):
                request = trying(version=2)
                request.posted_from.FromDatetime(posted_from)
                found = await last(operator, request)
                assert found.checkouts == (1 if posted_from == middle else 2)
                assert (found.checkouts_changed, found.points_recorded) == (0, found.points_tried)

    asyncio.run(dry_run())


def test_a_draft_tells_the_difference_it_would_have_made_by_rule_and_example(
    serve: Serve,
) -> None:
    async def dry_run() -> None:
        async with serve() as points:
            members, operator = await some_history(points), points.caller("operator")
            later = bonus("NEXT_MONTH", 11)
            later.valid_from.FromDatetime(datetime.now(UTC) + timedelta(days=30))
            off = bonus("OFF_SEASON", 500, seasons=[season_pb2.SEASON_OFF])
            rules = (later, off, bonus("GIFT", 7, expression="amounts.DINING > 20000"))
            made = await draft(operator, *rules)
            request = trying(draft_id=made)
            found = await last(operator, request)
            by_code = {rule.rule_code: rule for rule in found.rules}
            assert "OFF_SEASON" not in by_code
            assert "NEXT_MONTH" not in by_code
            assert (by_code["GIFT"].checkouts_recorded, by_code["GIFT"].checkouts_tried) == (24, 12)
            assert found.points_tried - found.points_recorded == 12 * 7 - 24 * 5
            assert found.checkouts_changed == 24
            assert len(found.examples) == 10
            sizes = [abs(each.points_tried - each.points_recorded) for each in found.examples]
            assert sizes == sorted(sizes, reverse=True)
            request.ignore_rule_validity = True
            found = await last(operator, request)
            by_code = {rule.rule_code: rule for rule in found.rules}
            campaign = by_code["NEXT_MONTH"]
            assert (campaign.points_tried, campaign.budget_points) == (264, 0)
            halves = sorted(members)[3]
            totals = 0
            for member_from, member_until in (("", str(halves)), (str(halves), "")):
                part = trying(draft_id=made, member_from=member_from, member_until=member_until)
                totals += (await last(operator, part)).checkouts
            assert totals == 24
            bounded = await last(operator, trying(draft_id=made, checkouts_max=8))
            assert not bounded.complete
            rest = trying(draft_id=made, member_from=bounded.next_member)
            assert bounded.checkouts + (await last(operator, rest)).checkouts == 24

    asyncio.run(dry_run())


def rules_of(found: Any) -> dict[str, Any]:
    return {rule.rule_code: rule for rule in found.rules}


async def dine(points: Points, member: UUID, checkout: UUID | None = None) -> UUID:
    """A dinner of 100 yuan; returns its id."""
    checkout = checkout or uuid4()
    bought = purchase(member, 10_000, occurred_at=datetime.now(UTC))
    await points.caller().call("Post", post(bought, checkout))
    return checkout


def test_a_total_budget_goes_to_who_came_first_and_no_further(serve: Serve) -> None:
    """30 points a dinner of 100: the fourth guest gets what is left, unless the first gave back."""

    async def dry_run() -> None:
        async with serve() as points:
            operator, guests = points.caller("operator"), [uuid4() for _ in range(6)]
            dinners = [await dine(points, guest) for guest in guests]
            made = await draft(operator, bonus("SPRING", 30, budget_points=100))
            found = await last(operator, trying(draft_id=made))
            assert (found.complete, found.checkouts, found.checkouts_changed) == (True, 6, 4)
            spring = rules_of(found)["SPRING"]
            assert (spring.points_tried, spring.checkouts_tried, spring.budget_points) == (
                100,
                4,
                100,
            )
            assert {each.checkout_id: each.points_tried - each.points_recorded
                    for each in found.examples} == {
                str(dinners[0]): 30, str(dinners[1]): 30, str(dinners[2]): 30, str(dinners[3]): 10,
            }  # fmt: skip
            await points.caller().call("Reverse", reverse(guests[0], dinners[0]))
            late = await dine(points, uuid4())
            found = await last(operator, trying(draft_id=made))
            assert rules_of(found)["SPRING"].points_tried == 100 + 30
            assert (str(late), 130) in {
                (each.checkout_id, each.points_tried) for each in found.examples
            }

    asyncio.run(dry_run())


def test_a_version_with_budgets_and_caps_makes_no_difference_to_what_it_decided(
    serve: Serve,
) -> None:
    async def dry_run() -> None:
        async with serve() as points:
            operator, guests = points.caller("operator"), [uuid4() for _ in range(4)]
            await publish(
                operator,
                bonus("SPRING", 30, budget_points=200, caps=programme_pb2.Caps(per_member=50)),
                bonus("SUMMER", 9, budget_points=40, pending=programme_pb2.Pending(days=3)),
                since=datetime(2020, 1, 1, tzinfo=UTC),
            )
            dinners = [await dine(points, guest) for guest in guests]
            await points.caller().call("Reverse", reverse(guests[1], dinners[1], amount=4_000))
            middle = datetime.now(UTC)
            for guest in (*guests, uuid4(), uuid4()):
                await dine(points, guest)
            await points.caller().call("Reverse", reverse(guests[0], dinners[0]))
            await dine(points, uuid4())
            request = trying(version=2)
            for since, dined in ((None, 11), (middle, 7)):
                if since:
                    request.posted_from.FromDatetime(since)
                found = await last(operator, request)
                assert (found.checkouts, found.checkouts_changed) == (dined, 0)
                assert found.points_tried == found.points_recorded
            given = rules_of(await last(operator, trying(version=2)))
            assert given["SUMMER"].points_tried > 40  # more than once, for some came back

    asyncio.run(dry_run())


def test_a_run_by_time_stops_at_its_bound_and_says_where(serve: Serve) -> None:
    async def dry_run() -> None:
        async with serve() as points:
            operator = points.caller("operator")
            guests = sorted(uuid4() for _ in range(4))
            for guest in reversed(guests):
                await dine(points, guest)
            made = await draft(operator, bonus("SPRING", 30, budget_points=1_000))
            found = await last(operator, trying(draft_id=made, checkouts_max=3))
            assert (found.done, found.complete, found.checkouts) == (True, False, 3)
            assert not found.next_member
            rest = trying(draft_id=made)
            rest.posted_from.CopyFrom(found.stopped_at)
            assert (await last(operator, rest)).checkouts == 1
            half = trying(draft_id=made, member_from=str(guests[2]))
            assert rules_of(await last(operator, half))["SPRING"].points_tried == 60

    asyncio.run(dry_run())


def test_purchases_without_facts_are_left_out_and_counted(serve: Serve, ledger_url: str) -> None:
    async def dry_run() -> None:
        async with serve() as points:
            await points.caller().call("Post", post(purchase(uuid4(), 10_000)))
            with psycopg.connect(ledger_url) as connection:
                connection.execute("UPDATE checkouts SET facts = NULL")
            found = await last(points.caller("operator"), trying(version=1))
            assert (found.checkouts, found.checkouts_without_facts) == (0, 1)

    asyncio.run(dry_run())


def test_a_range_that_is_none_and_a_caller_that_may_not_are_refused(serve: Serve) -> None:
    async def knock() -> None:
        async with serve() as points:
            backwards = trying(version=1)
            backwards.posted_until.CopyFrom(backwards.posted_from)
            for caller, request, reason in (
                (points.caller("operator"), backwards, "INVALID_FIELD"),
                (points.caller("operator"), trying(version=9), "PROGRAMME_NOT_FOUND"),
                (points.caller(), trying(version=1), "CALLER_NOT_ALLOWED"),
            ):
                with pytest.raises(Refusal, match=reason):
                    await caller.stream("DryRunProgramme", request)

    asyncio.run(knock())
