"""The ledger's reports, streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from huitouke.points.v1 import report_service_pb2, report_service_pb2_grpc

from chassis.rpc.client import Channel

STATEMENT_SECONDS_MAX: Final = 60.0
"""What the longest statement takes; the till's own deadline cuts it shorter."""


class ReportClient:
    """Statements. Raises Refusal with the ledger's own reason."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub: Any = report_service_pb2_grpc.ReportServiceStub(channel.grpc)

    def statement(
        self, request: report_service_pb2.ExportStatementRequest
    ) -> AsyncIterator[report_service_pb2.ExportStatementResponse]:
        return self._channel.stream(
            self._stub.ExportStatement, request, timeout_seconds=STATEMENT_SECONDS_MAX
        )
