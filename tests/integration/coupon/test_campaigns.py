"""Campaigns and readings through real gRPC and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

from huitouke.coupon.v1 import coupon_service_pb2 as pb
from huitouke.type.v1.merchant_category_pb2 import MERCHANT_CATEGORY_SPA

from chassis.kernel import Category, Refusal
from tests.integration.coupon.asking import (
    MERCHANT,
    a_basket,
    a_campaign,
    a_claim,
    a_percent_campaign,
    an_id,
    qualifying,
    stamp,
)
from tests.integration.coupon.running import NOON, calling, migrated, running


def test_a_campaign_reads_back_as_it_was_made(database_url: str, certificates: Path) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            request = a_percent_campaign(
                "SPA80",
                2_000,
                ceiling_minor=10_000,
                quantity=100,
                per_member=2,
                valid_days_after_issue=7,
                minimum_spend_minor=30_000,
                categories=[MERCHANT_CATEGORY_SPA],
                merchant_ids=[MERCHANT],
                tiers=["GOLD", "PLATINUM"],
                weekdays=[1, 2, 3],
                exclusive=True,
                item_codes=["massage", 'oil"\\{}'],
            )
            made = (await service.operator.call(request)).campaign
            by_id = pb.GetCampaignRequest(campaign_id=made.campaign_id)
            by_code = pb.GetCampaignRequest(code="SPA80")
            assert (await service.gateway.call(by_id)).campaign == made
            assert (await service.gateway.call(by_code)).campaign == made
            assert made.conditions == request.campaign.conditions
            assert made.percent_off == request.campaign.percent_off
            assert made.limits == request.campaign.limits
            assert made.created_at == stamp(NOON)

    asyncio.run(scenario())


def test_one_code_wanted_by_20_at_two_replicas_goes_to_one_and_no_answer_is_a_defect(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates, replicas=2) as (one, two):

            async def outcome(place: int) -> str:
                try:
                    await (one if place % 2 else two).operator.call(a_campaign("RARE"))
                except Refusal as refusal:
                    return refusal.reason
                return "OK"

            outcomes = await asyncio.gather(*(outcome(place) for place in range(20)))
            assert Counter(outcomes) == {"OK": 1, "CAMPAIGN_EXISTS": 19}

    asyncio.run(scenario())


def test_a_campaign_that_ends_before_it_begins_is_refused(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            refusal = await service.operator.refused(
                a_campaign(valid_until=stamp(NOON - timedelta(days=2)))
            )
            assert refusal.reason == "INVALID_FIELD"
            assert refusal.fields[0].field == "campaign.conditions.valid_until"
            timeless = a_campaign()
            timeless.campaign.conditions.valid_until.seconds = 10**15
            assert await service.operator.reason(timeless) == "INVALID_FIELD"
            unknown = pb.GetCampaignRequest(code="NOWHERE")
            assert await service.gateway.reason(unknown) == "CAMPAIGN_NOT_FOUND"

    asyncio.run(scenario())


def test_pages_come_newest_first_and_hold_each_campaign_once(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            for number in range(7):
                await service.operator.call(a_campaign(f"NUMBER{number}"))
            seen: list[str] = []
            token = ""
            while True:
                request = pb.ListCampaignsRequest(page_size=3, page_token=token)
                page = await service.operator.call(request)
                seen += [campaign.code for campaign in page.campaigns]
                token = page.next_page_token
                if not token:
                    break
            assert seen == [f"NUMBER{number}" for number in reversed(range(7))]

    asyncio.run(scenario())


def test_a_page_token_that_is_made_up_or_of_another_query_is_refused(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            await service.operator.call(a_campaign())
            member = an_id()
            for _ in range(3):
                await service.gateway.call(a_claim(member))
            mine = pb.ListCouponsRequest(member_id=member, page_size=1)
            token = (await service.gateway.call(mine)).next_page_token
            mine.page_token = token
            assert len((await service.gateway.call(mine)).coupons) == 1
            flipped = token[:-1] + ("A" if token[-1] != "A" else "B")
            for wrong in (
                pb.ListCouponsRequest(member_id=an_id(), page_token=token),
                pb.ListCouponsRequest(member_id=member, usable_only=True, page_token=token),
                pb.ListCouponsRequest(member_id=member, page_token=flipped),
                pb.ListCouponsRequest(member_id=member, page_token="§ no token"),
                pb.ListCampaignsRequest(page_token=token),
            ):
                refusal = await service.gateway.refused(wrong)
                assert (refusal.reason, refusal.category) == (
                    "PAGE_TOKEN_INVALID",
                    Category.INVALID,
                )

    asyncio.run(scenario())


def test_qualify_tells_what_each_coupon_alone_takes_off_and_why_others_do_not(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            campaigns = (
                a_campaign("FIFTY"),
                a_percent_campaign("TENTH", 1_000, ceiling_minor=1_500),
                a_campaign("RICH", minimum_spend_minor=100_000),
                a_campaign("SPA", categories=[MERCHANT_CATEGORY_SPA]),
                a_campaign("MONDAY", weekdays=[1]),
                a_campaign("ELSEWHERE", merchant_ids=[an_id()]),
            )
            member, codes = an_id(), {}
            for campaign in campaigns:
                await service.operator.call(campaign)
                code = campaign.campaign.code
                coupon = (await service.gateway.call(a_claim(member, code))).coupon
                codes[coupon.coupon_id] = code
            answer = await service.gateway.call(qualifying(member, a_basket(12_000, 8_000)))
            taken = {each.campaign_code: each.amount_minor for each in answer.discounts}
            assert taken == {"FIFTY": 5_000, "TENTH": 1_500}
            reasons = {codes[each.coupon_id]: each.reason for each in answer.disqualified}
            assert reasons == {
                "RICH": "MINIMUM_SPEND",
                "SPA": "BASKET_NOT_ELIGIBLE",
                "MONDAY": "BASKET_NOT_ELIGIBLE",
                "ELSEWHERE": "BASKET_NOT_ELIGIBLE",
            }

    asyncio.run(scenario())


def test_only_those_on_the_allow_list_may_call(database_url: str, certificates: Path) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            assert await service.gateway.reason(pb.VerifyBooksRequest()) == "CALLER_NOT_ALLOWED"
            async with calling(service.port, certificates, "notify") as notify:
                assert await notify.reason(a_claim(an_id())) == "CALLER_NOT_ALLOWED"

    asyncio.run(scenario())
