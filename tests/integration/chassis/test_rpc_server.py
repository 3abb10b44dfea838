"""What a caller meets at a server: by when, what is wrong with its request, what defects show."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog

from chassis.kernel.refusals import Category, Refusal
from chassis.rpc.calls import mark_replayed
from chassis.rpc.server import Server
from chassis.rpc.status import from_rpc_error
from chassis.startup import StartupError
from chassis.telemetry import logs
from tests.integration.chassis import echo
from tests.integration.chassis.rpc_world import (
    OPEN_TO_GATEWAY,
    connected,
    failure_of,
    serving,
    settings_of,
)

HELLO = echo.EchoRequest(text="hello")
TRACE = "00-4fa4ed7240d61025a17a65c2773a07f2-dc5cdbf4484a2595-01"


def test_a_call_without_a_deadline_is_refused_but_health_needs_none(certificates: Path) -> None:
    async def scenario() -> None:
        async with (
            serving(certificates) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            refusal = from_rpc_error(await failure_of(stub.Echo(HELLO)))
            assert (refusal.category, refusal.reason) == (Category.INVALID, "DEADLINE_MISSING")
            assert await channel.probe()

    asyncio.run(scenario())


def test_every_wrong_field_is_named_with_its_rule_in_words(certificates: Path) -> None:
    async def scenario() -> None:
        async with (
            serving(certificates) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            wrong = echo.EchoRequest(text="", counts=[1, -1])
            with pytest.raises(Refusal) as caught:
                await channel.call(stub.Echo, wrong, timeout_seconds=5)
            assert caught.value.reason == "INVALID_FIELD"
            assert [violation.field for violation in caught.value.fields] == ["text", "counts[1]"]
            assert "at least 1" in caught.value.fields[0].rule

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "garbage", [b"\xff\xff\xff\xff", b"\x0a\x7f", b"\x0a\x02\xff\xfe", b"\x00"]
)
def test_bytes_that_are_no_request_are_the_callers_fault(
    certificates: Path, garbage: bytes
) -> None:
    async def scenario() -> None:
        async with (
            serving(certificates) as server,
            connected(certificates, server.port) as (channel, _stub),
        ):
            for method in (echo.ECHO, echo.BATCH):
                raw: Any = channel.grpc.unary_unary(method, None, None)
                error = await failure_of(raw(garbage, timeout=5))
                assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
                assert from_rpc_error(error).reason == "INVALID_FIELD"
            unknown: Any = channel.grpc.unary_unary("/huitouke.echo.v1.EchoService/No", None, None)
            assert (await failure_of(unknown(b"", timeout=5))).code() is (
                grpc.StatusCode.UNIMPLEMENTED
            )

    asyncio.run(scenario())


def test_a_request_larger_than_the_limit_is_refused_without_being_read(certificates: Path) -> None:
    async def scenario() -> None:
        settings = settings_of(certificates, message_bytes_max=2048)
        async with (
            serving(certificates, settings=settings) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            with pytest.raises(Refusal) as caught:
                await channel.call(stub.Echo, echo.EchoRequest(text="x" * 4096), timeout_seconds=5)
            assert (caught.value.reason, caught.value.passing) == ("REQUEST_TOO_LARGE", False)
            assert caught.value.metadata == {"bytes": "4099", "limit_bytes": "2048"}

    asyncio.run(scenario())


@pytest.fixture
def log_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Logs of this test's process go to a file; all is as before afterwards."""
    path = tmp_path / "log"
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(logs, "_request_log", None)
    with path.open("w") as stream:
        logs.configure_logs("points", "serve", "info", stream)
        yield path
    structlog.reset_defaults()


