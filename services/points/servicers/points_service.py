"""gRPC in: requests into commands and questions, answers out. No rule, no SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from huitouke.points.v1 import hold_pb2
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1.points_service_pb2_grpc import PointsServiceServicer
from sqlalchemy import Connection

from chassis.clock import Clock
from chassis.identifiers import new_id
from chassis.rpc.batch import ItemContext, fill_outcomes, run_batch
from chassis.rpc.calls import Call, current_call, mark_replayed
from chassis.rpc.pages import PageTokens, page_size
from chassis.storage.executor import Executor, Submission
from chassis.storage.outbox import OutboxEvent
from chassis.storage.reads import Reads
from chassis.storage.requests import fingerprint
from services.points.converters.answers import to_available, to_balances, to_posted
from services.points.converters.holds import to_hold
from services.points.converters.programmes import from_programme
from services.points.converters.reports import to_entries
from services.points.converters.requests import (
    WriteRequest,
    to_command,
    to_publish,
    to_quote,
)
from services.points.converters.values import to_instant
from services.points.converters.verification import to_verification
from services.points.domain import errors
from services.points.domain.accounts import Balances
from services.points.domain.answers import PostAnswer
from services.points.domain.books import Books
from services.points.domain.commands import Command, PostCheckout, ProgrammeCommand, SettleDue
from services.points.domain.ledger import balances_at, decide
from services.points.domain.programme import Programme, Programmes
from services.points.domain.publishing import Shelf
from services.points.storage import holds, queries
from services.points.storage.programmes import read_newer
from services.points.storage.reports.ranges import stop_at
from services.points.storage.reports.verification import verify as recompute
from services.points.storage.repository import read_books

NEWEST = 2**63 - 1
"""Above every version."""


class PointsServicer(PointsServiceServicer):
    """PointsService; writes go through the executors, questions through the reads."""

    def __init__(
        self,
        *,
        executor: Executor[Command, Books, Message, OutboxEvent],
        publisher: Executor[ProgrammeCommand, Shelf, Message, OutboxEvent],
        reads: Reads,
        reports: Reads,
        request_key: bytes,
        clock: Clock,
    ) -> None:
        self._executor = executor
        self._publisher = publisher
        self._reads = reads
        self._reports = reports
        self._key = request_key
        self._clock = clock
        self._tokens = PageTokens(request_key, "points")
        self._programmes = Programmes()

    async def Post(self, request: pb.PostRequest, context: Any) -> Any:
        return await self._write(request)

    async def CancelPost(self, request: pb.CancelPostRequest, context: Any) -> Any:
        return await self._write(request)

    async def Reverse(self, request: pb.ReverseRequest, context: Any) -> Any:
        return await self._write(request)

    async def UndoPost(self, request: pb.UndoPostRequest, context: Any) -> Any:
        return pb.UndoPostResponse(reversal=await self._write(request))

    async def TopUp(self, request: pb.TopUpRequest, context: Any) -> Any:
        return await self._write(request)

    async def AuthorizeHold(self, request: hold_pb2.AuthorizeHoldRequest, context: Any) -> Any:
        return await self._write(request)

    async def CaptureHold(self, request: hold_pb2.CaptureHoldRequest, context: Any) -> Any:
        return await self._write(request)

    async def ReleaseHold(self, request: hold_pb2.ReleaseHoldRequest, context: Any) -> Any:
        return await self._write(request)

    async def BatchPost(self, request: pb.BatchPostRequest, context: Any) -> Any:
        return await self._write_all(request.items, pb.BatchPostResponse())

    async def BatchReverse(self, request: pb.BatchReverseRequest, context: Any) -> Any:
        return await self._write_all(request.items, pb.BatchReverseResponse())

    async def BatchTopUp(self, request: pb.BatchTopUpRequest, context: Any) -> Any:
        return await self._write_all(request.items, pb.BatchTopUpResponse())

    async def BatchAuthorizeHold(
        self, request: hold_pb2.BatchAuthorizeHoldRequest, context: Any
    ) -> Any:
        return await self._write_all(request.items, hold_pb2.BatchAuthorizeHoldResponse())

    async def BatchCaptureHold(
        self, request: hold_pb2.BatchCaptureHoldRequest, context: Any
    ) -> Any:
        return await self._write_all(request.items, hold_pb2.BatchCaptureHoldResponse())

    async def BatchReleaseHold(
        self, request: hold_pb2.BatchReleaseHoldRequest, context: Any
    ) -> Any:
        return await self._write_all(request.items, hold_pb2.BatchReleaseHoldResponse())

    async def PublishProgramme(self, request: pb.PublishProgrammeRequest, context: Any) -> Any:
        call = current_call()
        done = await self._publisher.execute(
            Submission(
                to_publish(request),
                call.caller,
                request.request_id,
                fingerprint(request, self._key),
                call.deadline_monotonic,
                call.traceparent,
            )
        )
        if done.replayed:
            mark_replayed()
        return done.answer

    async def Quote(self, request: pb.QuoteRequest, context: Any) -> pb.QuoteResponse:
        command = to_quote(request, new_id())
        answer = await self._reads.run_snapshot(self._quote, command)
        return pb.QuoteResponse(posted=to_posted(answer.posted))

    async def GetBalances(
        self, request: pb.GetBalancesRequest, context: Any
    ) -> pb.GetBalancesResponse:
        member_id = UUID(request.member_id)
        balances = await self._reads.run_snapshot(self._balances, member_id)
        return pb.GetBalancesResponse(
            balances=to_balances(balances), available=to_available(balances)
        )

    async def GetHold(
        self, request: hold_pb2.GetHoldRequest, context: Any
    ) -> hold_pb2.GetHoldResponse:
        member_id, hold_id = UUID(request.member_id), UUID(request.hold_id)
        hold = await self._reads.run(holds.read_one, member_id, hold_id)
        if hold is None:
            raise errors.hold_not_found(hold_id)
        return hold_pb2.GetHoldResponse(hold=to_hold(hold, self._clock.now()))

    async def ListOpenHolds(
        self, request: hold_pb2.ListOpenHoldsRequest, context: Any
    ) -> hold_pb2.ListOpenHoldsResponse:
        found = await self._reads.run(holds.read_open, UUID(request.member_id))
        now = self._clock.now()
        return hold_pb2.ListOpenHoldsResponse(
            holds=[to_hold(hold, now) for hold in found if not hold.timed_out(now)]
        )

    async def ListEntries(
        self, request: pb.ListEntriesRequest, context: Any
    ) -> pb.ListEntriesResponse:
        member_id = UUID(request.member_id)
        since = to_instant(request.since, "since") if request.HasField("since") else None
        until = to_instant(request.until, "until") if request.HasField("until") else None
        query = f"ListEntries|{member_id}|{since}|{until}"
        last = self._tokens.read(query, request.page_token)
        size = page_size(request.page_size)
        entries = await self._reads.run(
            queries.statement, member_id, last.int if last else NEWEST, since, until, size + 1
        )
        rows = [(UUID(int=entry.version), entry) for entry in entries]
        page, token = self._tokens.page(query, rows, size)
        return pb.ListEntriesResponse(entries=to_entries(page), next_page_token=token)

    async def GetProgramme(
        self, request: pb.GetProgrammeRequest, context: Any
    ) -> pb.GetProgrammeResponse:
        programme = await self._reads.run(self._programme, request.version)
        return pb.GetProgrammeResponse(programme=from_programme(programme))

    async def VerifyBooks(self, request: pb.VerifyBooksRequest, context: Any) -> Any:
        in_time = stop_at(current_call().deadline_monotonic)
        return to_verification(await self._reports.run_snapshot(recompute, lambda _: in_time()))

    async def _write(self, request: WriteRequest) -> Any:
        done = await self._executor.execute(self._submission(request, current_call()))
        if done.replayed:
            mark_replayed()
        return done.answer

    async def _write_all(self, items: Sequence[Any], response: Message) -> Any:
        """Run a batch's items and put each outcome into its response."""
        outcomes = await run_batch(items, self._submission, self._executor)
        return fill_outcomes(response, outcomes, _as_it_is)

    def _submission(self, request: WriteRequest, call: Call | ItemContext) -> Submission[Command]:
        return Submission(
            to_command(request),
            call.caller,
            request.request_id,
            fingerprint(request, self._key),
            call.deadline_monotonic,
            call.traceparent,
        )

    def _quote(self, connection: Connection, command: PostCheckout) -> PostAnswer:
        """Post on books that are thrown away."""
        now = self._clock.now()
        books = read_books(connection, command, self._programmes, now)
        answer = decide(books, command, max(now, books.not_before or now)).answer
        assert isinstance(answer, PostAnswer), "posting answers what was posted"
        return answer

    def _balances(self, connection: Connection, member_id: UUID) -> Balances:
        now = self._clock.now()
        books = read_books(connection, SettleDue(member_id), self._programmes, now)
        return balances_at(books, member_id, max(now, books.not_before or now))

    def _programme(self, connection: Connection, version: int) -> Programme:
        read_newer(connection, self._programmes)
        if version:
            return self._programmes.get(version)
        return self._programmes.valid_at(self._clock.now())


def _as_it_is(response: Message) -> Message:
    """Executors answer with the messages themselves."""
    return response
