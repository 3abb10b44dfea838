"""Drafts, activation, retirement, and conditions that are refused with their place."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from huitouke.points.v1 import events_pb2
from huitouke.points.v1 import points_service_pb2 as points_pb
from huitouke.points.v1 import programme_service_pb2 as pb
from prometheus_client import REGISTRY

from chassis.kernel import Refusal
from tests.integration.points.conftest import Serve
from tests.integration.points.drafting import activation, bonus, draft, publish, with_rules
from tests.integration.points.requests import cancel, post, purchase, request_id
from tests.integration.points.running import Caller


async def refusal(call: Any) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await call
    return refused.value


def updating(draft_id: str, revision: int, programme: Any) -> pb.UpdateProgrammeDraftRequest:
    return pb.UpdateProgrammeDraftRequest(
        request_id=request_id(), draft_id=draft_id, expected_revision=revision, programme=programme
    )


def discarding(draft_id: str, revision: int) -> pb.DiscardProgrammeDraftRequest:
    return pb.DiscardProgrammeDraftRequest(
        request_id=request_id(), draft_id=draft_id, expected_revision=revision
    )


def retiring(version: int, valid_until: datetime | None = None) -> pb.RetireProgrammeRequest:
    request = pb.RetireProgrammeRequest(request_id=request_id(), version=version)
    if valid_until is not None:
        request.valid_until.FromDatetime(valid_until)
    return request


async def listed(operator: Caller, size: int = 50) -> list[tuple[int, str]]:
    """(version, state) of all drafts and versions, page by page."""
    found: list[tuple[int, str]] = []
    token = ""
    while True:
        request = pb.ListProgrammesRequest(page_size=size, page_token=token)
        page = await operator.call("ListProgrammes", request)
        found += [
            (each.version, pb.ProgrammeState.Name(each.state)[16:]) for each in page.programmes
        ]
        token = page.next_page_token
        if not token:
            return found


def test_a_draft_is_changed_seen_activated_and_then_closed(serve: Serve) -> None:
    async def make() -> None:
        async with serve() as points:
            operator = points.caller("operator")
            programme = await with_rules(operator, bonus("HELLO", 7))
            request = pb.CreateProgrammeDraftRequest(
                request_id=request_id(), programme=programme, title="spring"
            )
            made = await operator.call("CreateProgrammeDraft", request)
            assert await operator.call("CreateProgrammeDraft", request) == made
            programme = await with_rules(operator, bonus("HELLO", 9))
            changed = updating(made.draft_id, 1, programme)
            assert (await operator.call("UpdateProgrammeDraft", changed)).revision == 2
            late = await refusal(
                operator.call("UpdateProgrammeDraft", updating(made.draft_id, 1, programme))
            )
            assert (late.reason, late.metadata) == ("DRAFT_CONFLICT", {"revision": "2"})
            assert await listed(operator, 1) == [(0, "DRAFT"), (1, "ACTIVE")]
            dinner = purchase(uuid4(), 10_000)
            assert (await operator.call("Post", post(dinner))).posted.points_earned == 100
            activated = await operator.call("ActivateProgramme", activation(made.draft_id, 2))
            assert activated.version == 2
            assert (await operator.call("Post", post(dinner))).posted.points_earned == 109
            assert await listed(operator) == [(2, "ACTIVE"), (1, "SUPERSEDED")]
            found = await operator.call(
                "GetProgrammeDraft", pb.GetProgrammeDraftRequest(draft_id=made.draft_id)
            )
            assert (found.draft.version, found.draft.state) == (2, pb.PROGRAMME_STATE_ACTIVE)
            assert found.draft.programme.earning_rules[-1].fixed_points == 9
            for call, wrong in (
                ("UpdateProgrammeDraft", updating(made.draft_id, 3, programme)),
                ("ActivateProgramme", activation(made.draft_id, 3)),
                ("DiscardProgrammeDraft", discarding(made.draft_id, 3)),
            ):
                assert (await refusal(operator.call(call, wrong))).reason == "DRAFT_CLOSED"
            unknown = operator.call("ActivateProgramme", activation(str(uuid4())))
            assert (await refusal(unknown)).reason == "DRAFT_NOT_FOUND"

    asyncio.run(make())


def test_a_discarded_draft_stays_to_be_seen_and_is_listed_no_more(serve: Serve) -> None:
    async def discard() -> None:
        async with serve() as points:
            operator = points.caller("operator")
            made = await draft(operator, bonus("HELLO", 7))
            await operator.call("DiscardProgrammeDraft", discarding(made, 1))
            assert await listed(operator) == [(1, "ACTIVE")]
            request = pb.GetProgrammeDraftRequest(draft_id=made)
            found = (await operator.call("GetProgrammeDraft", request)).draft
            assert (found.state, found.revision) == (pb.PROGRAMME_STATE_DISCARDED, 2)
            late = operator.call("ActivateProgramme", activation(made, 2))
            assert (await refusal(late)).reason == "DRAFT_CLOSED"

    asyncio.run(discard())


def test_of_many_activations_in_two_replicas_each_draft_wins_once_and_no_number_is_missing(
    serve: Serve, ledger_url: str
) -> None:
    async def race() -> None:
        async with serve() as one, serve() as other:
            operators = [one.caller("operator"), other.caller("operator")]
            since = datetime.now(UTC) - timedelta(hours=1)  # one instant: any may come first
            drafts = [
                await draft(operators[0], bonus("HELLO", at), since=since) for at in range(1, 5)
            ]
            calls = [
                operator.call("ActivateProgramme", activation(each))
                for each in drafts
                for operator in operators
            ]
            done = await asyncio.gather(*calls, return_exceptions=True)
            versions = sorted(each.version for each in done if not isinstance(each, BaseException))
            assert versions == [2, 3, 4, 5]
            lost = [each.reason for each in done if isinstance(each, Refusal)]
            assert lost == ["DRAFT_CLOSED"] * 4
            two = [await draft(operators[0], bonus("HELLO", at), since=since) for at in (8, 9)]
            done = await asyncio.gather(
                *(
                    operator.call("ActivateProgramme", activation(each, expected=5))
                    for operator, each in zip(operators, two, strict=True)
                ),
                return_exceptions=True,
            )
            reasons = [each.reason for each in done if isinstance(each, Refusal)]
            assert reasons == ["VERSION_CONFLICT"]
            await operators[0].call("RetireProgramme", retiring(6))
            await publish(operators[1], bonus("HELLO", 1))
            with psycopg.connect(ledger_url) as connection:
                rows = connection.execute(
                    "SELECT version, type FROM outbox WHERE aggregatetype = 'programme' "
                    "ORDER BY seq"
                ).fetchall()
            assert [row[0] for row in rows] == [2, 3, 4, 5, 6, 7, 8]
            retired = events_pb2.ProgrammeRetired.DESCRIPTOR.full_name
            assert [row[1] == retired for row in rows] == [False] * 5 + [True, False]

    asyncio.run(race())


def test_a_retired_version_gives_way_to_the_one_below_and_the_last_one_stays(
    serve: Serve,
) -> None:
    async def retire() -> None:
        async with serve() as points, serve() as other:
            operator, dinner = points.caller("operator"), purchase(uuid4(), 10_000)
            version = await publish(operator, bonus("HELLO", 7))
            await other.caller().call("Post", post(dinner))
            tomorrow = datetime.now(UTC) + timedelta(days=1)
            await operator.call("RetireProgramme", retiring(version, tomorrow))
            assert await listed(operator) == [(2, "ACTIVE"), (1, "SUPERSEDED")]
            past = retiring(version, datetime.now(UTC) - timedelta(hours=1))
            wrong = await refusal(operator.call("RetireProgramme", past))
            assert wrong.fields[0].field == "valid_until"
            answer = await operator.call("RetireProgramme", retiring(version))
            assert answer.valid_until.ToDatetime(tzinfo=UTC) < tomorrow
            dinner.occurred_at.FromDatetime(datetime.now(UTC))
            for caller in (points.caller(), other.caller()):
                posted = (await caller.call("Post", post(dinner))).posted
                assert (posted.programme_version, posted.points_earned) == (1, 100)
            assert await listed(operator) == [(2, "RETIRED"), (1, "ACTIVE")]
            again = await refusal(operator.call("RetireProgramme", retiring(version)))
            assert again.reason == "PROGRAMME_RETIRED"
            last = await refusal(operator.call("RetireProgramme", retiring(1)))
            assert last.reason == "PROGRAMME_NEEDED"
            unknown = await refusal(operator.call("RetireProgramme", retiring(9)))
            assert unknown.reason == "PROGRAMME_NOT_FOUND"

    asyncio.run(retire())


def test_a_condition_that_is_none_is_refused_with_its_place_and_changes_nothing(
    serve: Serve,
) -> None:
    async def save() -> None:
        async with serve() as points:
            operator = points.caller("operator")
            for expression, place, said in (
                ("bill_minor > 100 &&\n tier > 5", ("2", "7"), "no matching overload"),
                ("bill_minor > spend", ("1", "14"), "undeclared reference to 'spend'"),
                ("tags.exists(t, t == 'x')", ("1", "6"), "macro exists"),
                ("bill_minor + 1", ("1", "1"), "of type INT"),
            ):
                wrong = bonus("WRONG", 5, expression=expression)
                for saving in (draft(operator, wrong), publish(operator, wrong)):
                    refused = await refusal(saving)
                    assert refused.reason == "CONDITION_INVALID"
                    assert (refused.metadata["line"], refused.metadata["column"]) == place
                    assert f"line {place[0]}, column {place[1]}: " in refused.message
                    assert said in refused.message
                    at = refused.fields[0].field.removeprefix("programme.earning_rules")
                    assert at == "[10].condition.expression"
            too_long = bonus("WRONG", 5, expression="true || " * 200 + "true")
            assert (await refusal(draft(operator, too_long))).reason == "CONDITION_INVALID"
            backwards = bonus("WRONG", 5)
            backwards.valid_from.FromDatetime(datetime(2026, 5, 1, tzinfo=UTC))
            backwards.valid_until.FromDatetime(datetime(2026, 5, 1, tzinfo=UTC))
            found = await refusal(draft(operator, backwards))
            assert found.fields[0].field == "programme.earning_rules[10].valid_until"
            assert await listed(operator) == [(1, "ACTIVE")]

    asyncio.run(save())


def test_a_condition_that_fails_at_run_time_lets_the_checkout_go_on_and_is_reported(
    serve: Serve,
) -> None:
    async def go_on() -> None:
        async with serve() as points:
            operator, caller, member = points.caller("operator"), points.caller(), uuid4()
            await publish(
                operator,
                bonus("LONG_STAY", 500, expression="bill_minor / nights > 20000"),
                bonus("LATE", 3, expression="hour >= 0 && 'DINING' in amounts"),
            )
            bought, dinner = purchase(member, 10_000), uuid4()
            quoted = (await caller.call("Quote", points_pb.QuoteRequest(purchase=bought))).posted
            posted = (await caller.call("Post", post(bought, dinner))).posted
            assert quoted == posted
            assert posted.points_earned == 103
            assert [fault.rule_code for fault in posted.rule_faults] == ["LONG_STAY"]
            assert "divide by zero" in posted.rule_faults[0].message
            reported = REGISTRY.get_sample_value(
                "huitouke_points_rule_faults_total", {"rule": "LONG_STAY"}
            )
            assert reported == 1, "operators are told of what was posted, not of what was asked"
            told = (await caller.call("CancelPost", cancel(member, dinner))).posted.posted
            assert told == posted

    asyncio.run(go_on())


def test_programmes_are_the_operators(serve: Serve) -> None:
    async def knock() -> None:
        async with serve() as points:
            gateway = points.caller()
            for call, request in (
                ("ListProgrammes", pb.ListProgrammesRequest()),
                ("ActivateProgramme", activation(str(uuid4()))),
                ("RetireProgramme", retiring(1)),
            ):
                refused = await refusal(gateway.call(call, request))
                assert refused.reason == "CALLER_NOT_ALLOWED"

    asyncio.run(knock())
