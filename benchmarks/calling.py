"""The one client of all gRPC measurements: a process of its own, grpc.aio on uvloop, one channel.

It sends requests that are serialized already and keeps the answers as they came, so that it does
the same work whomever it calls.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Self, TypeAlias

import grpc
import uvloop

IN_FLIGHT = 64
TIMEOUT_SECONDS = 15.0
WARM_UP_CALLS = 2 * IN_FLIGHT
RawCall: TypeAlias = "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]"


@dataclass(frozen=True, slots=True)
class Target:
    """An RPC: host:port, full method name, the authority to trust (PEM), what goes with a call.

    `identity` is a certificate and its key (PEM) for servers that want to know who calls.
    """

    address: str
    method: str
    authority: bytes
    metadata: tuple[tuple[str, str], ...] = ()
    identity: tuple[bytes, bytes] | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        certificate, key = self.identity or (None, None)
        return grpc.ssl_channel_credentials(self.authority, key, certificate)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to: milliseconds by call, sorted; answers, those of the warm-up too."""

    seconds: float
    milliseconds: list[float]
    answers: list[bytes]

    @property
    def rate(self) -> float:
        """Calls answered a second."""
        return len(self.milliseconds) / self.seconds

    def percentile(self, share: float) -> float:
        """The milliseconds that this share of all calls took at most."""
        count = len(self.milliseconds)
        return self.milliseconds[min(int(count * share), count - 1)]


@dataclass(slots=True)
class _Load:
    """Callers that take the next request each until none is left or the time is up."""

    call: RawCall
    metadata: tuple[tuple[str, str], ...]
    requests: Sequence[bytes]
    per_second: float
    in_flight: int = IN_FLIGHT
    taken: int = 0

    async def run(self, seconds: float) -> Round:
        milliseconds: list[float] = []
        answers: list[bytes] = []
        began = perf_counter()
        await asyncio.gather(
            *(
                self._call_until(began, seconds, milliseconds, answers)
                for _ in range(self.in_flight)
            )
        )
        return Round(perf_counter() - began, sorted(milliseconds), answers)

    async def _call_until(
        self, began: float, seconds: float, milliseconds: list[float], answers: list[bytes]
    ) -> None:
        while self.taken < len(self.requests) and perf_counter() - began < seconds:
            number = self.taken
            self.taken += 1
            if self.per_second:
                await asyncio.sleep(began + number / self.per_second - perf_counter())
            sent = perf_counter()
            answer = await self.call(
                self.requests[number], timeout=TIMEOUT_SECONDS, metadata=self.metadata
            )
            milliseconds.append((perf_counter() - sent) * 1000)
            answers.append(answer)


async def _run(
    target: Target, requests: Sequence[bytes], seconds: float, per_second: float, in_flight: int
) -> Round:
    async with grpc.aio.secure_channel(target.address, target.credentials()) as channel:
        call: RawCall = channel.unary_unary(target.method)
        first, rest = requests[: 2 * in_flight], requests[2 * in_flight :]
        warm_up = await _Load(call, target.metadata, first, 0, in_flight).run(seconds)
        measured = await _Load(call, target.metadata, rest, per_second, in_flight).run(seconds)
    answers = warm_up.answers + measured.answers
    return Round(measured.seconds, measured.milliseconds, answers)


def _round(
    target: Target, requests: Sequence[bytes], seconds: float, per_second: float, in_flight: int
) -> Round:
    return uvloop.run(_run(target, requests, seconds, per_second, in_flight))


class Client:
    """The client process; a context manager. A call that is refused ends the round and raises."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=spawn)
        self.pid = self._pool.submit(os.getpid).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown()

    def send(
        self,
        target: Target,
        requests: Sequence[bytes],
        *,
        seconds: float = float("inf"),
        per_second: float = 0.0,
        in_flight: int = IN_FLIGHT,
    ) -> Round:
        """Send requests, `in_flight` at once, until none is left or `seconds` have passed.

        The first two of each caller warm the channel up and aren't timed. `per_second` paces the
        rest instead of sending each as soon as an earlier one is answered.
        """
        work = self._pool.submit(_round, target, requests, seconds, per_second, in_flight)
        return work.result()