def test_an_unexpected_error_shows_the_caller_nothing_of_itself_and_the_log_its_place(
    certificates: Path, log_lines: Path
) -> None:
    async def fail(_request: Any, _context: Any) -> Any:
        raise RuntimeError("the card 6222021234567890 of guest@example.com broke it")

    async def scenario() -> None:
        async with (
            serving(certificates, echo.EchoServicer(fail)) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            error = await failure_of(stub.Echo(HELLO, timeout=5))
            assert error.code() is grpc.StatusCode.INTERNAL
            assert error.details() == "internal error"
            with pytest.raises(Refusal, match="INTERNAL") as caught:
                await channel.call(stub.Echo, HELLO, timeout_seconds=5)
            assert caught.value.passing

    asyncio.run(scenario())
    log = log_lines.read_text()
    assert '"error": "RuntimeError"' in log
    assert "test_rpc_server.py" in log
    assert "6222021234567890" not in log
    assert "guest@example.com" not in log


def test_a_refusal_of_a_servicer_arrives_with_all_it_says(certificates: Path) -> None:
    async def refuse(_request: Any, _context: Any) -> Any:
        refusal = Refusal(
            Category.PRECONDITION,
            "CARD_REPLACED",
            "the card was replaced",
            metadata={"since": "2026-11-01"},
            retry_after_seconds=1.5,
        )
        refusal.replayed = True
        raise refusal

    async def scenario() -> None:
        async with (
            serving(certificates, echo.EchoServicer(refuse)) as server,
            connected(certificates, server.port) as (_channel, stub),
        ):
            error = await failure_of(stub.Echo(HELLO, timeout=5))
            refusal = from_rpc_error(error)
            assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert (refusal.reason, refusal.metadata) == (
                "CARD_REPLACED",
                {"since": "2026-11-01"},
            )
            assert refusal.retry_after_seconds == 1.5
            assert ("huitouke-replayed", "true") in tuple(error.trailing_metadata() or ())

    asyncio.run(scenario())


def test_a_remembered_answer_is_marked_as_replayed(certificates: Path) -> None:
    async def remembered(request: Any, context: Any) -> Any:
        mark_replayed()
        return await echo.answer(request, context)

    async def scenario() -> None:
        async with (
            serving(certificates, echo.EchoServicer(remembered)) as server,
            connected(certificates, server.port) as (_channel, stub),
        ):
            call = stub.Echo(HELLO, timeout=5)
            assert (await call).text == "hello"
            assert ("huitouke-replayed", "true") in tuple(await call.trailing_metadata())

    asyncio.run(scenario())


def test_streams_are_guarded_as_single_calls_are(certificates: Path) -> None:
    async def scenario() -> None:
        async with (
            serving(certificates) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            request = echo.EchoRequest(text="x", counts=range(5))
            texts = [r.text async for r in channel.stream(stub.Count, request, timeout_seconds=5)]
            assert texts == ["0", "1", "2", "3", "4"]
            nothing = channel.stream(stub.Count, echo.EchoRequest(), timeout_seconds=5)
            with pytest.raises(Refusal, match="INVALID_FIELD"):
                await anext(nothing)
            parts = [echo.EchoRequest(text=part) for part in ("a", "b", "c")]
            assert (await stub.Sum(iter(parts), timeout=5)).text == "abc"
            error = await failure_of(stub.Sum(iter([*parts, echo.EchoRequest()]), timeout=5))
            assert from_rpc_error(error).reason == "INVALID_FIELD"

    asyncio.run(scenario())


def test_a_stream_of_requests_is_logged_once_and_ends_with_its_deadline_or_a_stranger(
    certificates: Path, log_lines: Path
) -> None:
    taken: list[str] = []
    over: asyncio.Event

    async def slow_sum(requests: Any, _context: Any) -> Any:
        async for request in requests:
            taken.extend([request.text])
        return echo.EchoResponse(text="".join(taken))

    async def endless() -> AsyncIterator[Any]:
        for part in ("a", "b"):
            yield echo.EchoRequest(text=part)
        await over.wait()

    async def scenario() -> None:
        nonlocal over
        over = asyncio.Event()
        servicer = echo.EchoServicer()
        servicer.Sum = slow_sum  # type: ignore[method-assign]
        async with (
            serving(certificates, servicer) as server,
            connected(certificates, server.port) as (_channel, stub),
        ):
            error = await failure_of(stub.Sum(endless(), timeout=0.3))
            assert from_rpc_error(error).reason == "DEADLINE_PASSED"
            over.set()
            assert taken == ["a", "b"]
            error = await failure_of(stub.Sum(iter([HELLO])))
            assert from_rpc_error(error).reason == "DEADLINE_MISSING"
            assert taken == ["a", "b"]
            async with connected(certificates, server.port, "coupon") as (_, stranger):
                error = await failure_of(stranger.Sum(iter([HELLO]), timeout=5))
            assert from_rpc_error(error).reason == "CALLER_NOT_ALLOWED"
            assert (await stub.Sum(iter([HELLO, HELLO]), timeout=5)).text == "abhellohello"

    asyncio.run(scenario())
    lines = [json.loads(line) for line in log_lines.read_text().splitlines()]
    broken, *others = [line["reason"] for line in lines if line.get("method") == echo.SUM]
    assert broken in ("CANCELLED", "OK")  # grpc may show the end before the reason
    assert others == ["DEADLINE_MISSING", "CALLER_NOT_ALLOWED", "OK"]


def test_a_port_in_use_is_named_and_never_shared(certificates: Path) -> None:
    async def scenario() -> None:
        async with serving(certificates) as server:
            again = Server(
                settings_of(certificates),
                [echo.entry(echo.EchoServicer())],
                OPEN_TO_GATEWAY,
                listen=f"127.0.0.1:{server.port}",
            )
            with pytest.raises(StartupError, match=f"127.0.0.1:{server.port}: .*in use"):
                await again.start()

    asyncio.run(scenario())


def test_work_given_up_from_inside_answers_instead_of_leaving_the_caller_waiting(
    certificates: Path,
) -> None:
    async def give_up(_request: Any, _context: Any) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.cancel()
        return await future

    async def scenario() -> None:
        async with (
            serving(certificates, echo.EchoServicer(give_up)) as server,
            connected(certificates, server.port) as (channel, stub),
        ):
            with pytest.raises(Refusal) as caught:
                await channel.call(stub.Echo, HELLO, timeout_seconds=5)
            assert caught.value.category is Category.UNAVAILABLE

    asyncio.run(scenario())
