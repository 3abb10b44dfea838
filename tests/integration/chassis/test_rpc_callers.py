"""Who may call: certificates, allow-lists, an edge's own authentication, over real TLS."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from chassis.kernel.refusals import Category, Refusal
from chassis.rpc.authentication import Identity
from chassis.rpc.calls import Actor, current_call
from chassis.rpc.client import Channel
from chassis.rpc.server import Server, ServiceEntry
from chassis.rpc.tls import ClientTls
from chassis.startup import StartupError
from tests.integration.chassis import echo
from tests.integration.chassis.rpc_world import (
    OPEN_TO_GATEWAY,
    client_tls,
    connected,
    failure_of,
    serving,
    settings_of,
)

HELLO = echo.EchoRequest(text="hello")
TRACE = "00-4fa4ed7240d61025a17a65c2773a07f2-dc5cdbf4484a2595-01"


def test_a_listed_caller_is_answered_and_its_name_deadline_trace_and_actor_are_known(
    certificates: Path,
) -> None:
    async def tell(_request: Any, _context: Any) -> Any:
        call = current_call()
        parts = (call.caller, call.method, call.traceparent, call.actor.terminal_id)
        return echo.EchoResponse(text=f"{' '.join(parts)} {call.remaining_seconds() > 3}")

    async def scenario() -> None:
        async with (
            serving(certificates, echo.EchoServicer(tell)) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            response = await channel.call(
                stub.Echo,
                HELLO,
                timeout_seconds=5,
                traceparent=TRACE,
                actor=Actor(merchant_id="m1", terminal_id="till-7"),
            )
            assert response.text == f"gateway {echo.ECHO} {TRACE} till-7 True"

    asyncio.run(scenario())


def test_a_caller_that_is_not_on_the_list_of_an_rpc_is_refused_by_name(certificates: Path) -> None:
    async def scenario() -> None:
        allow = {**OPEN_TO_GATEWAY, echo.COUNT: {"operator"}}
        async with (
            serving(certificates, allow=allow) as server,
            connected(certificates, server.port, "notify") as (channel, stub),
        ):
            with pytest.raises(Refusal, match="notify may not call") as caught:
                await channel.call(stub.Echo, HELLO, timeout_seconds=5)
            assert caught.value.category is Category.FORBIDDEN
            assert caught.value.reason == "CALLER_NOT_ALLOWED"

    asyncio.run(scenario())


def test_a_certificate_of_another_authority_is_refused_in_the_handshake(
    certificates: Path,
) -> None:
    async def scenario() -> None:
        stranger = trustme.CA()
        leaf = stranger.issue_cert("gateway.huitouke.internal")
        tls = ClientTls(
            ca=(certificates / "ca.pem").read_bytes(),
            certificate=b"".join(blob.bytes() for blob in leaf.cert_chain_pems),
            key=leaf.private_key_pem.bytes(),
        )
        async with (
            serving(certificates) as server,
            connected(certificates, server.port, tls=tls) as (channel, stub),
        ):
            with pytest.raises(Refusal) as caught:
                await channel.call(stub.Echo, HELLO, timeout_seconds=5)
            assert caught.value.category is Category.UNAVAILABLE

    asyncio.run(scenario())


def test_a_client_without_a_certificate_and_a_plaintext_client_get_nowhere(
    certificates: Path,
) -> None:
    async def scenario() -> None:
        tls = ClientTls(ca=(certificates / "ca.pem").read_bytes())
        async with serving(certificates) as server:
            async with connected(certificates, server.port, tls=tls) as (channel, stub):
                with pytest.raises(Refusal):
                    await channel.call(stub.Echo, HELLO, timeout_seconds=5)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as plain:
                error = await failure_of(echo.EchoStub(plain).Echo(HELLO, timeout=5))
                assert error.code() is grpc.StatusCode.UNAVAILABLE

    asyncio.run(scenario())


def test_a_client_refuses_a_server_whose_certificate_names_another_service(
    certificates: Path,
) -> None:
    async def scenario() -> None:
        async with (
            serving(certificates) as server,
            connected(certificates, server.port, server="coupon") as (channel, stub),
        ):
            with pytest.raises(Refusal) as caught:
                await channel.call(stub.Echo, HELLO, timeout_seconds=5)
            assert caught.value.category is Category.UNAVAILABLE

    asyncio.run(scenario())


def test_an_edge_authenticates_by_itself_and_believes_no_actor_its_callers_name(
    certificates: Path,
) -> None:
    async def by_key(_context: Any, metadata: Any) -> Identity:
        if ("api-key", "good") not in tuple(metadata):
            raise Refusal(Category.UNAUTHENTICATED, "UNAUTHENTICATED", "send your API key")
        return Identity(
            caller="merchant-17",
            listed_as="merchant",
            principal={"scope"},
            actor=Actor(merchant_id="17"),
        )

    async def tell(_request: Any, _context: Any) -> Any:
        call = current_call()
        return echo.EchoResponse(text=f"{call.caller} {call.principal} {call.actor.merchant_id}")

    async def scenario() -> None:
        settings = settings_of(certificates, "gateway")
        async with serving(
            certificates,
            echo.EchoServicer(tell),
            settings=settings,
            allow={method: {"merchant"} for method in OPEN_TO_GATEWAY},
            known_callers={"merchant"},
            authenticate=by_key,
            tls=settings.server_tls(require_client_certificate=False),
        ) as server:
            channel = Channel(
                f"127.0.0.1:{server.port}",
                ClientTls(ca=(certificates / "ca.pem").read_bytes()),
                server="localhost",
            )
            stub = echo.EchoStub(channel.grpc)
            forged = (("api-key", "good"), ("huitouke-actor-merchant-id", "18"))
            good = await stub.Echo(HELLO, timeout=5, metadata=forged)
            assert good.text == "merchant-17 {'scope'} 17"
            error = await failure_of(stub.Echo(HELLO, timeout=5))
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
            await channel.close()

    asyncio.run(scenario())


def test_a_server_refuses_to_start_naming_everything_wrong_with_its_allow_list(
    certificates: Path,
) -> None:
    class Unfinished:
        async def Echo(self, request: Any, context: Any) -> Any:  # noqa: N802
            return await echo.answer(request, context)

    entry = ServiceEntry(echo.DESCRIPTOR, echo.add_to_server, Unfinished())
    allow = {echo.ECHO: {"gateway", "nobody"}, echo.COUNT: {"gateway"}, "/a.B/Typo": {"gateway"}}
    with pytest.raises(StartupError) as caught:
        Server(settings_of(certificates), [entry], allow)
    message = str(caught.value)
    assert "/a.B/Typo: in the allow-list, but no such RPC" in message
    assert f"{echo.SUM}: not in the allow-list" in message
    assert "unknown caller 'nobody'" in message
    assert f"{echo.COUNT}: Unfinished doesn't implement it" in message


def test_reflection_lists_the_services_to_whoever_has_a_certificate(certificates: Path) -> None:
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    async def scenario() -> None:
        async with serving(certificates) as server:
            channel = Channel(
                f"127.0.0.1:{server.port}",
                client_tls(certificates, "operator"),
                server="points",
            )
            stub = reflection_pb2_grpc.ServerReflectionStub(channel.grpc)
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            async for response in stub.ServerReflectionInfo(iter([request])):
                names = {service.name for service in response.list_services_response.service}
                assert {echo.SERVICE, "grpc.health.v1.Health"} <= names
            await channel.close()

    asyncio.run(scenario())
