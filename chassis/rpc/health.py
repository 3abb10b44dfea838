"""Health: each dependency is probed in turn; a service serves while all that it needs are up."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as grpc_health

from chassis.telemetry import metrics
from chassis.telemetry.logs import get_logger

Probe = Callable[[], Awaitable[bool]]
PROBE_TIMEOUT_SECONDS: Final = 3.0
_log = get_logger("rpc.health")
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


class RunsReads(Protocol):
    """`chassis.storage.reads.Reads`."""

    def run(self, fn: Callable[[Any], Any]) -> Awaitable[Any]: ...


def database_probe(reads: RunsReads) -> Probe:
    """Whether the database answers a statement."""

    async def probe() -> bool:
        await reads.run(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
        return True

    return probe


class HealthBoard:
    """The last known state of each dependency of this process; read by /healthz from a thread."""

    def __init__(self) -> None:
        self._states: dict[str, bool] = {}

    def set(self, name: str, *, up: bool) -> None:
        """Record one dependency's state; a change is logged."""
        before = self._states.get(name)
        self._states = {**self._states, name: up}
        metrics.DEPENDENCY_UP.prometheus.labels(name).set(1 if up else 0)
        if before is not up and (before is not None or not up):
            (_log.info if up else _log.warning)("dependency_changed", dependency=name, up=up)

    def states(self) -> Mapping[str, bool]:
        return self._states

    def healthy(self) -> bool:
        """Whether all that was recorded is up; an empty board is healthy."""
        return all(self._states.values())


class HealthMonitor:
    """Probes dependencies at an interval; keeps a board and, for a server, grpc.health.v1.

    In grpc.health.v1 the empty name and each service's full name are SERVING while every probe
    passes; each dependency's name tells its own state.
    """

    def __init__(
        self,
        probes: Mapping[str, Probe],
        *,
        interval_seconds: float,
        board: HealthBoard,
        services: tuple[str, ...] = (),
    ) -> None:
        self.servicer: Final = grpc_health.HealthServicer()
        self._probes = dict(probes)
        self._interval_seconds = interval_seconds
        self._board = board
        self._services = services
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Probe once, then go on in the background until `stop`."""
        await self._probe_all()
        self._task = asyncio.create_task(self._repeat(), name="health")

    async def drain(self) -> None:
        """Say NOT_SERVING for good, to whoever asks or watches."""
        await self.servicer.enter_graceful_shutdown()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(self._interval_seconds)
            await self._probe_all()

    async def _probe_all(self) -> None:
        results = await asyncio.gather(*(_probe(probe) for probe in self._probes.values()))
        for name, up in zip(self._probes, results, strict=True):
            self._board.set(name, up=up)
            await self.servicer.set(name, _SERVING if up else _NOT_SERVING)
        overall = _SERVING if all(results) else _NOT_SERVING
        for service in ("", *self._services):
            await self.servicer.set(service, overall)


async def _probe(probe: Probe) -> bool:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
            return bool(await probe())
    except Exception as error:  # noqa: BLE001 - a probe that fails in any way says: down
        _log.debug("probe_failed", exc_info=error)
        return False
