"""Races for one mobile, e-mail, card and request id: one winner, and a reason for each loser."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
from huitouke.member.v1 import member_pb2, member_service_pb2

from chassis.kernel import Refusal
from tests.integration.member.requests import enrolment
from tests.integration.member.running import Caller, migrated, running

CALLS = 64


async def outcomes(*calls: Any) -> list[Any]:
    """Answers and refusals of calls made at once; anything else fails the test."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(each, Refusal) or not isinstance(each, BaseException) for each in results)
    return list(results)


def reasons(results: list[Any]) -> Counter[str]:
    return Counter(each.reason if isinstance(each, Refusal) else "OK" for each in results)


async def replace(desk: Caller, member_id: str, request_id: str) -> Any:
    return await desk.call(
        "ReplaceCard",
        member_service_pb2.ReplaceCardRequest(
            request_id=f"replace-{request_id}",
            member_id=member_id,
            reason=member_service_pb2.REPLACEMENT_REASON_DAMAGED,
        ),
    )


def deadlocks(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        statement = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        (count,) = connection.execute(statement).fetchone() or (0,)
        return int(count)


def rows(database_url: str, table: str) -> int:
    with psycopg.connect(database_url) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)
        return int(count)


def test_one_mobile_enrolled_many_times_at_two_replicas_gives_one_member(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> list[Any]:
        url = migrated(database_url)
        async with running(url, certificates) as one, running(url, certificates) as other:
            desks = [one.caller(), other.caller()]
            return await outcomes(
                *(desks[number % 2].call("Enrol", enrolment(1)) for number in range(CALLS))
            )

    results = asyncio.run(scenario())
    assert reasons(results) == {"OK": 1, "ALREADY_ENROLLED": CALLS - 1}
    (answer,) = [each for each in results if not isinstance(each, Refusal)]
    told = {each.metadata["member_id"] for each in results if isinstance(each, Refusal)}
    assert told == {answer.member.member_id}
    assert rows(database_url, "members") == rows(database_url, "outbox") == 1


def test_replicas_that_enrol_the_same_guests_in_opposite_orders_never_block_each_other(
    database_url: str, certificates: Path
) -> None:
    guests = range(1, 129)

    def batch(numbers: Any) -> member_service_pb2.BatchEnrolRequest:
        request = member_service_pb2.BatchEnrolRequest()
        for number in numbers:
            guest = enrolment(number, email=f"g{number}@example.com")
            request.items.add().request.CopyFrom(guest)
        return request

    async def scenario() -> list[Any]:
        url = migrated(database_url)
        async with running(url, certificates) as one, running(url, certificates) as other:
            calls = []
            for _ in range(4):
                calls.append(one.caller().call("BatchEnrol", batch(guests)))
                calls.append(other.caller().call("BatchEnrol", batch(reversed(guests))))
            return await outcomes(*calls)

    results = asyncio.run(scenario())
    kinds = Counter(
        outcome.WhichOneof("result") for answer in results for outcome in answer.outcomes
    )
    assert kinds == {"response": len(guests), "error": 7 * len(guests)}
    assert rows(database_url, "members") == len(guests)
    assert deadlocks(database_url) == 0


def test_referred_enrolments_and_the_referrers_card_changes_never_deadlock(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> list[Any]:
        url = migrated(database_url)
        async with running(url, certificates) as one, running(url, certificates) as other:
            desks = [one.caller(), other.caller()]
            referrers = [
                (await desks[0].call("Enrol", enrolment(number))).member for number in (1, 2)
            ]
            calls = []
            for number in range(CALLS):
                for mine, its in ((0, 1), (1, 0)):
                    desk = desks[mine]
                    calls.append(replace(desk, referrers[mine].member_id, f"{number}-{mine}"))
                    guest = enrolment(
                        100 + 2 * number + mine, referrer_code=referrers[its].referral_code
                    )
                    calls.append(desk.call("Enrol", guest))
            return await outcomes(*calls)

    assert reasons(asyncio.run(scenario())) == {"OK": 4 * CALLS}
    assert deadlocks(database_url) == 0


def test_one_email_wanted_by_many_guests_goes_to_one(database_url: str, certificates: Path) -> None:
    async def scenario() -> list[Any]:
        url = migrated(database_url)
        async with running(url, certificates) as one, running(url, certificates) as other:
            desks = [one.caller(), other.caller()]
            return await outcomes(
                *(
                    desks[number % 2].call("Enrol", enrolment(number, email="one@example.com"))
                    for number in range(CALLS)
                )
            )

    assert reasons(asyncio.run(scenario())) == {"OK": 1, "EMAIL_TAKEN": CALLS - 1}


def test_one_request_sent_many_times_to_two_replicas_has_one_effect_and_equal_answers(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> list[Any]:
        url = migrated(database_url)
        async with running(url, certificates) as one, running(url, certificates) as other:
            desks = [one.caller(), other.caller()]
            request = enrolment(1)
            return await outcomes(
                *(desks[number % 2].call("Enrol", request) for number in range(CALLS))
            )

    answers = asyncio.run(scenario())
    assert reasons(answers) == {"OK": CALLS}
    assert sum(bool(answer.issued_card.verification_value) for answer in answers) == 1
    for answer in answers:
        answer.issued_card.verification_value = ""
    assert all(answer == answers[0] for answer in answers)
    assert rows(database_url, "members") == 1


def test_a_card_replaced_many_times_at_once_leaves_one_active_card(
    database_url: str, certificates: Path
) -> None:

    async def scenario() -> tuple[list[Any], Any]:
        url = migrated(database_url)
        async with running(url, certificates) as one, running(url, certificates) as other:
            desks = [one.caller(), other.caller()]
            member_id = (await desks[0].call("Enrol", enrolment(1))).member.member_id
            results = await outcomes(
                *(replace(desks[number % 2], member_id, str(number)) for number in range(CALLS))
            )
            request = member_service_pb2.ListCardsRequest(member_id=member_id)
            return results, await desks[0].call("ListCards", request)

    results, listed = asyncio.run(scenario())
    assert reasons(results) == {"OK": CALLS}
    states = Counter(card.state for card in listed.cards)
    assert states == {member_pb2.CARD_STATE_ACTIVE: 1, member_pb2.CARD_STATE_REPLACED: CALLS}
    with psycopg.connect(database_url) as connection:
        versions = connection.execute("SELECT version FROM outbox ORDER BY seq").fetchall()
    assert [version for (version,) in versions] == list(range(1, CALLS + 2))
