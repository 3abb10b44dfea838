"""Calls that are far too large, made by a client that does not mind what it sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

from chassis.kernel import Refusal
from chassis.rpc.status import from_rpc_error

TEN_MEGABYTES = 10 * 1024 * 1024
UNBOUNDED: Sequence[tuple[str, int]] = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)
LARGE_HEADER = ("huitouke-note", "x" * TEN_MEGABYTES)


def refusal_of(method: Any, request: Any, metadata: Sequence[tuple[str, str]] = ()) -> Refusal:
    """The refusal of a blocking call; AssertionError when it is answered."""
    try:
        answer = method(request, timeout=20, metadata=metadata)
    except grpc.RpcError as error:
        return from_rpc_error(error)
    raise AssertionError(f"answered {answer}")
