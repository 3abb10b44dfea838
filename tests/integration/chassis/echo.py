"""A small gRPC service made from a descriptor at run time: what the chassis is tested with."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, message_factory
from google.rpc import status_pb2

from chassis.rpc.server import ServiceEntry

Field = descriptor_pb2.FieldDescriptorProto
PACKAGE = "huitouke.echo.v1"
SERVICE = f"{PACKAGE}.EchoService"
ECHO, COUNT, SUM, BATCH = (f"/{SERVICE}/{name}" for name in ("Echo", "Count", "Sum", "BatchEcho"))


def _field(name: str, number: int, kind: Any, type_name: str = "", **more: Any) -> Field:
    return Field(
        name=name,
        number=number,
        type=kind,
        type_name=type_name or None,
        label=more.pop("label", Field.LABEL_OPTIONAL),
        **more,
    )


def _message(name: str, *fields: Field) -> descriptor_pb2.DescriptorProto:
    return descriptor_pb2.DescriptorProto(name=name, field=fields)


def _short_text() -> Field:
    field = _field("text", 1, Field.TYPE_STRING)
    rules = field.options.Extensions[validate_pb2.field]
    rules.string.max_len = 10_000
    rules.string.min_len = 1
    return field


def _lines() -> Field:
    field = _field("counts", 2, Field.TYPE_INT32, label=Field.LABEL_REPEATED)
    field.options.Extensions[validate_pb2.field].repeated.items.int32.gte = 0
    return field


def _outcome() -> descriptor_pb2.DescriptorProto:
    outcome = _message(
        "BatchEchoOutcome",
        _field("response", 1, Field.TYPE_MESSAGE, f".{PACKAGE}.EchoResponse", oneof_index=0),
        _field("error", 2, Field.TYPE_MESSAGE, ".google.rpc.Status", oneof_index=0),
        _field("replayed", 3, Field.TYPE_BOOL),
    )
    outcome.oneof_decl.add(name="result")
    return outcome


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="huitouke/echo/v1/echo_service.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=[
            validate_pb2.DESCRIPTOR.name,
            duration_pb2.DESCRIPTOR.name,
            status_pb2.DESCRIPTOR.name,
        ],
        message_type=[
            _message("EchoRequest", _short_text(), _lines()),
            _message("EchoResponse", _field("text", 1, Field.TYPE_STRING)),
            _message(
                "BatchEchoItem",
                _field("request", 1, Field.TYPE_MESSAGE, f".{PACKAGE}.EchoRequest"),
                _field("timeout", 2, Field.TYPE_MESSAGE, ".google.protobuf.Duration"),
                _field("traceparent", 3, Field.TYPE_STRING),
            ),
            _outcome(),
            _repeated("BatchEchoRequest", "items", "BatchEchoItem"),
            _repeated("BatchEchoResponse", "outcomes", "BatchEchoOutcome"),
        ],
    )
    _service(file)
    return file


def _repeated(name: str, field: str, item: str) -> descriptor_pb2.DescriptorProto:
    kind, label = Field.TYPE_MESSAGE, Field.LABEL_REPEATED
    return _message(name, _field(field, 1, kind, f".{PACKAGE}.{item}", label=label))


def _service(file: descriptor_pb2.FileDescriptorProto) -> None:
    service = file.service.add(name="EchoService")
    request, response = f".{PACKAGE}.EchoRequest", f".{PACKAGE}.EchoResponse"
    service.method.add(name="Echo", input_type=request, output_type=response)
    service.method.add(
        name="Count", input_type=request, output_type=response, server_streaming=True
    )
    service.method.add(name="Sum", input_type=request, output_type=response, client_streaming=True)
    service.method.add(
        name="BatchEcho",
        input_type=f".{PACKAGE}.BatchEchoRequest",
        output_type=f".{PACKAGE}.BatchEchoResponse",
    )


descriptor_pool.Default().Add(_file())
FILE = descriptor_pool.Default().FindFileByName("huitouke/echo/v1/echo_service.proto")
DESCRIPTOR = FILE.services_by_name["EchoService"]
EchoRequest: Any = message_factory.GetMessageClass(FILE.message_types_by_name["EchoRequest"])
EchoResponse: Any = message_factory.GetMessageClass(FILE.message_types_by_name["EchoResponse"])
BatchEchoRequest: Any = message_factory.GetMessageClass(
    FILE.message_types_by_name["BatchEchoRequest"],
)
BatchEchoResponse: Any = message_factory.GetMessageClass(
    FILE.message_types_by_name["BatchEchoResponse"],
)

OnEcho = Callable[[Any, Any], Awaitable[Any]]


async def answer(request: Any, _context: Any) -> Any:
    """The plain echo."""
    return EchoResponse(text=request.text)


class EchoServicer:
    """Echoes, or does what `on_echo` and `on_batch` say."""

    def __init__(self, on_echo: OnEcho = answer, on_batch: OnEcho = answer) -> None:
        self._on_echo = on_echo
        self._on_batch = on_batch

    async def Echo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._on_echo(request, context)

    async def Count(self, request: Any, _context: Any) -> AsyncIterator[Any]:  # noqa: N802
        for count in request.counts:
            yield EchoResponse(text=str(count))

    async def Sum(self, requests: AsyncIterator[Any], _context: Any) -> Any:  # noqa: N802
        return EchoResponse(text="".join([request.text async for request in requests]))

    async def BatchEcho(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._on_batch(request, context)


def add_to_server(servicer: Any, server: Any) -> None:
    """What generated code would do."""
    parse, write = EchoRequest.FromString, EchoResponse.SerializeToString
    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(servicer.Echo, parse, write),
        "Count": grpc.unary_stream_rpc_method_handler(servicer.Count, parse, write),
        "Sum": grpc.stream_unary_rpc_method_handler(servicer.Sum, parse, write),
        "BatchEcho": grpc.unary_unary_rpc_method_handler(
            servicer.BatchEcho,
            BatchEchoRequest.FromString,
            BatchEchoResponse.SerializeToString,
        ),
    }
    generic = grpc.method_handlers_generic_handler(SERVICE, handlers)
    server.add_generic_rpc_handlers((generic,))
    server.add_registered_method_handlers(SERVICE, handlers)


def entry(servicer: EchoServicer) -> ServiceEntry:
    return ServiceEntry(DESCRIPTOR, add_to_server, servicer)


class EchoStub:
    """What a generated stub would be."""

    def __init__(self, channel: Any) -> None:
        write, parse = EchoRequest.SerializeToString, EchoResponse.FromString
        self.Echo = channel.unary_unary(ECHO, write, parse)
        self.Count = channel.unary_stream(COUNT, write, parse)
        self.Sum = channel.stream_unary(SUM, write, parse)
        self.BatchEcho = channel.unary_unary(
            BATCH,
            BatchEchoRequest.SerializeToString,
            BatchEchoResponse.FromString,
        )
