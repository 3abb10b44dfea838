"""A member's statement, read from the ledger part by part and shown as the merchant may see it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.gateway.v1 import partner_service_pb2 as pb
from huitouke.points.v1 import report_service_pb2

from chassis.storage.reads import Reads
from gateway.converters import statements as convert
from gateway.converters.instants import read_instant, to_timestamp
from gateway.converters.members import to_identifier
from gateway.domain import errors
from gateway.domain.principals import Principal
from gateway.servicers.upstream import Members, Reports
from gateway.storage import reads as read

StatementLine = report_service_pb2.StatementLine


class Statements:
    """Streams statements; keeps one part of the ledger's in memory at a time."""

    def __init__(self, members: Members, reports: Reports, reads: Reads) -> None:
        self._members = members
        self._reports = reports
        self._reads = reads

    async def export(
        self, request: pb.ExportStatementRequest, principal: Principal
    ) -> AsyncIterator[pb.ExportStatementResponse]:
        """Give the file's parts; raises Refusal for a period that ends before it begins."""
        since, until = _instant(request, "since"), _instant(request, "until")
        if since and until and until.ToNanoseconds() < since.ToNanoseconds():
            raise errors.invalid_field("until", "must not lie before `since`")
        member = await self._members.resolve(to_identifier(request.member))
        asked = report_service_pb2.ExportStatementRequest(
            member_id=member.member_id,
            since=since,
            before=until,
            format=report_service_pb2.STATEMENT_FORMAT_ROWS,
        )
        async for part in self._reports.statement(asked):
            csv = convert.csv_opening(part.opening) if part.HasField("opening") else b""
            csv += await self._lines(part.lines, principal)
            if part.HasField("closing"):
                csv += convert.csv_closing(part.closing)
            yield pb.ExportStatementResponse(csv=csv)

    async def _lines(
        self, lines: Sequence[report_service_pb2.StatementLine], principal: Principal
    ) -> bytes:
        merchants = {UUID(line.merchant_id) for line in lines if line.merchant_id}
        names = await self._reads.run(read.merchant_names, sorted(merchants))
        return convert.csv_lines(lines, names, principal.merchant_id)


def _instant(request: Message, field: str) -> Timestamp | None:
    if not request.HasField(field):
        return None
    return to_timestamp(read_instant(getattr(request, field), field))
