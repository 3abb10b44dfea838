"""How the command line speaks to a suite: gRPC over TLS, as any outsider would."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from cli.endpoints import Endpoints

CALL_TIMEOUT_SECONDS = 15.0
REPORT_TIMEOUT_SECONDS = 600.0
"""For what looks at a whole ledger."""
Metadata = Sequence[tuple[str, str]]


class Refused(Exception):
    """A call was refused: gRPC code, reason (ErrorInfo) and message, ready to be shown."""

    def __init__(self, error: grpc.RpcError) -> None:
        """Read the details out of a failed call."""
        self.code: grpc.StatusCode = error.code()
        self.message: str = error.details() or ""
        self.reason, self.metadata = _error_info(error)
        super().__init__(f"{self.reason or self.code.name}: {self.message}")


def _error_info(error: grpc.RpcError) -> tuple[str, Mapping[str, str]]:
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason, dict(info.metadata)
    return "", {}


def call(
    method: Any,
    request: Any,
    metadata: Metadata = (),
    timeout_seconds: float = CALL_TIMEOUT_SECONDS,
) -> Any:
    """Call a unary RPC with a deadline.

    Raises:
        Refused: The server refused, or is not there.
    """
    try:
        return method(request, timeout=timeout_seconds, metadata=metadata)
    except grpc.RpcError as error:
        raise Refused(error) from error


def stream(
    method: Any, request: Any, timeout_seconds: float = REPORT_TIMEOUT_SECONDS
) -> Iterator[Any]:
    """The answers of a server stream, with a deadline for all of them.

    Raises:
        Refused: The server refused, or is not there, or went away in the middle.
    """
    try:
        yield from method(request, timeout=timeout_seconds)
    except grpc.RpcError as error:
        raise Refused(error) from error


def till_metadata(api_key: str, terminal_id: str) -> Metadata:
    """What a till sends with each call: its merchant's key and its own id."""
    return (("authorization", f"Bearer {api_key}"), ("huitouke-terminal", terminal_id))


def partner_credentials(endpoints: Endpoints) -> grpc.ChannelCredentials:
    """Server TLS only: a till trusts the suite's authority and has no certificate of its own."""
    return grpc.ssl_channel_credentials(_authority(endpoints))


def operator_credentials(endpoints: Endpoints) -> grpc.ChannelCredentials:
    """Mutual TLS as `operator`."""
    folder = Path(endpoints.certificates)
    key = (folder / "operator.key").read_bytes()
    return grpc.ssl_channel_credentials(
        _authority(endpoints), key, (folder / "operator.pem").read_bytes()
    )


def _authority(endpoints: Endpoints) -> bytes:
    return (Path(endpoints.certificates) / "ca.pem").read_bytes()


def new_request_id(purpose: str) -> str:
    """A request_id that no one else chooses, readable in a log."""
    return f"{purpose}/{uuid.uuid4()}"
