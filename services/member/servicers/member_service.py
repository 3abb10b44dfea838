"""MemberService: writes through the executor, reads in their own threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

from huitouke.member.v1 import member_pb2, member_service_pb2
from huitouke.member.v1.member_service_pb2_grpc import MemberServiceServicer

from chassis.clock import Clock
from chassis.kernel import Refusal
from chassis.rpc import validation
from chassis.rpc.batch import ItemContext, fill_outcomes, run_batch
from chassis.rpc.calls import Call, current_call, mark_replayed
from chassis.security import UnreadableFieldError
from chassis.storage.executor import Executor, Submission
from chassis.storage.reads import Reads
from chassis.storage.requests import fingerprint
from chassis.telemetry.logs import get_logger
from services.member.converters.requests import (
    Drawn,
    to_change_card_state,
    to_enrol,
    to_identifier,
    to_replace_card,
)
from services.member.converters.responses import (
    Response,
    to_card,
    to_contact,
    to_member,
    to_outcome,
    today_in_china,
)
from services.member.domain.birthdays import LunarCalendar
from services.member.domain.book import Book
from services.member.domain.commands import Command
from services.member.domain.events import Event
from services.member.domain.identifiers import Identifier
from services.member.storage.queries import MemberQueries

R = TypeVar("R")
_log = get_logger("member")
WriteRequest = (
    member_service_pb2.EnrolRequest
    | member_service_pb2.ReplaceCardRequest
    | member_service_pb2.ChangeCardStateRequest
)


class MemberServicer(MemberServiceServicer):
    """Serves huitouke.member.v1.MemberService; the proto's comments are its contract."""

    def __init__(
        self,
        *,
        executor: Executor[Command, Book, Response, Event],
        reads: Reads,
        queries: MemberQueries,
        drawn: Drawn,
        request_key: bytes,
        clock: Clock,
        calendar: LunarCalendar,
    ) -> None:
        self._executor = executor
        self._reads = reads
        self._queries = queries
        self._drawn = drawn
        self._request_key = request_key
        self._clock = clock
        self._calendar = calendar

    async def Enrol(
        self, request: member_service_pb2.EnrolRequest, context: Any
    ) -> member_service_pb2.EnrolResponse:
        return await self._execute(
            self._enrolment(request, current_call()), member_service_pb2.EnrolResponse
        )

    async def BatchEnrol(
        self, request: member_service_pb2.BatchEnrolRequest, context: Any
    ) -> member_service_pb2.BatchEnrolResponse:
        results = await run_batch(request.items, self._enrolment, self._executor)
        response = member_service_pb2.BatchEnrolResponse()
        fill_outcomes(response, results, lambda answer: answer)
        return response

    async def ReplaceCard(
        self, request: member_service_pb2.ReplaceCardRequest, context: Any
    ) -> member_service_pb2.ReplaceCardResponse:
        command = to_replace_card(request, self._drawn)
        return await self._execute(
            self._submission(command, request, current_call()),
            member_service_pb2.ReplaceCardResponse,
        )

    async def ChangeCardState(
        self, request: member_service_pb2.ChangeCardStateRequest, context: Any
    ) -> member_service_pb2.ChangeCardStateResponse:
        return await self._execute(
            self._submission(to_change_card_state(request), request, current_call()),
            member_service_pb2.ChangeCardStateResponse,
        )

    async def FindMember(
        self, request: member_service_pb2.FindMemberRequest, context: Any
    ) -> member_service_pb2.FindMemberResponse:
        member = await self._reads.run(self._queries.find, to_identifier(request.identifier))
        today = today_in_china(self._clock.now())
        return member_service_pb2.FindMemberResponse(
            member=to_member(member, today, self._calendar)
        )

    async def BatchResolve(
        self, request: member_service_pb2.BatchResolveRequest, context: Any
    ) -> member_service_pb2.BatchResolveResponse:
        identifiers = [_admitted(identifier) for identifier in request.identifiers]
        good = [each for each in identifiers if isinstance(each, Identifier)]
        found = iter(await self._reads.run(self._queries.resolve, good) if good else ())
        outcomes = [each if isinstance(each, Refusal) else next(found) for each in identifiers]
        _log_unreadable(outcomes)
        today = today_in_china(self._clock.now())
        return member_service_pb2.BatchResolveResponse(
            outcomes=[to_outcome(outcome, today, self._calendar) for outcome in outcomes]
        )

    async def BatchGetContacts(
        self, request: member_service_pb2.BatchGetContactsRequest, context: Any
    ) -> member_service_pb2.BatchGetContactsResponse:
        ids = _ids(request.member_ids)
        found = await self._reads.run(self._queries.contacts, ids)
        _log_unreadable(found)
        contacts = [each for each in found if not isinstance(each, UnreadableFieldError)]
        call = current_call()
        _log.info(
            "contacts_read", caller=call.caller, members=[str(c.member_id) for c in contacts],
            trace=call.traceparent,
        )  # fmt: skip
        return member_service_pb2.BatchGetContactsResponse(
            contacts=[to_contact(contact) for contact in contacts]
        )

    async def ListCards(
        self, request: member_service_pb2.ListCardsRequest, context: Any
    ) -> member_service_pb2.ListCardsResponse:
        cards = await self._reads.run(self._queries.cards, UUID(request.member_id))
        return member_service_pb2.ListCardsResponse(cards=[to_card(card) for card in cards])

    def _enrolment(
        self, request: member_service_pb2.EnrolRequest, context: Call | ItemContext
    ) -> Submission[Command]:
        return self._submission(to_enrol(request, self._drawn), request, context)

    def _submission(
        self, command: Command, request: WriteRequest, context: Call | ItemContext
    ) -> Submission[Command]:
        return Submission(
            command,
            context.caller,
            request.request_id,
            fingerprint(request, self._request_key),
            context.deadline_monotonic,
            context.traceparent,
        )

    async def _execute(self, submission: Submission[Command], _response: type[R]) -> R:
        """Return the answer, which is of the type that the command answers with."""
        done = await self._executor.execute(submission)
        if done.replayed:
            mark_replayed()
        return cast("R", done.answer)


def _log_unreadable(outcomes: Sequence[object]) -> None:
    """Log what is wrong with stored rows; the text names a column, never a value."""
    for outcome in outcomes:
        if isinstance(outcome, UnreadableFieldError):
            _log.error("field_unreadable", exc_info=outcome)


def _admitted(identifier: member_pb2.Identifier) -> Identifier | Refusal:
    """Return the identifier in normal form, or why this one alone is refused."""
    try:
        validation.validate(identifier)
        return to_identifier(identifier)
    except Refusal as refusal:
        return refusal


def _ids(texts: Sequence[str]) -> list[UUID]:
    return [UUID(text) for text in texts]
