"""The gateway beside a ledger of an earlier release: what it would misunderstand is not sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from huitouke.points.v1 import points_service_pb2 as pb

from chassis.kernel import Refusal
from chassis.rpc.client import Channel
from chassis.rpc.status import internal_status
from chassis.rpc.tls import ClientTls
from gateway.clients.participants import ServiceParticipants

SERVICE = "huitouke.points.v1.PointsService"


class OlderLedger:
    """Knows `Reverse` and no amounts; with `batches` it is of the present release."""

    def __init__(self, *, batches: bool = False) -> None:
        self.reversed_wholly = 0
        self.by_amount: list[int] = []
        self._batches = batches

    def handlers(self) -> grpc.GenericRpcHandler:
        known: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Reverse": grpc.unary_unary_rpc_method_handler(
                self.reverse, pb.ReverseRequest.FromString, pb.ReverseResponse.SerializeToString
            )
        }
        if self._batches:
            known["BatchReverse"] = grpc.unary_unary_rpc_method_handler(
                self.reverse_all,
                pb.BatchReverseRequest.FromString,
                pb.BatchReverseResponse.SerializeToString,
            )
        return grpc.method_handlers_generic_handler(SERVICE, known)

    async def reverse(self, request: pb.ReverseRequest, _context: object) -> pb.ReverseResponse:
        self.reversed_wholly += 1
        return pb.ReverseResponse(reversal_id=request.reversal_id, amount_minor=100, whole=True)

    async def reverse_all(
        self, request: pb.BatchReverseRequest, _context: object
    ) -> pb.BatchReverseResponse:
        answer = pb.BatchReverseResponse()
        for item in request.items:
            amount = item.request.amount_minor
            self.by_amount.append(amount)
            if amount > 100:
                answer.outcomes.add().error.CopyFrom(internal_status())
            else:
                answer.outcomes.add().response.amount_minor = amount
        return answer


@asynccontextmanager
async def beside(ledger: OlderLedger, certificates: Path) -> AsyncIterator[ServiceParticipants]:
    """The gateway's participants, with this ledger and no coupon service."""

    def read(name: str) -> bytes:
        return (certificates / name).read_bytes()

    server = grpc.aio.server()
    server.add_generic_rpc_handlers([ledger.handlers()])
    credentials = grpc.ssl_server_credentials(
        [(read("points.key"), read("points.pem"))], read("ca.pem"), require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    tls = ClientTls(ca=read("ca.pem"), certificate=read("gateway.pem"), key=read("gateway.key"))
    points = Channel(f"127.0.0.1:{port}", tls, server="points")
    coupon = Channel("127.0.0.1:1", tls, server="coupon")
    participants = ServiceParticipants(points, coupon, timeout_seconds=5.0)
    yield participants
    await participants.close()
    await points.close()
    await coupon.close()
    await server.stop(0)


def reversal(amount_minor: int | None = None) -> bytes:
    return pb.ReverseRequest(
        request_id=f"reverse/{uuid4()}", checkout_id=str(uuid4()), amount_minor=amount_minor
    ).SerializeToString()


def test_a_part_is_not_sent_to_a_ledger_that_would_reverse_all_and_may_be_tried_again(
    certificates: Path,
) -> None:
    async def refund() -> None:
        older, present = OlderLedger(), OlderLedger(batches=True)
        part = reversal(40)
        async with beside(older, certificates) as participants:
            with pytest.raises(Refusal) as refused:
                await participants.reverse(part)
            assert refused.value.passing
            assert older.reversed_wholly == 0
            whole = await participants.reverse(reversal())
            assert (whole.whole, older.reversed_wholly) == (True, 1)
        async with beside(present, certificates) as participants:  # deployed meanwhile
            done = await participants.reverse(part)
            assert (done.whole, present.by_amount, present.reversed_wholly) == (False, [40], 0)

    asyncio.run(refund())


def test_parts_refunded_at_once_each_have_their_own_outcome(certificates: Path) -> None:
    async def refund() -> None:
        ledger = OlderLedger(batches=True)
        async with beside(ledger, certificates) as participants:
            amounts = [10, 20, 101, 30]
            found = await asyncio.gather(
                *(participants.reverse(reversal(each)) for each in amounts),
                return_exceptions=True,
            )
        assert [isinstance(each, Refusal) for each in found] == [False, False, True, False]
        assert sorted(ledger.by_amount) == sorted(amounts)

    asyncio.run(refund())


def test_undoing_what_may_not_be_reversed_waits_for_a_ledger_that_knows_how(
    certificates: Path,
) -> None:
    async def undo() -> None:
        older = OlderLedger()
        async with beside(older, certificates) as participants:
            with pytest.raises(Refusal) as refused:
                await participants.undo_post(reversal())
        assert (refused.value.passing, older.reversed_wholly) == (True, 0)

    asyncio.run(undo())
