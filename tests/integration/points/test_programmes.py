"""Publishing programmes, and who may do what."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1 import programme_pb2

from chassis.kernel import Refusal
from services.points.servicers.allowed import ALLOW
from tests.integration.points.conftest import Serve
from tests.integration.points.requests import ROOM, post, purchase, request_id, top_up


async def reason(call: Any) -> str:
    with pytest.raises(Refusal) as refused:
        await call
    return refused.value.reason


def publishing(programme: programme_pb2.Programme, expected: int = 0) -> pb.PublishProgrammeRequest:
    return pb.PublishProgrammeRequest(
        request_id=request_id(), programme=programme, expected_version=expected
    )


def test_the_default_programme_has_the_rates_tiers_and_gifts_of_the_house(serve: Serve) -> None:
    async def ask() -> None:
        async with serve() as points:
            caller = points.caller()
            found = (await caller.call("GetProgramme", pb.GetProgrammeRequest())).programme
            assert found.version == 1
            assert {rule.code for rule in found.earning_rules} >= {"BASE_ROOM", "TIER_PLATINUM"}
            gifts = [
                (tier.from_minor, tier.bonus_minor) for tier in found.stored_value.top_up_tiers
            ]
            assert gifts == [(50_000, 3_000), (100_000, 10_000), (300_000, 40_000)]
            booked = purchase(uuid4(), 80_000, tier="PLATINUM")
            booked.lines[0].category = ROOM
            assert (await caller.call("Post", post(booked))).posted.points_earned == 0
            booked.stay.nights, booked.stay.channel = 1, 1  # type: ignore[assignment]
            posted = (await caller.call("Post", post(booked))).posted
            assert [(by.rule_code, by.points) for by in posted.earned_by] == [
                ("BASE_ROOM", 800),
                ("TIER_PLATINUM", 800),
            ]

    asyncio.run(ask())


def test_a_new_version_decides_from_its_own_instant_on_and_quotes_see_it(serve: Serve) -> None:
    async def publish() -> None:
        async with serve() as points:
            caller, operator, member = points.caller(), points.caller("operator"), uuid4()
            latest = (await caller.call("GetProgramme", pb.GetProgrammeRequest())).programme
            since = datetime.now(UTC) - timedelta(hours=1)
            latest.valid_from.FromDatetime(since)
            for rule in latest.earning_rules:
                if rule.code == "BASE_DINING":
                    rule.points_per_unit_milli = 5_000
            request = publishing(latest, expected=1)
            answer = await operator.call("PublishProgramme", request)
            assert answer.version == 2
            assert await operator.call("PublishProgramme", request) == answer
            assert await reason(operator.call("PublishProgramme", publishing(latest, 1))) == (
                "VERSION_CONFLICT"
            )
            now, before = purchase(member, 10_000), since - timedelta(seconds=1)
            quoted = (await caller.call("Quote", pb.QuoteRequest(purchase=now))).posted
            assert (quoted.points_earned, quoted.programme_version) == (500, 2)
            assert (await caller.call("Post", post(now))).posted == quoted
            earlier = await caller.call("Post", post(purchase(member, 10_000, occurred_at=before)))
            assert earlier.posted.programme_version == 1
            assert earlier.posted.points_earned == 100
            first = await caller.call("GetProgramme", pb.GetProgrammeRequest(version=1))
            assert first.programme.version == 1
            unknown = caller.call("GetProgramme", pb.GetProgrammeRequest(version=9))
            assert await reason(unknown) == "PROGRAMME_NOT_FOUND"

    asyncio.run(publish())


def test_an_effect_of_another_class_or_a_version_before_the_latest_is_refused_by_field(
    serve: Serve,
) -> None:
    async def publish() -> None:
        async with serve() as points:
            operator = points.caller("operator")
            good = (await operator.call("GetProgramme", pb.GetProgrammeRequest())).programme
            wrong = programme_pb2.Programme()
            wrong.CopyFrom(good)
            wrong.earning_rules[1].fixed_points = 5
            with pytest.raises(Refusal) as refused:
                await operator.call("PublishProgramme", publishing(wrong))
            assert refused.value.fields[0].field == (
                "programme.earning_rules[1].points_per_unit_milli"
            )
            good.valid_from.FromDatetime(datetime(1999, 1, 1, tzinfo=UTC))
            assert await reason(operator.call("PublishProgramme", publishing(good))) == (
                "INVALID_FIELD"
            )

    asyncio.run(publish())


def test_only_listed_callers_may_write_or_verify(serve: Serve) -> None:
    async def knock() -> None:
        async with serve() as points:
            notify, gateway = points.caller("notify"), points.caller()
            for call in (
                notify.call("Post", post(purchase(uuid4(), 100))),
                notify.call("TopUp", top_up(uuid4(), 100)),
                gateway.call("VerifyBooks", pb.VerifyBooksRequest()),
                points.caller("coupon").call(
                    "GetBalances", pb.GetBalancesRequest(member_id=str(uuid4()))
                ),
            ):
                assert await reason(call) == "CALLER_NOT_ALLOWED"

    asyncio.run(knock())
    assert all("gateway" not in ALLOW[f"/huitouke.points.v1.PointsService/{method}"]
               for method in ("PublishProgramme", "VerifyBooks"))  # fmt: skip


def test_a_zone_or_an_instant_that_does_not_exist_is_named(serve: Serve) -> None:
    async def post_wrongly() -> None:
        async with serve() as points:
            nowhere = purchase(uuid4(), 100)
            nowhere.place.time_zone = "Mars/Olympus"
            never = purchase(uuid4(), 100)
            never.occurred_at.seconds = 2**60
            for wrong, field in (
                (nowhere, "purchase.place.time_zone"),
                (never, "purchase.occurred_at"),
            ):
                with pytest.raises(Refusal) as refused:
                    await points.caller().call("Post", post(wrong))
                assert refused.value.reason == "INVALID_FIELD"
                assert refused.value.fields[0].field == field

    asyncio.run(post_wrongly())
