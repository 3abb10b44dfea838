"""A checkout's steps through real gRPC and PostgreSQL: each happens once, in whatever order."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from huitouke.coupon.v1 import coupon_pb2
from huitouke.coupon.v1 import coupon_service_pb2 as pb

from chassis.clock import ManualClock
from chassis.kernel import Refusal
from tests.integration.coupon.asking import (
    a_basket,
    a_campaign,
    a_claim,
    a_percent_campaign,
    an_id,
    cancelling,
    expecting,
    qualifying,
    redeeming,
    reserving,
    rolling_back,
)
from tests.integration.coupon.running import NOON, Caller, Replica, migrated, running

BASKET = a_basket(12_000, 8_000)


@dataclass
class Guest:
    """A member with one coupon of 50.00 off."""

    member_id: str
    coupon_id: str

    def reserving(self, checkout_id: str, request_id: str = "") -> pb.ReserveRequest:
        expected = [expecting(self.coupon_id, 5_000)]
        return reserving(self.member_id, checkout_id, BASKET, expected, request_id=request_id)


async def a_guest(service: Replica, code: str = "WELCOME50") -> Guest:
    member = an_id()
    claimed = await service.gateway.call(a_claim(member, code))
    return Guest(member, claimed.coupon.coupon_id)


async def state_of(caller: Caller, guest: Guest) -> str:
    page = await caller.call(pb.ListCouponsRequest(member_id=guest.member_id))
    (state,) = [each.state for each in page.coupons if each.coupon_id == guest.coupon_id]
    return coupon_pb2.CouponState.Name(state).removeprefix("COUPON_STATE_")


async def assert_balanced(service: Replica) -> pb.VerifyBooksResponse:
    books: pb.VerifyBooksResponse = await service.operator.call(pb.VerifyBooksRequest())
    assert books.balanced, books
    assert books.campaigns_differing == 0
    assert books.redeemed == books.open_redemptions
    return books


def test_a_coupon_goes_from_issue_to_redemption_and_back(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            await service.operator.call(a_campaign())
            guest, checkout = await a_guest(service), an_id()
            reserved = await service.gateway.call(guest.reserving(checkout))
            assert [each.amount_minor for each in reserved.discounts] == [5_000]
            assert list(reserved.discounts[0].line_amounts_minor) == [3_000, 2_000]
            assert await state_of(service.gateway, guest) == "RESERVED"
            redeemed = await service.gateway.call(redeeming(guest.member_id, checkout))
            assert list(redeemed.coupon_ids) == [guest.coupon_id]
            books = await assert_balanced(service)
            assert (books.issued, books.redeemed, books.reserved) == (1, 1, 0)
            undone = await service.gateway.call(rolling_back(guest.member_id, checkout))
            assert list(undone.restored_coupon_ids) == [guest.coupon_id]
            assert await state_of(service.gateway, guest) == "ISSUED"
            books = await assert_balanced(service)
            assert (books.issued, books.redeemed) == (1, 0)
            await service.gateway.call(guest.reserving(an_id()))

    asyncio.run(scenario())


def test_an_instant_beyond_the_places_calendar_is_the_callers_fault(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            await service.operator.call(a_campaign(weekdays=[1]))
            guest = await a_guest(service)
            asked = qualifying(guest.member_id, BASKET, guest.coupon_id)
            asked.basket.occurred_at.FromJsonString("9999-12-31T23:59:59Z")
            refusal = await service.gateway.refused(asked)
            assert refusal.fields[0].field == "basket.occurred_at"

    asyncio.run(scenario())


def test_a_step_asked_again_under_another_request_id_has_the_same_outcome(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        clock = ManualClock(NOON)
        async with running(migrated(database_url), certificates, clock=clock) as (service,):
            await service.operator.call(a_campaign())
            guest, checkout = await a_guest(service), an_id()
            first = guest.reserving(checkout)
            answer = await service.gateway.call(first)
            assert await service.gateway.call(first) == answer
            assert await service.gateway.reason(guest.reserving(checkout)) == "CHECKOUT_EXISTS"
            steps = (redeeming, rolling_back)
            for step in steps:
                done = await service.gateway.call(step(guest.member_id, checkout))
                clock.advance(timedelta(minutes=1))
                assert await service.gateway.call(step(guest.member_id, checkout)) == done
            await assert_balanced(service)

    asyncio.run(scenario())


def test_a_cancelled_checkout_gives_its_coupon_back_and_stays_fenced(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        clock = ManualClock(NOON)
        async with running(migrated(database_url), certificates, clock=clock) as (service,):
            await service.operator.call(a_campaign())
            guest, checkout = await a_guest(service), an_id()
            await service.gateway.call(guest.reserving(checkout))
            done = await service.gateway.call(cancelling(guest.member_id, checkout))
            assert list(done.coupon_ids) == [guest.coupon_id]
            clock.advance(timedelta(minutes=1))
            assert await service.gateway.call(cancelling(guest.member_id, checkout)) == done
            assert await state_of(service.gateway, guest) == "ISSUED"
            for late in (
                guest.reserving(checkout),
                redeeming(guest.member_id, checkout),
                rolling_back(guest.member_id, checkout),
            ):
                assert await service.gateway.reason(late) == "CHECKOUT_CANCELLED"
            await assert_balanced(service)

    asyncio.run(scenario())


def test_a_cancellation_that_overtakes_its_reservation_leaves_a_tombstone(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            await service.operator.call(a_campaign())
            guest, checkout = await a_guest(service), an_id()
            done = await service.gateway.call(cancelling(guest.member_id, checkout))
            assert list(done.coupon_ids) == []
            assert await service.gateway.call(cancelling(guest.member_id, checkout)) == done
            late = guest.reserving(checkout)
            assert await service.gateway.reason(late) == "CHECKOUT_CANCELLED"
            assert await service.gateway.reason(late) == "CHECKOUT_CANCELLED"
            redemption = redeeming(guest.member_id, checkout)
            assert await service.gateway.reason(redemption) == "CHECKOUT_CANCELLED"
            assert await state_of(service.gateway, guest) == "ISSUED"

    asyncio.run(scenario())


def test_a_cancellation_after_the_redemption_is_refused(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            await service.operator.call(a_campaign())
            guest, checkout = await a_guest(service), an_id()
            await service.gateway.call(guest.reserving(checkout))
            early = rolling_back(guest.member_id, checkout)
            assert await service.gateway.reason(early) == "CHECKOUT_NOT_REDEEMED"
            await service.gateway.call(redeeming(guest.member_id, checkout))
            late = cancelling(guest.member_id, checkout)
            assert await service.gateway.reason(late) == "CHECKOUT_REDEEMED"
            # The refund that came too early was not remembered as refused.
            undone = await service.gateway.call(early)
            assert list(undone.restored_coupon_ids) == [guest.coupon_id]
            late = cancelling(guest.member_id, checkout)
            assert await service.gateway.reason(late) == "CHECKOUT_REDEEMED"

    asyncio.run(scenario())


def test_another_members_checkout_is_as_good_as_none(database_url: str, certificates: Path) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            await service.operator.call(a_campaign())
            guest, stranger, checkout = await a_guest(service), await a_guest(service), an_id()
            await service.gateway.call(guest.reserving(checkout))
            assert await service.gateway.reason(stranger.reserving(checkout)) == "CHECKOUT_EXISTS"
            for step in (redeeming, cancelling, rolling_back):
                request = step(stranger.member_id, checkout)
                assert await service.gateway.reason(request) == "CHECKOUT_NOT_FOUND"
            stolen = Guest(stranger.member_id, guest.coupon_id)
            assert await service.gateway.reason(stolen.reserving(an_id())) == "COUPON_NOT_FOUND"
            assert await state_of(service.gateway, guest) == "RESERVED"

    asyncio.run(scenario())


def test_one_coupon_reserved_for_100_checkouts_at_once_goes_to_one(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates, replicas=2) as (one, two):
            await one.operator.call(a_campaign())
            guest = await a_guest(one)

            async def outcome(place: int) -> str:
                caller = (one if place % 2 else two).gateway
                try:
                    await caller.call(guest.reserving(an_id()))
                except Refusal as refusal:
                    return refusal.reason
                return "OK"

            outcomes = Counter(await asyncio.gather(*(outcome(place) for place in range(100))))
            assert outcomes == {"OK": 1, "COUPON_RESERVED": 99}
            books = await assert_balanced(one)
            assert books.reserved == 1

    asyncio.run(scenario())


def test_one_checkout_id_wanted_by_many_members_at_two_replicas_goes_to_one(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates, replicas=2) as (one, two):
            await one.operator.call(a_campaign())
            guests = await asyncio.gather(*(a_guest(one) for _ in range(20)))
            checkout = an_id()

            async def outcome(place: int, guest: Guest) -> str:
                caller = (one if place % 2 else two).gateway
                try:
                    await caller.call(guest.reserving(checkout))
                except Refusal as refusal:
                    return refusal.reason
                return "OK"

            outcomes = await asyncio.gather(*(outcome(*each) for each in enumerate(guests)))
            assert Counter(outcomes) == {"OK": 1, "CHECKOUT_EXISTS": 19}
            await assert_balanced(one)

    asyncio.run(scenario())


def test_a_coupon_that_ends_while_reserved_is_redeemed_by_its_checkout_and_void_when_restored(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        clock = ManualClock(NOON)
        async with running(migrated(database_url), certificates, clock=clock) as (service,):
            await service.operator.call(a_campaign())
            kept, returned, late = [await a_guest(service) for _ in range(3)]
            one, other = an_id(), an_id()
            await service.gateway.call(kept.reserving(one))
            await service.gateway.call(returned.reserving(other))
            clock.advance(timedelta(days=60))
            await service.gateway.call(redeeming(kept.member_id, one))
            assert await state_of(service.gateway, kept) == "REDEEMED"
            await service.gateway.call(cancelling(returned.member_id, other))
            assert await state_of(service.gateway, returned) == "EXPIRED"
            undone = await service.gateway.call(rolling_back(kept.member_id, one))
            assert list(undone.expired_coupon_ids) == [kept.coupon_id]
            assert await state_of(service.gateway, kept) == "EXPIRED"
            assert await service.gateway.reason(late.reserving(an_id())) == "COUPON_EXPIRED"
            await assert_balanced(service)

    asyncio.run(scenario())


def test_reserve_agrees_with_qualify_to_the_fen_and_refuses_any_other_amount(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            await service.operator.call(a_percent_campaign("SHARE", 3_333))
            await service.operator.call(a_campaign())
            member = an_id()
            share = (await service.gateway.call(a_claim(member, "SHARE"))).coupon.coupon_id
            fixed = (await service.gateway.call(a_claim(member))).coupon.coupon_id
            basket = a_basket(3_333, 1, 7_777)
            quote = await service.gateway.call(qualifying(member, basket, fixed, share))
            assert [each.amount_minor for each in quote.discounts] == [5_000, 2_037]
            turned = list(reversed(quote.discounts))
            wrong = reserving(member, an_id(), basket, turned)
            refusal = await service.gateway.refused(wrong)
            assert refusal.reason == "AMOUNT_CHANGED"
            assert refusal.metadata["coupon_id"] == share
            right = reserving(member, an_id(), basket, quote.discounts)
            reserved = await service.gateway.call(right)
            assert reserved.discounts == quote.discounts

    asyncio.run(scenario())


def test_a_coupon_named_twice_or_too_many_coupons_are_refused_and_nothing_is_reserved(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            await service.operator.call(a_campaign())
            member = an_id()
            ids = [(await service.gateway.call(a_claim(member))).coupon.coupon_id for _ in range(6)]
            basket = a_basket(100_000)
            twice = [expecting(ids[0], 5_000), expecting(ids[0], 5_000)]
            doubled = reserving(member, an_id(), basket, twice)
            assert await service.gateway.reason(doubled) == "INVALID_FIELD"
            six = reserving(member, an_id(), basket, [expecting(each, 5_000) for each in ids])
            refusal = await service.gateway.refused(six)
            assert refusal.reason == "NOT_STACKABLE"
            assert refusal.metadata["limit"] == "5"
            listed = await service.gateway.call(
                pb.ListCouponsRequest(member_id=member, usable_only=True)
            )
            assert len(listed.coupons) == 6

    asyncio.run(scenario())


def test_a_batch_may_hold_all_steps_of_one_checkout(database_url: str, certificates: Path) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            await service.operator.call(a_campaign())
            guest, checkout = await a_guest(service), an_id()
            reservation = pb.BatchReserveItem(request=guest.reserving(checkout))
            reserved = await service.gateway.call(pb.BatchReserveRequest(items=[reservation]))
            assert reserved.outcomes[0].response.discounts[0].amount_minor == 5_000
            redemptions = [
                pb.BatchRedeemItem(request=redeeming(guest.member_id, checkout)) for _ in range(3)
            ]
            redeemed = await service.gateway.call(pb.BatchRedeemRequest(items=redemptions))
            assert len({str(each.response) for each in redeemed.outcomes}) == 1
            await assert_balanced(service)

    asyncio.run(scenario())
