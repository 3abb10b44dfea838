"""Cards through real gRPC and PostgreSQL: what a till is told of each state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from huitouke.member.v1 import member_pb2, member_service_pb2

from tests.integration.member.requests import enrolment
from tests.integration.member.running import Caller, migrated, refusal_of, running

FROZEN, ACTIVE = member_pb2.CARD_STATE_FROZEN, member_pb2.CARD_STATE_ACTIVE
LOST, CLOSED = member_pb2.CARD_STATE_LOST, member_pb2.CARD_STATE_CLOSED


class Desk:
    """A front desk with one enrolled guest."""

    def __init__(self, caller: Caller, enrolled: member_service_pb2.EnrolResponse) -> None:
        self.caller = caller
        self.member_id = enrolled.member.member_id
        self.card_id = enrolled.issued_card.card_id
        self.number = enrolled.issued_card.number
        self._requests = 0

    async def change(self, state: Any, card_id: str = "") -> member_pb2.Card:
        self._requests += 1
        request = member_service_pb2.ChangeCardStateRequest(
            request_id=f"change-{self._requests}",
            member_id=self.member_id,
            card_id=card_id or self.card_id,
            state=state,
        )
        return (await self.caller.call("ChangeCardState", request)).card  # type: ignore[no-any-return]

    async def replace(
        self, request_id: str = "replace", member_id: str = ""
    ) -> member_service_pb2.ReplaceCardResponse:
        request = member_service_pb2.ReplaceCardRequest(
            request_id=request_id,
            member_id=member_id or self.member_id,
            reason=member_service_pb2.REPLACEMENT_REASON_LOST,
        )
        return await self.caller.call("ReplaceCard", request)  # type: ignore[no-any-return]

    async def find(self, **identifier: str) -> member_pb2.Member:
        request = member_service_pb2.FindMemberRequest(
            identifier=member_pb2.Identifier(**identifier)
        )
        return (await self.caller.call("FindMember", request)).member  # type: ignore[no-any-return]

    async def cards(self, member_id: str = "") -> list[member_pb2.Card]:
        request = member_service_pb2.ListCardsRequest(member_id=member_id or self.member_id)
        return list((await self.caller.call("ListCards", request)).cards)


@pytest.fixture
def at_the_desk(
    database_url: str, certificates: Path
) -> Callable[[Callable[[Desk], Awaitable[None]]], None]:
    """Runs a scenario at a desk that has just enrolled a guest."""

    def run(scenario: Callable[[Desk], Awaitable[None]]) -> None:
        async def play() -> None:
            async with running(migrated(database_url), certificates) as member:
                caller = member.caller()
                await scenario(Desk(caller, await caller.call("Enrol", enrolment(1))))

        asyncio.run(play())

    return run


Run = Callable[[Callable[[Desk], Awaitable[None]]], None]


def test_the_old_number_of_a_replaced_card_says_so_from_that_instant(at_the_desk: Run) -> None:
    async def scenario(desk: Desk) -> None:
        answer = await desk.replace()
        assert (await refusal_of(desk.find(card_number=desk.number))).reason == "CARD_REPLACED"
        found = await desk.find(card_number=answer.issued_card.number)
        assert found == answer.member
        assert found.card.card_id == answer.issued_card.card_id != desk.card_id
        assert len(answer.issued_card.verification_value) == 4
        listed = await desk.cards()
        assert [card.state for card in listed] == [ACTIVE, member_pb2.CARD_STATE_REPLACED]
        assert [card.card_id for card in listed] == [answer.issued_card.card_id, desk.card_id]

    at_the_desk(scenario)


def test_a_replayed_replacement_tells_the_same_card_without_its_verification_value(
    at_the_desk: Run,
) -> None:
    async def scenario(desk: Desk) -> None:
        first, again = await desk.replace(), await desk.replace()
        assert not again.issued_card.verification_value
        first.issued_card.verification_value = ""
        assert first == again
        assert len(await desk.cards()) == 2

    at_the_desk(scenario)


def test_a_frozen_card_works_again_after_it_was_unfrozen(at_the_desk: Run) -> None:
    async def scenario(desk: Desk) -> None:
        assert (await desk.change(FROZEN)).state == FROZEN
        assert (await refusal_of(desk.find(card_number=desk.number))).reason == "CARD_FROZEN"
        assert not (await desk.find(member_id=desk.member_id)).HasField("card")
        assert (await desk.change(ACTIVE)).state == ACTIVE
        assert (await desk.find(card_number=desk.number)).card.card_id == desk.card_id

    at_the_desk(scenario)


@pytest.mark.parametrize(("state", "reason"), [(LOST, "CARD_LOST"), (CLOSED, "CARD_CLOSED")])
def test_a_lost_or_closed_card_names_nobody_and_does_not_come_back(
    at_the_desk: Run, state: Any, reason: str
) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.change(state)
        assert (await refusal_of(desk.find(card_number=desk.number))).reason == reason
        refusal = await refusal_of(desk.change(ACTIVE))
        assert (refusal.reason, refusal.metadata["state"]) == ("CARD_STATE", reason[5:])

    at_the_desk(scenario)


def test_a_lost_card_is_replaced_and_a_closed_one_is_not(at_the_desk: Run) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.change(LOST)
        replaced = await desk.replace("one")
        await desk.change(CLOSED, replaced.issued_card.card_id)
        refusal = await refusal_of(desk.replace("two"))
        assert (refusal.reason, refusal.metadata) == ("CARD_STATE", {"state": "CLOSED"})

    at_the_desk(scenario)


def test_a_replaced_card_can_not_be_changed_any_more(at_the_desk: Run) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.replace()
        refusal = await refusal_of(desk.change(FROZEN))
        assert (refusal.reason, refusal.metadata) == ("CARD_STATE", {"state": "REPLACED"})

    at_the_desk(scenario)


def test_a_card_or_member_that_does_not_exist_is_refused(at_the_desk: Run) -> None:
    async def scenario(desk: Desk) -> None:
        nobody = "0197f1a2-0000-7000-8000-000000000001"
        assert (await refusal_of(desk.change(FROZEN, nobody))).reason == "CARD_UNKNOWN"
        assert (await refusal_of(desk.replace("x", nobody))).reason == "MEMBER_NOT_FOUND"
        assert (await refusal_of(desk.cards(nobody))).reason == "MEMBER_NOT_FOUND"

    at_the_desk(scenario)


def test_replaced_can_not_be_asked_for(at_the_desk: Run) -> None:
    async def scenario(desk: Desk) -> None:
        refusal = await refusal_of(desk.change(member_pb2.CARD_STATE_REPLACED))
        assert refusal.reason == "INVALID_FIELD"

    at_the_desk(scenario)


def test_a_mistyped_and_a_never_issued_number_are_unknown_alike(at_the_desk: Run) -> None:
    async def scenario(desk: Desk) -> None:
        last = str((int(desk.number[-1]) + 1) % 10)
        for number in (desk.number[:-1] + last, "8866000000000008"):
            assert (await refusal_of(desk.find(card_number=number))).reason == "CARD_UNKNOWN"

    at_the_desk(scenario)
