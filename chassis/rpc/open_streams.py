"""Streams that anyone may open: watching health, asking reflection. Few at a time."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import grpc

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
OPEN_STREAMS_MAX: Final = 64


class OpenStreams:
    """Counts streams that need neither a name nor a deadline, over all of one server's.

    Without a bound, whoever reaches the port could hold all the calls that the server takes at
    once, and no caller with a key would get in.
    """

    def __init__(self, streams_max: int) -> None:
        self._streams_max = streams_max
        self._open = 0

    def limit(self, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
        """Return the handlers with their streams counted; single calls are as they were."""
        return {name: self._limited(handler) for name, handler in handlers.items()}

    def _limited(self, handler: Handler) -> Handler:
        codecs = handler.request_deserializer, handler.response_serializer
        if handler.stream_stream is not None:
            counted = self._counted(handler.stream_stream)
            return grpc.stream_stream_rpc_method_handler(counted, *codecs)
        if handler.unary_stream is not None:
            counted = self._counted(handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(counted, *codecs)
        return handler

    def _counted(self, behaviour: Callable[..., Any]) -> Any:
        async def serve(request: Any, context: Any) -> None:
            if self._open >= self._streams_max:
                await context.abort(
                    grpc.StatusCode.RESOURCE_EXHAUSTED, "too many streams are open; ask by Check"
                )
            self._open += 1
            try:
                answers = behaviour(request, context)
                if inspect.isasyncgen(answers):
                    async for answer in answers:
                        await context.write(answer)
                else:
                    await answers
            finally:
                self._open -= 1

        return serve
