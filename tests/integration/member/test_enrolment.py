"""Enrolment through real gRPC and PostgreSQL."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from huitouke.member.v1 import member_pb2, member_service_pb2

from chassis.rpc.status import from_status
from tests.integration.member.requests import enrolment, mobile
from tests.integration.member.running import Caller, migrated, refusal_of, running


async def find(caller: Caller, **identifier: Any) -> member_pb2.Member:
    """Whom an identifier names."""
    request = member_service_pb2.FindMemberRequest(identifier=member_pb2.Identifier(**identifier))
    return (await caller.call("FindMember", request)).member  # type: ignore[no-any-return]


def test_a_guest_enrolled_at_the_desk_is_found_by_every_identifier(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as member:
            desk = member.caller()
            request = enrolment(1, email="Guest1@Example.com", tags=["vip"])
            request.birthday.CopyFrom(member_pb2.Birthday(month=2, day=29))
            answer = await desk.call("Enrol", request)
            number = answer.issued_card.number
            for identifier in (
                {"member_id": answer.member.member_id},
                {"card_number": f"{number[:4]} {number[4:8]} {number[8:12]} {number[12:]}"},
                {"mobile": request.mobile},
                {"email": "guest1@EXAMPLE.com"},
            ):
                assert await find(desk, **identifier) == answer.member
            told = answer.member
            assert (told.masked_mobile, told.masked_name) == ("+86 199****0001", "虚**")
            assert told.card.masked_number == f"{number[:4]} **** **** {number[-4:]}"
            assert (told.tier, told.tags, told.birth_month) == ("CLASSIC", ["vip"], 2)
            assert len(answer.issued_card.verification_value) == 4

    asyncio.run(scenario())


def test_a_replay_tells_the_card_again_but_never_its_verification_value(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as member:
            desk = member.caller()
            request = enrolment(1)
            first, again = [await desk.call("Enrol", request) for _ in range(2)]
            assert first.issued_card.verification_value
            assert not again.issued_card.verification_value
            first.issued_card.verification_value = ""
            assert again == first

    asyncio.run(scenario())


def test_a_request_id_used_again_for_another_guest_is_refused_naming_the_field(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as member:
            desk = member.caller()
            await desk.call("Enrol", enrolment(1, request_id="same"))
            refusal = await refusal_of(
                desk.call("Enrol", enrolment(2, name="虚构1", request_id="same"))
            )
            assert refusal.reason == "REQUEST_ID_REUSED"
            assert [violation.field for violation in refusal.fields] == ["mobile"]

    asyncio.run(scenario())


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"channel": member_pb2.ENROLMENT_CHANNEL_WEB}, "MOBILE_NOT_PROVEN"),
    ({"vouched_by_staff": ""}, "MOBILE_NOT_PROVEN"),
    ({"mobile": "+862161234567"}, "MOBILE_INVALID"),
    ({"referrer_code": "ZZZZ9999"}, "REFERRER_UNKNOWN"),
    ({"birthday": member_pb2.Birthday(year=2001, month=2, day=29)}, "INVALID_FIELD"),
    ({"birthday": member_pb2.Birthday(month=13, day=1)}, "INVALID_FIELD"),
    ({"time_zone": "Asia/Nowhere"}, "INVALID_FIELD"),
    ({"name": " "}, "INVALID_FIELD"),
    ({"email": "no e-mail"}, "INVALID_FIELD"),
    ({"tags": ["Not A Tag"]}, "INVALID_FIELD"),
]


def test_what_can_not_be_enrolled_is_refused_and_leaves_nothing(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as member:
            desk = member.caller()
            for changes, reason in REFUSED:
                refusal = await refusal_of(desk.call("Enrol", enrolment(1, **changes)))
                assert refusal.reason == reason
                assert (await refusal_of(find(desk, mobile=mobile(1)))).reason == "MEMBER_NOT_FOUND"
            await desk.call("Enrol", enrolment(1))

    asyncio.run(scenario())


def test_a_mobile_and_an_email_belong_to_one_member(database_url: str, certificates: Path) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as member:
            desk = member.caller()
            first = await desk.call("Enrol", enrolment(1, email="guest@example.com"))
            taken = await refusal_of(desk.call("Enrol", enrolment(1)))
            assert taken.reason == "ALREADY_ENROLLED"
            assert taken.metadata == {"member_id": first.member.member_id}
            email = await refusal_of(desk.call("Enrol", enrolment(2, email="GUEST@example.com")))
            assert email.reason == "EMAIL_TAKEN"
            unproven = enrolment(1, channel=member_pb2.ENROLMENT_CHANNEL_APP)
            refusal = await refusal_of(desk.call("Enrol", unproven))
            assert (refusal.reason, refusal.metadata) == ("MOBILE_NOT_PROVEN", {})

    asyncio.run(scenario())


def test_who_was_referred_is_linked_to_the_referrer(database_url: str, certificates: Path) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as member:
            desk = member.caller()
            referrer = (await desk.call("Enrol", enrolment(1))).member
            code = referrer.referral_code
            await desk.call("Enrol", enrolment(2, referrer_code=code))

    asyncio.run(scenario())


def test_a_batch_answers_each_guest_alone(database_url: str, certificates: Path) -> None:
    async def scenario() -> list[str]:
        async with running(migrated(database_url), certificates) as member:
            batch = member_service_pb2.BatchEnrolRequest()
            twice = enrolment(4)
            for request in (
                enrolment(1),
                enrolment(1),
                enrolment(2, name=""),
                enrolment(3, mobile="+8612345678901"),
                twice,
                twice,
            ):
                batch.items.add().request.CopyFrom(request)
            answer = await member.caller().call("BatchEnrol", batch)
            assert answer.outcomes[5].replayed
            assert answer.outcomes[5].response.member == answer.outcomes[4].response.member
            assert not answer.outcomes[5].response.issued_card.verification_value
            return [reason_of(outcome) for outcome in answer.outcomes]

    assert asyncio.run(scenario()) == [
        "OK",
        "ALREADY_ENROLLED",
        "INVALID_FIELD",
        "MOBILE_INVALID",
        "OK",
        "OK",
    ]


def reason_of(outcome: Any) -> str:
    """OK or the reason of a batch item's refusal."""
    if outcome.WhichOneof("result") == "error":
        return from_status(outcome.error).reason
    return "OK"


def test_services_that_have_no_business_with_enrolment_are_turned_away(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> set[str]:
        async with running(migrated(database_url), certificates) as member:
            callers = [member.caller(name) for name in ("points", "coupon", "notify", "member")]
            return {
                (await refusal_of(caller.call("Enrol", enrolment(1)))).reason for caller in callers
            }

    assert asyncio.run(scenario()) == {"CALLER_NOT_ALLOWED"}
