"""A server under load, with a dependency down, and on its way out."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.kernel.refusals import Category, Refusal
from tests.integration.chassis import echo
from tests.integration.chassis.rpc_world import connected, failure_of, serving, settings_of
from tests.waiting import wait_until_async

HELLO = echo.EchoRequest(text="hello")
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Gate:
    """An echo that waits until it is opened and counts who came in."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = 0
        self.cancelled = 0

    async def __call__(self, request: Any, context: Any) -> Any:
        self.entered += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return await echo.answer(request, context)

    async def reached(self, entered: int) -> None:
        async def enough() -> bool:
            return self.entered >= entered

        await wait_until_async(enough, 5, f"{entered} calls in flight")


def test_calls_beyond_the_bound_are_refused_at_once_with_a_retry_delay(certificates: Path) -> None:
    async def scenario() -> None:
        gate = Gate()
        settings = settings_of(certificates, concurrent_calls_max=3)
        async with (
            serving(certificates, echo.EchoServicer(gate), settings=settings) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            held = [
                asyncio.create_task(channel.call(stub.Echo, HELLO, timeout_seconds=10))
                for _ in range(3)
            ]
            await gate.reached(3)
            with pytest.raises(Refusal) as caught:
                await channel.call(stub.Echo, HELLO, timeout_seconds=5)
            assert (caught.value.category, caught.value.reason) == (
                Category.EXHAUSTED,
                "OVERLOADED",
            )
            assert caught.value.retry_after_seconds
            gate.open.set()
            assert [response.text for response in await asyncio.gather(*held)] == ["hello"] * 3
            assert (await channel.call(stub.Echo, HELLO, timeout_seconds=5)).text == "hello"

    asyncio.run(scenario())


def test_those_who_watch_health_without_a_name_keep_nobody_out(certificates: Path) -> None:
    async def scenario() -> None:
        settings = settings_of(certificates, concurrent_calls_max=8)
        async with (
            serving(certificates, settings=settings) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            health = health_pb2_grpc.HealthStub(channel.grpc)
            watches = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(20)]
            watching, refused = [], []
            for watch in watches:
                try:
                    assert (await watch.read()).status == SERVING
                    watching.append(watch)
                except grpc.aio.AioRpcError as error:
                    refused.append(error.code())
            assert refused == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 16
            assert (await channel.call(stub.Echo, HELLO, timeout_seconds=5)).text == "hello"
            watching[0].cancel()

            async def a_place_is_free() -> bool:
                again = health.Watch(health_pb2.HealthCheckRequest())
                try:
                    return bool((await again.read()).status == SERVING)
                except grpc.aio.AioRpcError:
                    return False

            await wait_until_async(a_place_is_free, 5, "the place of a watcher that went")

    asyncio.run(scenario())


def test_a_caller_that_stops_waiting_ends_its_call_on_the_server(certificates: Path) -> None:
    async def scenario() -> None:
        gate = Gate()
        async with (
            serving(certificates, echo.EchoServicer(gate)) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            with pytest.raises(Refusal) as caught:
                await channel.call(stub.Echo, HELLO, timeout_seconds=0.2)
            assert (caught.value.category, caught.value.reason) == (
                Category.TOO_LATE,
                "DEADLINE_PASSED",
            )

            async def ended() -> bool:
                return gate.cancelled == 1

            await wait_until_async(ended, 5, "the servicer is cancelled")

    asyncio.run(scenario())


def test_draining_lets_calls_finish_says_not_serving_and_refuses_new_ones(
    certificates: Path,
) -> None:
    async def scenario() -> None:
        gate = Gate()
        settings = settings_of(certificates, drain_pause_seconds=0.5)
        async with (
            serving(certificates, echo.EchoServicer(gate), settings=settings) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            held = asyncio.create_task(channel.call(stub.Echo, HELLO, timeout_seconds=10))
            await gate.reached(1)
            stopping = asyncio.create_task(server.stop(5))

            async def not_serving() -> bool:
                return not await channel.probe()

            await wait_until_async(not_serving, 5, "health says NOT_SERVING")
            late = asyncio.create_task(channel.call(stub.Echo, HELLO, timeout_seconds=10))
            await gate.reached(2)
            gate.open.set()
            assert (await held).text == "hello"
            assert (await late).text == "hello", "calls made during the pause are still served"
            await stopping
            with pytest.raises(Refusal) as caught:
                await channel.call(stub.Echo, HELLO, timeout_seconds=5)
            assert caught.value.category is Category.UNAVAILABLE

    asyncio.run(scenario())


def test_calls_that_outlast_the_grace_are_cut(certificates: Path) -> None:
    async def scenario() -> None:
        gate = Gate()
        async with (
            serving(certificates, echo.EchoServicer(gate)) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            held = asyncio.create_task(channel.call(stub.Echo, HELLO, timeout_seconds=30))
            await gate.reached(1)
            await server.stop(0.1)
            with pytest.raises(Refusal) as caught:
                await held
            assert caught.value.passing

    asyncio.run(scenario())


def test_health_tells_each_dependency_and_the_service_as_they_go_down_and_come_back(
    certificates: Path,
) -> None:
    async def scenario() -> None:
        up = {"postgresql": True, "kafka": True}

        async def postgresql() -> bool:
            if not up["postgresql"]:
                raise ConnectionError("refused")
            return True

        async def kafka() -> bool:
            return up["kafka"]

        settings = settings_of(certificates, health_interval_seconds=0.05)
        async with (
            serving(
                certificates,
                settings=settings,
                health={"postgresql": postgresql, "kafka": kafka},
            ) as server,
            connected(certificates, server.port) as (channel, _stub),
        ):
            stub = health_pb2_grpc.HealthStub(channel.grpc)

            async def state(name: str) -> Any:
                request = health_pb2.HealthCheckRequest(service=name)
                return (await stub.Check(request, timeout=5)).status

            names = ("", echo.SERVICE, "postgresql", "kafka")
            assert [await state(name) for name in names] == [SERVING] * 4
            up["postgresql"] = False

            async def down() -> bool:
                return bool(await state("postgresql") == NOT_SERVING)

            await wait_until_async(down, 5, "the dependency is seen down")
            expected = [NOT_SERVING, NOT_SERVING, NOT_SERVING, SERVING]
            assert [await state(name) for name in names] == expected
            up["postgresql"] = True
            await wait_until_async(channel.probe, 5, "the service serves again")
            unknown = stub.Check(health_pb2.HealthCheckRequest(service="nothing"), timeout=5)
            assert (await failure_of(unknown)).code() is grpc.StatusCode.NOT_FOUND

    asyncio.run(scenario())
