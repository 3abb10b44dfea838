"""Rows to the ledger, a stream of some thousand at a time, each stream safe to send again."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import grpc
from huitouke.points.v1 import import_pb2
from huitouke.points.v1 import import_service_pb2 as pb
from huitouke.points.v1.import_service_pb2_grpc import ImportServiceStub

from cli.clients import Refused, call, operator_credentials
from cli.endpoints import Endpoints
from cli.importing.rows import Readable, Unreadable

MESSAGE_ROWS = 256
STREAM_ROWS = 10_240
STREAM_TIMEOUT_SECONDS = 120.0
TRIES_MAX = 20
BACK_OFF_SECONDS = 0.5
PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
}
"""After these the same stream is sent again: rows are known by their reference."""


@dataclass(slots=True)
class Tally:
    """What became of the rows of one run, and how far the import has come."""

    imported: int = 0
    repeated: int = 0
    rejected: int = 0
    acknowledged_line: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)


@dataclass(slots=True)
class Importer:
    """Speaks to the ledger about one import. Every call raises Refused."""

    stub: Any
    import_id: str
    pause: Callable[[float], None] = time.sleep
    tally: Tally = field(default_factory=Tally)

    def acknowledged_line(self) -> int:
        """How far the import has come; 0 where nothing ever came."""
        try:
            answer = call(self.stub.GetImport, pb.GetImportRequest(import_id=self.import_id))
        except Refused as refusal:
            if refusal.reason == "IMPORT_NOT_FOUND":
                return 0
            raise
        return int(getattr(answer, "import").acknowledged_line)

    def send(
        self, rows: Iterable[Readable | Unreadable], progress: Callable[[Tally], None]
    ) -> Tally:
        """Send every row, and tell the tally after each stream. One stream's rows are held."""
        waiting = iter(rows)
        while taken := list(islice(waiting, STREAM_ROWS)):
            self.tally.unreadable += [row for row in taken if isinstance(row, Unreadable)]
            balances = [row.balance for row in taken if isinstance(row, Readable)]
            if balances:
                self._send_stream(balances)
            progress(self.tally)
        return self.tally

    def rejected_rows(self) -> Iterator[import_pb2.RejectedRow]:
        """Every row that the ledger has rejected and that was not mended since, by line."""
        token = ""
        while True:
            request = pb.ListRejectedRowsRequest(
                import_id=self.import_id, page_size=200, page_token=token
            )
            answer = call(self.stub.ListRejectedRows, request)
            yield from answer.rows
            token = answer.next_page_token
            if not token:
                return

    def _send_stream(self, balances: list[import_pb2.OpeningBalance]) -> None:
        answer = self._persist(balances)
        self.tally.imported += answer.rows_imported
        self.tally.repeated += answer.rows_repeated
        self.tally.rejected += answer.rows_rejected
        self.tally.acknowledged_line = answer.acknowledged_line

    def _persist(
        self, balances: list[import_pb2.OpeningBalance]
    ) -> pb.ImportOpeningBalancesResponse:
        """Stream until it is answered for good; only passing troubles are tried again."""
        for attempt in range(1, TRIES_MAX + 1):
            try:
                answer: pb.ImportOpeningBalancesResponse = self.stub.ImportOpeningBalances(
                    self._messages(balances), timeout=STREAM_TIMEOUT_SECONDS
                )
            except grpc.RpcError as error:
                refusal = Refused(error)
                if refusal.code not in PASSING or attempt == TRIES_MAX:
                    raise refusal from error
                self.pause(BACK_OFF_SECONDS * min(attempt, 8))
            else:
                return answer
        raise AssertionError("the last try returns or raises")

    def _messages(
        self, balances: list[import_pb2.OpeningBalance]
    ) -> Iterator[pb.ImportOpeningBalancesRequest]:
        for at in range(0, len(balances), MESSAGE_ROWS):
            yield pb.ImportOpeningBalancesRequest(
                import_id=self.import_id, rows=balances[at : at + MESSAGE_ROWS]
            )


def channel_of(endpoints: Endpoints) -> grpc.Channel:
    """A connection to the ledger as the operator."""
    return grpc.secure_channel(endpoints.points, operator_credentials(endpoints))


def importer_over(channel: grpc.Channel, import_id: str) -> Importer:
    return Importer(ImportServiceStub(channel), import_id)
