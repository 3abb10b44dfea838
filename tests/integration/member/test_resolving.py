"""Resolving: many identifiers at once, each with its own outcome; and who may read contacts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from huitouke.member.v1 import member_pb2, member_service_pb2
from huitouke.type.v1 import language_pb2

from chassis.rpc.status import from_status
from tests.integration.member.requests import enrolment, mobile
from tests.integration.member.running import Caller, migrated, refusal_of, running

NOBODY = "0197f1a2-0000-7000-8000-000000000001"


async def resolve(caller: Caller, *identifiers: dict[str, str]) -> list[Any]:
    request = member_service_pb2.BatchResolveRequest()
    for identifier in identifiers:
        request.identifiers.add(**identifier)
    return list((await caller.call("BatchResolve", request)).outcomes)


def reason(outcome: Any) -> str:
    return from_status(outcome.error).reason if outcome.HasField("error") else "OK"


def test_256_identifiers_of_all_kinds_are_answered_in_their_order(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as member:
            gateway = member.caller()
            batch = member_service_pb2.BatchEnrolRequest()
            for number in range(64):
                guest = enrolment(number, email=f"g{number}@example.com", tags=["vip", "family"])
                guest.birthday.CopyFrom(member_pb2.Birthday(month=number % 12 + 1, day=1))
                batch.items.add().request.CopyFrom(guest)
            enrolled = [o.response for o in (await gateway.call("BatchEnrol", batch)).outcomes]
            identifiers, expected = [], []
            for number, each in enumerate(enrolled):
                identifiers += [
                    {"card_number": each.issued_card.number},
                    {"member_id": each.member.member_id},
                    {"mobile": mobile(number)},
                    {"email": f"G{number}@example.com"},
                ]
                told = member_pb2.Resolution(
                    member_id=each.member.member_id,
                    masked_name="虚**",
                    tier="CLASSIC",
                    tags=["family", "vip"],
                    birth_month=number % 12 + 1,
                )
                expected += [told] * 4
            outcomes = await resolve(gateway, *identifiers)
            assert [outcome.resolution for outcome in outcomes] == expected

    asyncio.run(scenario())


def test_each_identifier_that_names_nobody_is_refused_alone(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> list[str]:
        async with running(migrated(database_url), certificates) as member:
            gateway = member.caller()
            cards = []
            for number in range(5):
                answer = await gateway.call("Enrol", enrolment(number))
                cards.append(answer)
            states = ("FROZEN", "LOST", "CLOSED")
            for answer, state in zip(cards, states, strict=False):
                change = member_service_pb2.ChangeCardStateRequest(
                    request_id=state,
                    member_id=answer.member.member_id,
                    card_id=answer.issued_card.card_id,
                    state=member_pb2.CardState.Value(f"CARD_STATE_{state}"),
                )
                await gateway.call("ChangeCardState", change)
            replacement = member_service_pb2.ReplaceCardRequest(
                request_id="replace",
                member_id=cards[3].member.member_id,
                reason=member_service_pb2.REPLACEMENT_REASON_DAMAGED,
            )
            await gateway.call("ReplaceCard", replacement)
            outcomes = await resolve(
                gateway,
                *({"card_number": answer.issued_card.number} for answer in cards),
                {"card_number": "8866000000000000"},
                {"card_number": "8866000000000008"},
                {"member_id": NOBODY},
                {"mobile": mobile(999)},
                {"email": "nobody@example.com"},
                {"mobile": "+999123456789"},
                {"mobile": "not a mobile"},
                {"member_id": "not a uuid"},
                {},
                {"mobile": mobile(4)},
                {"mobile": mobile(4)},
            )
            return [reason(outcome) for outcome in outcomes]

    assert asyncio.run(scenario()) == [
        "CARD_FROZEN",
        "CARD_LOST",
        "CARD_CLOSED",
        "CARD_REPLACED",
        "OK",
        "CARD_UNKNOWN",
        "CARD_UNKNOWN",
        "MEMBER_NOT_FOUND",
        "MEMBER_NOT_FOUND",
        "MEMBER_NOT_FOUND",
        "MOBILE_INVALID",
        "INVALID_FIELD",
        "INVALID_FIELD",
        "INVALID_FIELD",
        "OK",
        "OK",
    ]


def test_notify_gets_the_full_contact_with_the_consents_in_force(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as member:
            desk, notify = member.caller(), member.caller("notify")
            guest = enrolment(
                1,
                email="guest@example.com",
                language=language_pb2.LANGUAGE_EN,
                consents=[
                    consent("SMS", "MARKETING", granted=True),
                    consent("EMAIL", "MARKETING", granted=False),
                    consent("EMAIL", "SERVICE", granted=False),
                ],
            )
            member_id = (await desk.call("Enrol", guest)).member.member_id
            other_id = (await desk.call("Enrol", enrolment(2))).member.member_id
            request = member_service_pb2.BatchGetContactsRequest(
                member_ids=[member_id, other_id, NOBODY, member_id]
            )
            contacts = (await notify.call("BatchGetContacts", request)).contacts
            told = {contact.member_id: contact for contact in contacts}
            assert len(contacts) == len(told) == 2
            assert told[member_id].name == guest.name
            assert (told[member_id].mobile, told[member_id].email) == (guest.mobile, guest.email)
            assert told[member_id].language == language_pb2.LANGUAGE_EN
            in_force = [(each.channel, each.purpose) for each in told[member_id].consents]
            assert sorted(in_force) == [
                (member_pb2.CONTACT_CHANNEL_SMS, member_pb2.CONTACT_PURPOSE_SERVICE),
                (member_pb2.CONTACT_CHANNEL_SMS, member_pb2.CONTACT_PURPOSE_MARKETING),
            ]
            assert all(each.granted for each in told[member_id].consents)
            assert told[other_id].email == ""
            for other in ("gateway", "operator", "points"):
                refused = await refusal_of(member.caller(other).call("BatchGetContacts", request))
                assert refused.reason == "CALLER_NOT_ALLOWED"

    asyncio.run(scenario())


def consent(channel: str, purpose: str, *, granted: bool) -> member_pb2.Consent:
    return member_pb2.Consent(
        channel=member_pb2.ContactChannel.Value(f"CONTACT_CHANNEL_{channel}"),
        purpose=member_pb2.ContactPurpose.Value(f"CONTACT_PURPOSE_{purpose}"),
        granted=granted,
    )
