"""gRPC in: streams of rows through the executor, questions through the reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from huitouke.points.v1 import import_service_pb2 as pb
from huitouke.points.v1.import_service_pb2_grpc import ImportServiceServicer

from chassis.rpc.calls import current_call
from chassis.rpc.pages import PageTokens, page_size
from chassis.storage.reads import Reads
from services.points.converters.imports import to_import, to_rejected
from services.points.servicers.importing import (
    Intake,
    LedgerExecutor,
    ProgressExecutor,
    in_batches,
)
from services.points.storage import imports


class ImportServicer(ImportServiceServicer):
    """ImportService; only the operator is let in."""

    def __init__(
        self,
        *,
        executor: LedgerExecutor,
        progress: ProgressExecutor,
        reads: Reads,
        request_key: bytes,
    ) -> None:
        self._executor = executor
        self._progress = progress
        self._reads = reads
        self._tokens = PageTokens(request_key, "points-imports")

    async def ImportOpeningBalances(
        self, request_iterator: AsyncIterator[pb.ImportOpeningBalancesRequest], context: Any
    ) -> pb.ImportOpeningBalancesResponse:
        intake = Intake(self._executor, self._progress, current_call())
        try:
            async for import_id, rows in in_batches(request_iterator):
                await intake.take(import_id, rows)
            await intake.finish()
        finally:
            intake.give_up()
        return intake.response

    async def GetImport(self, request: pb.GetImportRequest, context: Any) -> pb.GetImportResponse:
        progress = await self._reads.run_snapshot(imports.progress_of, UUID(request.import_id))
        return pb.GetImportResponse(**{"import": to_import(progress)})

    async def ListRejectedRows(
        self, request: pb.ListRejectedRowsRequest, context: Any
    ) -> pb.ListRejectedRowsResponse:
        """Page by line; a token holds the last line as a number of an id's width."""
        import_id, size = UUID(request.import_id), page_size(request.page_size)
        query = f"rejected/{import_id}"
        after = self._tokens.read(query, request.page_token)
        rows = await self._reads.run(
            imports.rejected_rows, import_id, after.int if after else 0, size + 1
        )
        keyed = [(UUID(int=row.line), to_rejected(row)) for row in rows]
        page, token = self._tokens.page(query, keyed, size)
        return pb.ListRejectedRowsResponse(rows=page, next_page_token=token)
