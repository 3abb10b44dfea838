"""Batches put together from recorded bytes: what was written down is what travels.

A `Batch...Request` holds items of {1: request, 2: timeout, 3: traceparent}; in protobuf's wire
format each of them is its tag, its length and its bytes, so that requests need neither be parsed
nor copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration

from chassis.kernel import Refusal
from chassis.rpc.client import MESSAGE_BYTES_MAX, Channel
from chassis.rpc.coalescer import Coalescer, Item
from chassis.rpc.status import from_status
from gateway.converters.wire import Embedded

BATCH_BYTES_MAX = MESSAGE_BYTES_MAX // 2
"""Of requests; what travels with each of them takes far less than the other half."""

_ITEMS = Embedded(1)
_REQUEST, _TIMEOUT, _TRACEPARENT = Embedded(1), Embedded(2), Embedded(3)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Answered(Generic[R]):
    """A service's answer, and whether it remembered it from an earlier request."""

    response: R
    replayed: bool


class BatchResponseClass(Protocol):
    """A generated `Batch...Response` class."""

    @staticmethod
    def FromString(s: bytes) -> Any: ...  # noqa: N802 - protobuf's own name


def batched(
    channel: Channel, method: str, response_class: BatchResponseClass
) -> Coalescer[bytes, Answered[Any]]:
    """Return a coalescer of serialized requests over the `Batch...` RPC with this full name."""
    rpc: grpc.aio.UnaryUnaryMultiCallable[bytes, Any] = channel.grpc.unary_unary(
        method, request_serializer=None, response_deserializer=response_class.FromString
    )

    async def call_batch(items: Sequence[Item[bytes]]) -> list[Answered[Any] | Refusal]:
        response = await channel.call(
            rpc,
            wire_batch(items),
            timeout_seconds=max(item.remaining_seconds() for item in items),
            idempotent=True,
        )
        return [_outcome(outcome) for outcome in response.outcomes]

    return Coalescer(
        call_batch,
        name=method.rpartition("/")[2],
        weigh=len,
        weight_limit=BATCH_BYTES_MAX,
    )


def wire_batch(items: Sequence[Item[bytes]]) -> bytes:
    """Return the serialized `Batch...Request` of these items."""
    return b"".join([_ITEMS.part(_wire_item(item)) for item in items])


def _wire_item(item: Item[bytes]) -> bytes:
    nanoseconds = int(item.remaining_seconds() * 1e9)
    timeout = Duration(seconds=nanoseconds // 10**9, nanos=nanoseconds % 10**9)
    return (
        _REQUEST.part(item.request)
        + _TIMEOUT.part(timeout.SerializeToString())
        + _TRACEPARENT.part(item.traceparent.encode())
    )


def _outcome(outcome: Any) -> Answered[Any] | Refusal:
    if outcome.WhichOneof("result") == "response":
        return Answered(outcome.response, outcome.replayed)
    refusal = from_status(outcome.error)
    refusal.replayed = outcome.replayed
    return refusal
