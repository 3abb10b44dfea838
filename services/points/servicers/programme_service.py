"""gRPC in: drafts, activation, retirement, and dry runs over history. No rule, no SQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from threading import Event
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from huitouke.points.v1 import programme_service_pb2 as pb
from huitouke.points.v1.programme_service_pb2_grpc import ProgrammeServiceServicer
from sqlalchemy import Connection

from chassis.clock import Clock
from chassis.identifiers import new_id
from chassis.rpc.calls import current_call, mark_replayed
from chassis.rpc.pages import PageTokens, page_size
from chassis.storage.executor import Executor, Submission
from chassis.storage.outbox import OutboxEvent
from chassis.storage.reads import Reads
from chassis.storage.requests import fingerprint
from services.points.converters.drafts import (
    CHECKOUTS_MAX,
    ProgrammeRequest,
    posted_range,
    to_difference,
    to_draft,
    to_programme_command,
    to_summary,
)
from services.points.domain import errors
from services.points.domain.commands import ProgrammeCommand
from services.points.domain.drafts import Draft
from services.points.domain.dry_runs import subject
from services.points.domain.programme import Programme, Programmes
from services.points.domain.publishing import Shelf
from services.points.storage import drafts, history, trials
from services.points.storage.programmes import read_drafts, read_newer

LIST_QUERY = "ListProgrammes"


class ProgrammeServicer(ProgrammeServiceServicer):
    """ProgrammeService; writes go through the programme's executor, dry runs have their own reads.

    `trials` has few connections, so few dry runs go on at once; more wait.
    """

    def __init__(
        self,
        *,
        publisher: Executor[ProgrammeCommand, Shelf, Message, OutboxEvent],
        reads: Reads,
        trials: Reads,
        request_key: bytes,
        clock: Clock,
    ) -> None:
        self._publisher = publisher
        self._reads = reads
        self._trials = trials
        self._key = request_key
        self._tokens = PageTokens(request_key, "points")
        self._clock = clock
        self._programmes = Programmes()

    async def CreateProgrammeDraft(
        self, request: pb.CreateProgrammeDraftRequest, context: Any
    ) -> Any:
        return await self._write(request)

    async def UpdateProgrammeDraft(
        self, request: pb.UpdateProgrammeDraftRequest, context: Any
    ) -> Any:
        return await self._write(request)

    async def DiscardProgrammeDraft(
        self, request: pb.DiscardProgrammeDraftRequest, context: Any
    ) -> Any:
        return await self._write(request)

    async def ActivateProgramme(self, request: pb.ActivateProgrammeRequest, context: Any) -> Any:
        return await self._write(request)

    async def RetireProgramme(self, request: pb.RetireProgrammeRequest, context: Any) -> Any:
        return await self._write(request)

    async def GetProgrammeDraft(self, request: pb.GetProgrammeDraftRequest, context: Any) -> Any:
        draft = await self._reads.run_snapshot(self._draft, UUID(request.draft_id))
        message = to_draft(draft, self._programmes, self._clock.now())
        return pb.GetProgrammeDraftResponse(draft=message)

    async def ListProgrammes(self, request: pb.ListProgrammesRequest, context: Any) -> Any:
        before = self._tokens.read(LIST_QUERY, request.page_token)
        size = page_size(request.page_size)
        rows = await self._reads.run_snapshot(self._listed, before, size + 1)
        page, token = self._tokens.page(LIST_QUERY, rows, size)
        now = self._clock.now()
        active = self._programmes.valid_at(now).version
        summaries = [to_summary(each, active, now) for each in page]
        return pb.ListProgrammesResponse(programmes=summaries, next_page_token=token)

    async def DryRunProgramme(
        self, request: pb.DryRunProgrammeRequest, context: Any
    ) -> AsyncIterator[pb.DryRunProgrammeResponse]:
        posted_from, posted_until = posted_range(request)
        programme = await self._reads.run_snapshot(self._subject, request)
        trial = history.Trial(
            subject(programme, ignore_rule_validity=request.ignore_rule_validity),
            posted_from,
            posted_until,
            UUID(request.member_from) if request.member_from else history.FIRST_MEMBER,
            UUID(request.member_until) if request.member_until else history.LAST_MEMBER,
            request.checkouts_max or CHECKOUTS_MAX,
        )
        async for response in self._run(trial, programme):
            yield response

    async def _run(
        self, trial: history.Trial, programme: Programme
    ) -> AsyncIterator[pb.DryRunProgrammeResponse]:
        """Run in a thread of the trials' and pass on what it reports; the caller may leave."""
        found: asyncio.Queue[pb.DryRunProgrammeResponse | None] = asyncio.Queue()
        loop, stopping = asyncio.get_running_loop(), Event()

        def report(progress: trials.Progress) -> None:
            message = to_difference(
                progress.tally,
                programme,
                done=progress.done,
                complete=progress.complete,
                next_member=progress.next_member,
                stopped_at=progress.stopped_at,
            )
            loop.call_soon_threadsafe(found.put_nowait, message)

        running = asyncio.ensure_future(
            self._trials.run_snapshot(trials.run, trial, report, stopping)
        )
        running.add_done_callback(lambda _: found.put_nowait(None))
        try:
            while (response := await found.get()) is not None:
                yield response
            await running  # raises what went wrong
        finally:
            stopping.set()

    async def _write(self, request: ProgrammeRequest) -> Message:
        call = current_call()
        done = await self._publisher.execute(
            Submission(
                to_programme_command(request, new_id()),
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

    def _draft(self, connection: Connection, draft_id: UUID) -> Draft:
        read_newer(connection, self._programmes)
        found = read_drafts(connection, [draft_id])
        if not found:
            raise errors.draft_not_found(draft_id)
        return found[0]

    def _listed(
        self, connection: Connection, before: UUID | None, limit: int
    ) -> list[tuple[UUID, drafts.Listed]]:
        read_newer(connection, self._programmes)
        return drafts.listed(connection, before, limit)

    def _subject(self, connection: Connection, request: pb.DryRunProgrammeRequest) -> Programme:
        """The draft or version that a dry run tries."""
        if request.draft_id:
            return self._draft(connection, UUID(request.draft_id)).programme
        read_newer(connection, self._programmes)
        return self._programmes.get(request.version)
