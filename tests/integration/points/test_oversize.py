"""Ten megabytes where a few bytes belong: refused by their own reason, and nothing is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import grpc
import psycopg
import pytest
from huitouke.points.v1.movement_service_pb2_grpc import MovementServiceStub
from huitouke.points.v1.points_service_pb2_grpc import PointsServiceStub

from chassis.kernel import Refusal
from tests.integration.points.conftest import Serve
from tests.integration.points.movement_requests import adjust, transfer
from tests.integration.points.requests import post, purchase
from tests.oversize import LARGE_HEADER, TEN_MEGABYTES, UNBOUNDED, refusal_of

LIMIT_BYTES, HEADER_LIMIT_BYTES = 4_194_304, 16_384
TABLES = ("members", "postings", "checkouts", "transfers", "adjustments", "requests", "outbox")


def rows(url: str) -> list[int]:
    """How many rows the ledger has, table by table."""
    with psycopg.connect(url) as connection:
        found = (connection.execute(f"SELECT count(*) FROM {t}".encode()) for t in TABLES)
        return [row[0] for each in found for row in each.fetchall()]


def reckless(port: int, certificates: Path, name: str = "operator") -> grpc.Channel:
    """A channel without a limit of its own."""
    authority, certificate, key = (
        (certificates / file).read_bytes() for file in ("ca.pem", f"{name}.pem", f"{name}.key")
    )
    credentials = grpc.ssl_channel_credentials(authority, key, certificate)
    named = ("grpc.ssl_target_name_override", "points.huitouke.internal")
    return grpc.secure_channel(f"127.0.0.1:{port}", credentials, options=(*UNBOUNDED, named))


def against(
    serve: Serve, ledger_url: str, certificates: Path, ask: Callable[[grpc.Channel], list[Refusal]]
) -> list[Refusal]:
    """What a running ledger says; checks that it changes nothing and then serves as before."""

    async def run() -> list[Refusal]:
        async with serve() as points:
            await points.caller().call("Post", post(purchase(uuid4(), 10_000)))
            before = rows(ledger_url)
            with reckless(points.port, certificates) as channel:
                refused = await asyncio.to_thread(ask, channel)
            assert rows(ledger_url) == before
            await points.caller().call("Post", post(purchase(uuid4(), 10_000)))
            return refused

    return asyncio.run(run())


def test_ten_megabytes_in_a_field_are_refused_as_too_large_a_request(
    serve: Serve, ledger_url: str, certificates: Path
) -> None:
    def ask(channel: grpc.Channel) -> list[Refusal]:
        stub = MovementServiceStub(channel)
        given, adjusted = transfer(uuid4(), uuid4(), 100), adjust(uuid4(), 100)
        given.note = adjusted.reason_text = "x" * TEN_MEGABYTES
        return [refusal_of(stub.TransferPoints, given), refusal_of(stub.AdjustBalance, adjusted)]

    for refusal in against(serve, ledger_url, certificates, ask):
        assert (refusal.reason, refusal.passing) == ("REQUEST_TOO_LARGE", False)
        assert refusal.metadata is not None
        assert int(refusal.metadata["bytes"]) > TEN_MEGABYTES
        assert refusal.metadata["limit_bytes"] == str(LIMIT_BYTES)
        assert "send less in one call" in refusal.message


def test_ten_megabytes_of_metadata_are_refused_as_too_large_metadata(
    serve: Serve, ledger_url: str, certificates: Path
) -> None:
    def ask(channel: grpc.Channel) -> list[Refusal]:
        stub, moving = PointsServiceStub(channel), MovementServiceStub(channel)
        return [
            refusal_of(stub.Post, post(purchase(uuid4(), 10_000)), [LARGE_HEADER]),
            refusal_of(moving.AdjustBalance, adjust(uuid4(), 100), [LARGE_HEADER]),
        ]

    for refusal in against(serve, ledger_url, certificates, ask):
        assert (refusal.reason, refusal.passing) == ("METADATA_TOO_LARGE", False)
        sizes = {"bytes": str(TEN_MEGABYTES), "limit_bytes": str(HEADER_LIMIT_BYTES)}
        assert refusal.metadata == sizes


@pytest.mark.parametrize("length", [141, LIMIT_BYTES - 1_000])
def test_a_field_that_fits_into_a_request_but_not_its_own_limit_is_named(
    length: int, serve: Serve, ledger_url: str, certificates: Path
) -> None:
    def ask(channel: grpc.Channel) -> list[Refusal]:
        given = transfer(uuid4(), uuid4(), 100)
        given.note = "x" * length
        return [refusal_of(MovementServiceStub(channel).TransferPoints, given)]

    (refusal,) = against(serve, ledger_url, certificates, ask)
    assert refusal.reason == "INVALID_FIELD"
    assert [each.field for each in refusal.fields] == ["note"]
    assert "140" in refusal.fields[0].rule
