"""gRPC in, for what moves value without a purchase. No rule, no SQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from huitouke.points.v1 import movement_service_pb2 as pb
from huitouke.points.v1.movement_service_pb2_grpc import MovementServiceServicer
from sqlalchemy import Connection

from chassis.clock import Clock
from chassis.identifiers import new_id
from chassis.rpc.calls import current_call, mark_replayed
from chassis.rpc.pages import PageTokens, page_size
from chassis.storage.executor import Executor, Submission
from chassis.storage.outbox import OutboxEvent
from chassis.storage.reads import Reads
from chassis.storage.requests import fingerprint
from services.points.converters.answers import to_group, to_withdrawal
from services.points.converters.movements import (
    MovementRequest,
    to_adjustment,
    to_movement,
    to_quoted_withdrawal,
)
from services.points.converters.values import ADJUSTMENT_STATES
from services.points.domain import movement_commands, movement_errors
from services.points.domain.books import Books
from services.points.domain.commands import Command
from services.points.domain.ledger import decide
from services.points.domain.movement_answers import GroupAnswer, WithdrawAnswer
from services.points.domain.programme import Programmes
from services.points.storage import movements
from services.points.storage.repository import read_books

FIRST = UUID(int=0)
"""Below every id."""


class MovementServicer(MovementServiceServicer):
    """MovementService; writes go through the ledger's executor, questions through the reads."""

    def __init__(
        self,
        *,
        executor: Executor[Command, Books, Message, OutboxEvent],
        reads: Reads,
        request_key: bytes,
        clock: Clock,
    ) -> None:
        self._executor = executor
        self._reads = reads
        self._key = request_key
        self._pages = PageTokens(request_key, "points")
        self._clock = clock

    async def PutTransferGroup(self, request: pb.PutTransferGroupRequest, context: Any) -> Any:
        return await self._write(request)

    async def TransferPoints(self, request: pb.TransferPointsRequest, context: Any) -> Any:
        return await self._write(request)

    async def AdjustBalance(self, request: pb.AdjustBalanceRequest, context: Any) -> Any:
        return await self._write(request)

    async def ApproveAdjustment(self, request: pb.ApproveAdjustmentRequest, context: Any) -> Any:
        return await self._write(request)

    async def RejectAdjustment(self, request: pb.RejectAdjustmentRequest, context: Any) -> Any:
        return await self._write(request)

    async def WithdrawStoredValue(
        self, request: pb.WithdrawStoredValueRequest, context: Any
    ) -> Any:
        return await self._write(request)

    async def RefundTopUp(self, request: pb.RefundTopUpRequest, context: Any) -> Any:
        return await self._write(request)

    async def GetTransferGroup(
        self, request: pb.GetTransferGroupRequest, context: Any
    ) -> pb.GetTransferGroupResponse:
        key = str(request.WhichOneof("key"))
        asked = UUID(getattr(request, key))
        group = await self._reads.run(
            movements.group_of_member if key == "member_id" else movements.group, asked
        )
        if group is None:
            raise movement_errors.transfer_group_not_found()
        found = GroupAnswer(group.group_id, group.member_ids, group.revision, group.updated_at)
        return pb.GetTransferGroupResponse(group=to_group(found))

    async def ListAdjustments(
        self, request: pb.ListAdjustmentsRequest, context: Any
    ) -> pb.ListAdjustmentsResponse:
        state = ADJUSTMENT_STATES[request.state]
        query = f"ListAdjustments|{state}"
        size = page_size(request.page_size)
        after = self._pages.read(query, request.page_token) or FIRST
        found = await self._reads.run(movements.list_adjustments, state, after, size + 1)
        rows = [(each.adjustment_id, to_adjustment(each)) for each in found]
        page, following = self._pages.page(query, rows, size)
        return pb.ListAdjustmentsResponse(adjustments=page, next_page_token=following)

    async def QuoteWithdrawal(
        self, request: pb.QuoteWithdrawalRequest, context: Any
    ) -> pb.QuoteWithdrawalResponse:
        command = to_quoted_withdrawal(request, new_id())
        answer = await self._reads.run_snapshot(self._quote, command)
        return pb.QuoteWithdrawalResponse(withdrawal=to_withdrawal(answer))

    async def _write(self, request: MovementRequest) -> Message:
        call = current_call()
        done = await self._executor.execute(
            Submission(
                to_movement(request),
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

    def _quote(
        self, connection: Connection, command: movement_commands.WithdrawStoredValue
    ) -> WithdrawAnswer:
        """Withdraw from books that are thrown away."""
        now = self._clock.now()
        books = read_books(connection, command, Programmes(), now)
        answer = decide(books, command, max(now, books.not_before or now)).answer
        assert isinstance(answer, WithdrawAnswer), "withdrawing answers what was withdrawn"
        return answer
