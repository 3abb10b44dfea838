"""gRPC in: questions of accountants and auditors. No rule, no SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from google.protobuf.message import Message
from huitouke.points.v1 import report_service_pb2 as pb
from huitouke.points.v1.report_service_pb2_grpc import ReportServiceServicer

from chassis.clock import Clock
from chassis.rpc.calls import current_call
from chassis.storage.reads import Reads
from services.points.converters import statements as convert
from services.points.converters.liability import to_liability
from services.points.converters.trial_balances import to_trial_balance
from services.points.converters.values import to_instant, to_zone
from services.points.domain import errors
from services.points.domain.statements import StatementFrame, StatementLine
from services.points.storage.reports.liability import liability
from services.points.storage.reports.ranges import stop_at
from services.points.storage.reports.statements import (
    PAGE_LINES,
    statement_frame,
    statement_lines,
)
from services.points.storage.reports.trial_balance import trial_balance

TIME_ZONE_DEFAULT: Final = "Asia/Shanghai"


class ReportServicer(ReportServiceServicer):
    """ReportService; scans of the ledger go through `reports`, single members through `reads`."""

    def __init__(self, *, reads: Reads, reports: Reads, clock: Clock) -> None:
        self._reads = reads
        self._reports = reports
        self._clock = clock

    async def GetLiabilityReport(self, request: pb.GetLiabilityReportRequest, context: Any) -> Any:
        now = self._clock.now()
        as_of = _instant(request, "as_of")
        _refuse_future("as_of", as_of, now)
        zone = to_zone(request.time_zone or TIME_ZONE_DEFAULT, "time_zone")
        in_time = stop_at(current_call().deadline_monotonic)
        return to_liability(await self._reports.run_snapshot(liability, as_of, zone, now, in_time))

    async def GetTrialBalance(self, request: pb.GetTrialBalanceRequest, context: Any) -> Any:
        now = self._clock.now()
        since, before = _period(request)
        _refuse_future("before", before, now)
        _refuse_future("since", since, now)
        in_time = stop_at(current_call().deadline_monotonic)
        return to_trial_balance(
            await self._reports.run_snapshot(trial_balance, since, before, now, in_time)
        )

    async def ExportStatement(
        self, request: pb.ExportStatementRequest, context: Any
    ) -> AsyncIterator[pb.ExportStatementResponse]:
        since, before = _period(request)
        frame = await self._reads.run(statement_frame, UUID(request.member_id), since, before)
        as_csv = request.format == pb.STATEMENT_FORMAT_CSV
        lines = await self._reads.run(statement_lines, frame, None)
        part = _part(lines, as_csv=as_csv)
        part.opening.CopyFrom(convert.to_statement_balances(frame.opening))
        part.csv = (convert.csv_opening(frame) + part.csv) if as_csv else b""
        while len(lines) == PAGE_LINES:
            yield part
            lines = await self._reads.run(statement_lines, frame, lines[-1])
            part = _part(lines, as_csv=as_csv)
        yield _closed(part, frame, as_csv=as_csv)


def _part(lines: list[StatementLine], *, as_csv: bool) -> pb.ExportStatementResponse:
    if as_csv:
        return pb.ExportStatementResponse(csv=convert.csv_lines(lines))
    return pb.ExportStatementResponse(lines=convert.to_lines(lines))


def _closed(
    part: pb.ExportStatementResponse, frame: StatementFrame, *, as_csv: bool
) -> pb.ExportStatementResponse:
    part.closing.CopyFrom(convert.to_statement_balances(frame.closing))
    part.csv += convert.csv_closing(frame) if as_csv else b""
    return part


def _period(
    request: pb.GetTrialBalanceRequest | pb.ExportStatementRequest,
) -> tuple[datetime | None, datetime | None]:
    since, before = _instant(request, "since"), _instant(request, "before")
    if since is not None and before is not None and before < since:
        raise errors.period_invalid("before", "must not lie before `since`")
    return since, before


def _instant(request: Message, field: str) -> datetime | None:
    return to_instant(getattr(request, field), field) if request.HasField(field) else None


def _refuse_future(field: str, instant: datetime | None, now: datetime) -> None:
    if instant is not None and instant > now:
        raise errors.period_invalid(field, "must not lie in the future; leave it out for now")
