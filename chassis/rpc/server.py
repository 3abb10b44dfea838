"""The gRPC server of every service: TLS, guarded handlers, health, reflection, drain."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from chassis.rpc.authentication import SUITE_CALLERS, Authenticator, mtls_authenticator
from chassis.rpc.health import HealthBoard, HealthMonitor, Probe
from chassis.rpc.interceptor import Handler, Interceptor, MethodRule
from chassis.rpc.open_streams import OPEN_STREAMS_MAX, OpenStreams
from chassis.rpc.tls import ServerTls
from chassis.rpc.validation import is_batch, prepare
from chassis.settings import ServerSettings
from chassis.startup import StartupError
from chassis.telemetry.logs import get_logger

_log = get_logger("rpc.server")
Allow = Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One gRPC service to serve.

    `descriptor` is `points_service_pb2.DESCRIPTOR.services_by_name["PointsService"]`, `add` the
    generated `add_PointsServiceServicer_to_server`.
    """

    descriptor: ServiceDescriptor
    add: Callable[[Any, Any], None]
    servicer: object

    def methods(self) -> tuple[str, ...]:
        """Full names `/package.Service/Method`."""
        return tuple(
            f"/{self.descriptor.full_name}/{name}" for name in self.descriptor.methods_by_name
        )


class Server:
    """One listening port.

    `allow` names for each RPC who may call it; every RPC must be listed (an empty set closes it).
    `health` are probes of what the service can't do without. `tls` and `listen` override the
    settings' (the gateway's second port). Constructing checks everything and raises StartupError
    with all faults in one message; nothing listens before `start`.
    """

    def __init__(
        self,
        settings: ServerSettings,
        services: Sequence[ServiceEntry],
        allow: Allow,
        *,
        health: Mapping[str, Probe] | None = None,
        authenticate: Authenticator = mtls_authenticator,
        known_callers: Collection[str] = SUITE_CALLERS,
        tls: ServerTls | None = None,
        listen: str | None = None,
        board: HealthBoard | None = None,
    ) -> None:
        check_allow_list(services, allow, known_callers)
        self._settings = settings
        self._services = services
        self._allow = allow
        self._tls = tls or settings.server_tls()
        self._listen = listen or settings.listen
        self._interceptor = Interceptor(authenticate, settings.concurrent_calls_max)
        self._monitor = HealthMonitor(
            health or {},
            interval_seconds=settings.health_interval_seconds,
            board=board or HealthBoard(),
            services=tuple(entry.descriptor.full_name for entry in services),
        )
        self._server: grpc.aio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen and serve; afterwards `port` is the real one. StartupError if it is taken."""
        server = grpc.aio.server(
            options=_options(self._settings.message_bytes_max),
            # The interceptor sheds load with a retry delay; this is the backstop behind it.
            maximum_concurrent_rpcs=self._settings.concurrent_calls_max * 2,
        )
        server.add_generic_rpc_handlers([_Handlers(self._guarded() | self._open())])
        try:
            self.port = server.add_secure_port(self._listen, self._tls.credentials())
        except RuntimeError as error:
            raise StartupError(
                f"can't listen on {self._listen}: the port is in use or the certificate and key "
                "don't fit each other; stop what uses it or choose another port",
            ) from error
        await self._monitor.start()
        await server.start()
        self._server = server
        _log.info("serving", listen=self._listen, port=self.port)

    async def stop(self, grace_seconds: float | None = None) -> None:
        """Drain: say NOT_SERVING, pause for load balancers, refuse new calls, let others finish."""
        if self._server is None:
            return
        grace = self._settings.drain_grace_seconds if grace_seconds is None else grace_seconds
        await self._monitor.drain()
        await asyncio.sleep(self._settings.drain_pause_seconds)
        await self._server.stop(grace)
        await self._monitor.stop()
        self._server = None
        _log.info("drained", listen=self._listen)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.stop()

    def _guarded(self) -> dict[str, Handler]:
        handlers: dict[str, Handler] = {}
        for entry in self._services:
            for method, handler in _collect(entry).items():
                request = _request_class(entry.descriptor, method.rpartition("/")[2])
                prepare(request)
                rule = MethodRule(method, frozenset(self._allow[method]), batch=is_batch(request))
                handlers[method] = self._interceptor.wrap(rule, handler)
        return handlers

    def _open(self) -> dict[str, Handler]:
        """Health and reflection: neither allow-list nor deadline, as balancers and tools call."""
        registrar = _Registrar()
        health_pb2_grpc.add_HealthServicer_to_server(self._monitor.servicer, registrar)
        names = [entry.descriptor.full_name for entry in self._services]
        names += [health_pb2.DESCRIPTOR.services_by_name["Health"].full_name]
        servicer = reflection.aio.ReflectionServicer([*names, reflection.SERVICE_NAME])
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, registrar)
        half = max(1, self._settings.concurrent_calls_max // 2)
        return OpenStreams(min(OPEN_STREAMS_MAX, half)).limit(registrar.handlers)


def check_allow_list(
    services: Sequence[ServiceEntry],
    allow: Allow,
    known_callers: Collection[str],
) -> None:
    """Raise StartupError naming each RPC unlisted or unimplemented, each unknown RPC or caller."""
    served = {method for entry in services for method in entry.methods()}
    faults = [f"{method}: in the allow-list, but no such RPC" for method in allow.keys() - served]
    faults += [
        f"{method}: not in the allow-list; name its callers" for method in served - allow.keys()
    ]
    for method in served & allow.keys():
        faults += [
            f"{method}: unknown caller {caller!r}; known are {', '.join(sorted(known_callers))}"
            for caller in sorted(set(allow[method]) - set(known_callers))
        ]
    faults += [fault for entry in services for fault in _unimplemented(entry)]
    if faults:
        raise StartupError("\n".join(["the server can't start:", *sorted(faults)]))


def _unimplemented(entry: ServiceEntry) -> list[str]:
    kind = type(entry.servicer)
    base = f"{entry.descriptor.name}Servicer"
    faults = []
    for name in entry.descriptor.methods_by_name:
        owner = next((cls for cls in kind.__mro__ if name in vars(cls)), None)
        if owner is None or (owner.__name__ == base and owner.__module__.endswith("_pb2_grpc")):
            faults.append(
                f"/{entry.descriptor.full_name}/{name}: {kind.__name__} doesn't implement it"
            )
    return faults


class _Registrar:
    """Stands in for a server while generated code registers, and keeps the handlers."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}

    def add_generic_rpc_handlers(self, _handlers: object) -> None:
        """The same handlers come by name; nothing to keep."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        self.handlers |= {f"/{service}/{name}": handler for name, handler in handlers.items()}


class _Handlers(grpc.GenericRpcHandler):
    """All RPCs in one dictionary.

    Registered handlers would each keep a pending accept, all of which grpc.aio waits on anew for
    every call: with 40 RPCs that costs more than the rest of the call.
    """

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = dict(handlers)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        return self._handlers.get(handler_call_details.method)


def _collect(entry: ServiceEntry) -> dict[str, Handler]:
    registrar = _Registrar()
    entry.add(entry.servicer, registrar)
    return registrar.handlers


def _request_class(descriptor: ServiceDescriptor, method: str) -> Any:
    return GetMessageClass(descriptor.methods_by_name[method].input_type)


def _options(message_bytes_max: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", message_bytes_max),
        ("grpc.max_send_message_length", message_bytes_max),
        # Two processes on one port would share its calls silently; the second must fail instead.
        ("grpc.so_reuseport", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]


__all__ = ["Allow", "Server", "ServiceEntry", "check_allow_list"]
