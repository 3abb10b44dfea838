"""An import whose server is killed in the middle, again and again."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1.points_service_pb2_grpc import PointsServiceStub

from chassis.kernel import Refusal
from chassis.rpc.client import Channel
from chassis.rpc.tls import ClientTls
from cli.local.ports import free_port
from tests.integration.points.importing import messages, opening, progress, send
from tests.integration.points.running import Caller, migrated
from tests.integration.points.test_roles import PROGRAM, environment
from tests.waiting import wait_until

ROWS = 3_000
KILLED_AT = (1, 700, 1_500)
"""The server is killed as soon as so many rows are in; wherever that is in a batch."""
EXPECTED_AMOUNT = sum(100 + line for line in range(1, ROWS + 1))


@contextmanager
def server(url: str, certificates: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    settings = environment(url, certificates, HUITOUKE_POINTS_LISTEN=f"127.0.0.1:{port}")
    child = subprocess.Popen([*PROGRAM, "serve"], env=settings, stderr=subprocess.PIPE, text=True)
    try:
        assert child.stderr is not None
        for line in child.stderr:
            if re.search("serving", line):
                break
        yield child
    finally:
        child.kill()
        child.wait()


@asynccontextmanager
async def operator(certificates: Path, port: int) -> AsyncIterator[Caller]:
    tls = ClientTls(
        ca=(certificates / "ca.pem").read_bytes(),
        certificate=(certificates / "operator.pem").read_bytes(),
        key=(certificates / "operator.key").read_bytes(),
    )
    channel = Channel(f"127.0.0.1:{port}", tls, server="points")
    yield Caller(channel, [PointsServiceStub(channel.grpc)])
    await channel.close()


def rows_in(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM imported_rows").fetchone()
    assert row is not None
    return int(row[0])


async def _send_until_killed(
    url: str, certificates: Path, port: int, import_id: UUID, rows: list[Any], rows_at_death: int
) -> None:
    with server(url, certificates, port) as child:
        async with operator(certificates, port) as caller:
            stream = asyncio.create_task(send(caller, messages(import_id, rows, size=64)))
            await asyncio.to_thread(
                wait_until, lambda: rows_in(url) >= rows_at_death, 30, "rows are in"
            )
            child.kill()
            with pytest.raises(Refusal) as caught:
                await stream
            assert caught.value.passing


@pytest.mark.parametrize("from_acknowledged", [True, False])
def test_a_server_killed_in_the_middle_of_an_import_loses_and_doubles_nothing(
    database_url: str, certificates: Path, *, from_acknowledged: bool
) -> None:
    migrated(database_url)
    members = [uuid4() for _ in range(500)]
    rows = [opening(line, members[line % 500]) for line in range(1, ROWS + 1)]

    async def scenario() -> None:
        import_id, port, rest = uuid4(), free_port(), rows
        for killed_at in KILLED_AT:
            await _send_until_killed(database_url, certificates, port, import_id, rest, killed_at)
            with server(database_url, certificates, port):
                async with operator(certificates, port) as caller:
                    reached = await _acknowledged(caller, import_id)
                    assert reached <= rows_in(database_url)
            if from_acknowledged:
                rest = [row for row in rows if row.line > reached]
        with server(database_url, certificates, port):
            async with operator(certificates, port) as caller:
                answer = await send(caller, messages(import_id, rest))
                assert answer.rows_imported + answer.rows_repeated == len(rest)
                done = await progress(caller, import_id)
                assert (done.rows_imported, done.rows_rejected) == (ROWS, 0)
                assert [each.amount for each in done.assets] == [EXPECTED_AMOUNT]
                books = await caller.call("VerifyBooks", pb.VerifyBooksRequest())
                assert books.balanced
                assert books.assets[0].member_balances == EXPECTED_AMOUNT

    asyncio.run(scenario())


async def _acknowledged(caller: Caller, import_id: UUID) -> int:
    try:
        return (await progress(caller, import_id)).acknowledged_line
    except Refusal as refusal:
        if refusal.reason != "IMPORT_NOT_FOUND":
            raise
        return 0
