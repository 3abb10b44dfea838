"""Claims through real gRPC and PostgreSQL: limits that hold for every replica at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from huitouke.coupon.v1 import coupon_pb2, error_reason_pb2
from huitouke.coupon.v1 import coupon_service_pb2 as pb

from chassis.clock import ManualClock
from chassis.kernel import Refusal
from chassis.rpc.status import from_status
from tests.contract.test_reasons import CHASSIS_REASONS, PAGING_REASON
from tests.integration.coupon.asking import (
    a_campaign,
    a_claim,
    an_id,
    fresh_request_id,
    stamp,
)
from tests.integration.coupon.running import NOON, Caller, migrated, running


async def outcome(caller: Caller, request: pb.ClaimCouponRequest) -> str:
    """The coupon's id, or the reason of the refusal."""
    try:
        response = await caller.call(request)
    except Refusal as refusal:
        return refusal.reason
    return str(response.coupon.coupon_id)


def test_a_single_coupon_wanted_by_200_members_at_two_replicas_goes_to_exactly_one(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates, replicas=2) as (one, two):
            await one.operator.call(a_campaign("ONLY1", quantity=1))
            claims = [a_claim(an_id(), "ONLY1") for _ in range(200)]
            callers = [(one if place % 2 else two).gateway for place in range(200)]
            pairs = list(zip(callers, claims, strict=True))
            first = await asyncio.gather(*(outcome(*pair) for pair in pairs))
            assert Counter(first)["QUANTITY_EXHAUSTED"] == 199
            # Asked again, at the other replica: each has the answer it had.
            swapped = [(two if caller is one.gateway else one).gateway for caller in callers]
            again = await asyncio.gather(
                *(outcome(*pair) for pair in zip(swapped, claims, strict=True))
            )
            assert again == first
            books = await one.operator.call(pb.VerifyBooksRequest())
            assert (books.issued, books.balanced) == (1, True)

    asyncio.run(scenario())


def test_one_member_who_claims_50_times_at_once_gets_as_many_as_allowed(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates, replicas=2) as (one, two):
            await one.operator.call(a_campaign("THREE", per_member=3))
            member = an_id()
            outcomes = await asyncio.gather(
                *(
                    outcome((one if place % 2 else two).gateway, a_claim(member, "THREE"))
                    for place in range(50)
                )
            )
            assert Counter(outcomes)["MEMBER_LIMIT"] == 47
            assert len(set(outcomes)) == 4

    asyncio.run(scenario())


def test_one_request_sent_64_times_at_once_has_one_effect_and_64_equal_answers(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates, replicas=2) as (one, two):
            await one.operator.call(a_campaign())
            claim = a_claim(an_id())
            outcomes = await asyncio.gather(
                *(outcome((one if place % 2 else two).gateway, claim) for place in range(64))
            )
            assert len(set(outcomes)) == 1
            page = await one.gateway.call(pb.ListCouponsRequest(member_id=claim.member_id))
            assert [coupon.coupon_id for coupon in page.coupons] == [outcomes[0]]

    asyncio.run(scenario())


def test_a_request_id_used_again_for_another_campaign_is_refused_by_the_fields_name(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            await service.operator.call(a_campaign())
            claim = a_claim(an_id())
            await service.gateway.call(claim)
            claim.campaign_code = "OTHER"
            refusal = await service.gateway.refused(claim)
            assert refusal.reason == "REQUEST_ID_REUSED"
            assert [violation.field for violation in refusal.fields] == ["campaign_code"]

    asyncio.run(scenario())


def test_a_refusal_by_a_rule_is_remembered_although_the_rule_would_now_allow_it(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        clock = ManualClock(NOON)
        async with running(migrated(database_url), certificates, clock=clock) as (service,):
            tomorrow = stamp(NOON + timedelta(days=1))
            await service.operator.call(a_campaign("SOON", valid_from=tomorrow))
            early = a_claim(an_id(), "SOON")
            assert await service.gateway.reason(early) == "CAMPAIGN_NOT_VALID"
            clock.advance(timedelta(days=2))
            again = await service.gateway.refused(early)
            assert again.reason == "CAMPAIGN_NOT_VALID"
            assert again.metadata["valid_from"] == "2030-05-02T04:00:00+00:00"
            await service.gateway.call(a_claim(early.member_id, "SOON"))

    asyncio.run(scenario())


def test_claims_are_refused_for_what_stands_against_them(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            await service.operator.call(a_campaign("GOLDEN", tiers=["GOLD"]))
            member = an_id()
            unknown = a_claim(member, "NOWHERE")
            assert await service.gateway.reason(unknown) == "CAMPAIGN_NOT_FOUND"
            assert await service.gateway.reason(a_claim(member, "GOLDEN")) == "TIER_NOT_ELIGIBLE"
            lost = a_claim(member, "GOLDEN", tier="GOLD")
            lost.time_zone = "Asia/Atlantis"
            refusal = await service.gateway.refused(lost)
            assert refusal.reason == "INVALID_FIELD"
            assert [violation.field for violation in refusal.fields] == ["time_zone"]

    asyncio.run(scenario())


def test_items_of_a_batch_have_each_their_own_outcome(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            await service.operator.call(a_campaign("PAIR", quantity=2))
            claims = [a_claim(an_id(), "PAIR") for _ in range(4)]
            claims.append(pb.ClaimCouponRequest(request_id=fresh_request_id()))
            items = [pb.BatchClaimCouponItem(request=claim) for claim in [*claims, claims[0]]]
            items[3].timeout.CopyFrom(Duration())
            response = await service.gateway.call(pb.BatchClaimCouponRequest(items=items))
            reasons = [
                from_status(each.error).reason if each.HasField("error") else "OK"
                for each in response.outcomes
            ]
            assert reasons == [
                "OK",
                "OK",
                "QUANTITY_EXHAUSTED",
                "DEADLINE_PASSED",
                "INVALID_FIELD",
                "OK",
            ]
            first, last = response.outcomes[0], response.outcomes[-1]
            assert first.response == last.response
            assert (first.replayed, last.replayed) == (False, True)

    asyncio.run(scenario())


def test_a_coupon_ends_at_the_end_of_its_last_local_day_and_is_seen_as_expired(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        clock = ManualClock(NOON)
        async with running(migrated(database_url), certificates, clock=clock) as (service,):
            await service.operator.call(a_campaign("BRIEF", valid_days_after_issue=1))
            coupon = (await service.gateway.call(a_claim(an_id(), "BRIEF"))).coupon
            assert coupon.expires_at.ToJsonString() == "2030-05-02T16:00:00Z"
            clock.advance(timedelta(days=1, hours=12))
            listing = pb.ListCouponsRequest(member_id=coupon.member_id)
            seen = (await service.gateway.call(listing)).coupons
            assert [each.state for each in seen] == [coupon_pb2.COUPON_STATE_EXPIRED]
            listing.usable_only = True
            assert not (await service.gateway.call(listing)).coupons

    asyncio.run(scenario())


def test_every_reason_of_the_rules_stands_in_the_contract() -> None:
    from services.coupon.domain import errors

    values = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    known = {name.removeprefix("ERROR_REASON_") for name in values}
    written = Path(errors.__file__).read_text()
    named = {word for word in known if f'"{word}"' in written}
    the_rules_never_give = CHASSIS_REASONS - {"INVALID_FIELD"} | {PAGING_REASON, "UNSPECIFIED"}
    assert named == known - the_rules_never_give
