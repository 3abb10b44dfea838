"""Rows and streams of imports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import grpc
from huitouke.points.v1 import entry_pb2, import_pb2
from huitouke.points.v1 import import_service_pb2 as pb
from huitouke.points.v1.import_service_pb2_grpc import ImportServiceStub

from chassis.rpc.status import from_rpc_error
from tests.integration.points.running import TIMEOUT_SECONDS, Caller

EARNED = datetime(2024, 5, 1, tzinfo=UTC)
EXPIRES = datetime(2099, 6, 1, tzinfo=UTC)


def opening(line: int, member: UUID | None = None, **changes: Any) -> import_pb2.OpeningBalance:
    """A row of 100 points and its line number."""
    row = import_pb2.OpeningBalance(
        line=line,
        reference=f"OLD-{line}",
        member_id=str(member or uuid4()),
        asset=entry_pb2.ASSET_POINTS,
        amount=100 + line,
    )
    row.earned_at.FromDatetime(EARNED)
    row.expires_at.FromDatetime(EXPIRES)
    for name, value in changes.items():
        if isinstance(value, datetime):
            getattr(row, name).FromDatetime(value)
        elif value is None:
            row.ClearField(name)  # type: ignore[arg-type]
        else:
            setattr(row, name, value)
    return row


def messages(
    import_id: UUID, rows: Iterable[import_pb2.OpeningBalance], size: int = 256
) -> Iterator[pb.ImportOpeningBalancesRequest]:
    """The rows, `size` a message."""
    waiting = iter(rows)
    while gathered := list(islice(waiting, size)):
        yield pb.ImportOpeningBalancesRequest(import_id=str(import_id), rows=gathered)


async def send(caller: Caller, requests: Any) -> pb.ImportOpeningBalancesResponse:
    """Stream requests, from an iterator or an asynchronous one; raises Refusal."""
    stub: Any = ImportServiceStub(caller.channel.grpc)
    try:
        answer: pb.ImportOpeningBalancesResponse = await stub.ImportOpeningBalances(
            requests, timeout=TIMEOUT_SECONDS
        )
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None
    return answer


async def progress(caller: Caller, import_id: UUID) -> import_pb2.Import:
    stub: Any = ImportServiceStub(caller.channel.grpc)
    request = pb.GetImportRequest(import_id=str(import_id))
    answer = await caller.channel.call(stub.GetImport, request, timeout_seconds=TIMEOUT_SECONDS)
    found: import_pb2.Import = getattr(answer, "import")
    return found


async def rejected(caller: Caller, import_id: UUID) -> list[tuple[int, str]]:
    """Line and reason of every rejected row, page by page."""
    stub: Any = ImportServiceStub(caller.channel.grpc)
    found, token = [], ""
    while True:
        request = pb.ListRejectedRowsRequest(
            import_id=str(import_id), page_size=3, page_token=token
        )
        answer = await caller.channel.call(
            stub.ListRejectedRows, request, timeout_seconds=TIMEOUT_SECONDS
        )
        found += [(row.line, row.reason) for row in answer.rows]
        token = answer.next_page_token
        if not token:
            return found
