"""Refusals as google.rpc.Status and back, so that a reason crosses services intact."""

import re
from collections.abc import Iterable
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from chassis.kernel.refusals import Category, FieldViolation, Refusal

DOMAIN: Final = "huitouke"
DETAILS_KEY: Final = "grpc-status-details-bin"

# A status travels in HTTP/2 trailers, which are 8 KB by default; what is longer is cut so that it
# arrives at all: the first faults of a huge request, not the 500th.
MESSAGE_LENGTH_MAX: Final = 500
VIOLATIONS_MAX: Final = 15
FIELD_LENGTH_MAX: Final = 120
RULE_LENGTH_MAX: Final = 160

CODES: Final[dict[Category, grpc.StatusCode]] = {
    Category.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Category.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Category.ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Category.PRECONDITION: grpc.StatusCode.FAILED_PRECONDITION,
    Category.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Category.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Category.EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Category.ABORTED: grpc.StatusCode.ABORTED,
    Category.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Category.TOO_LATE: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_CATEGORIES: Final = {code.value[0]: category for category, code in CODES.items()}

# What a status without ErrorInfo means: one that gRPC itself made, not a Huitouke service.
_REASONS: Final[dict[int, str]] = {
    grpc.StatusCode.UNAVAILABLE.value[0]: "UNAVAILABLE",
    grpc.StatusCode.DEADLINE_EXCEEDED.value[0]: "DEADLINE_PASSED",
    grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]: "OVERLOADED",
    grpc.StatusCode.UNAUTHENTICATED.value[0]: "UNAUTHENTICATED",
    grpc.StatusCode.PERMISSION_DENIED.value[0]: "CALLER_NOT_ALLOWED",
    grpc.StatusCode.INVALID_ARGUMENT.value[0]: "INVALID_FIELD",
    grpc.StatusCode.CANCELLED.value[0]: "UNAVAILABLE",
    grpc.StatusCode.UNIMPLEMENTED.value[0]: "UNAVAILABLE",
}

# What gRPC's core says when it refuses a call before it is read; no repetition makes it smaller.
_REQUEST_TOO_LARGE: Final = re.compile(
    r"(?:SERVER: Received|CLIENT: Sent) message larger than max \((\d+) vs\. (\d+)\)"
)
_METADATA_TOO_LARGE: Final = re.compile(
    r"received metadata size exceeds \w+ limit \((?:value length )?(\d+) vs\. (\d+)\)"
)


def to_status(refusal: Refusal) -> Status:
    """The wire form: exactly one ErrorInfo, BadRequest where fields are named, RetryInfo if any."""
    code = CODES[refusal.category].value[0]
    status = Status(code=code, message=refusal.message[:MESSAGE_LENGTH_MAX])
    _attach(
        status,
        ErrorInfo(reason=refusal.reason, domain=DOMAIN, metadata=dict(refusal.metadata or {})),
    )
    if refusal.fields:
        violations = [
            BadRequest.FieldViolation(
                field=violation.field[:FIELD_LENGTH_MAX],
                description=violation.rule[:RULE_LENGTH_MAX],
            )
            for violation in refusal.fields[:VIOLATIONS_MAX]
        ]
        _attach(status, BadRequest(field_violations=violations))
    if refusal.retry_after_seconds is not None:
        delay = Duration()
        delay.FromNanoseconds(round(refusal.retry_after_seconds * 1e9))
        _attach(status, RetryInfo(retry_delay=delay))
    return status


def internal_status() -> Status:
    """The answer to a defect: a bare reason, nothing of the exception."""
    status = Status(code=grpc.StatusCode.INTERNAL.value[0], message="internal error")
    _attach(status, ErrorInfo(reason="INTERNAL", domain=DOMAIN))
    return status


def from_status(status: Status) -> Refusal:
    """The refusal that `status` carries.

    A code that no refusal has (INTERNAL, UNKNOWN ...) is a defect or an older release on the other
    side: UNAVAILABLE, which passes, with the reason INTERNAL unless the status names another.
    """
    info, bad_request, retry = ErrorInfo(), BadRequest(), None
    for detail in status.details:
        if detail.Is(ErrorInfo.DESCRIPTOR):
            detail.Unpack(info)
        elif detail.Is(BadRequest.DESCRIPTOR):
            detail.Unpack(bad_request)
        elif detail.Is(RetryInfo.DESCRIPTOR):
            retry = RetryInfo()
            detail.Unpack(retry)
    return Refusal(
        _CATEGORIES.get(status.code, Category.UNAVAILABLE),
        info.reason or _REASONS.get(status.code, "INTERNAL"),
        status.message,
        fields=[
            FieldViolation(violation.field, violation.description)
            for violation in bad_request.field_violations
        ],
        metadata=dict(info.metadata) or None,
        retry_after_seconds=None if retry is None else retry.retry_delay.ToNanoseconds() / 1e9,
    )


def from_rpc_error(error: grpc.RpcError) -> Refusal:
    """The refusal behind a failed client call, whichever side made it."""
    code: grpc.StatusCode = error.code()
    raw = _details_bytes(error.trailing_metadata() or ())  # type: ignore[arg-type]
    status = Status()
    if raw is not None:
        status.ParseFromString(raw)
    if status.code != code.value[0]:
        text = error.details() or code.value[1]
        return _too_large(text) or from_status(Status(code=code.value[0], message=text))
    return from_status(status)


def _too_large(text: str) -> Refusal | None:
    """The refusal behind what gRPC's core says of a call that is larger than a server takes."""
    if found := _REQUEST_TOO_LARGE.search(text):
        message = f"the request has {found[1]} bytes, more than {found[2]}: send less in one call"
        return Refusal(Category.INVALID, "REQUEST_TOO_LARGE", message, metadata=_sizes(found))
    if found := _METADATA_TOO_LARGE.search(text):
        message = f"the call's metadata has {found[1]} bytes, more than {found[2]}: send less of it"
        return Refusal(Category.INVALID, "METADATA_TOO_LARGE", message, metadata=_sizes(found))
    return None


def _sizes(found: re.Match[str]) -> dict[str, str]:
    return {"bytes": found[1], "limit_bytes": found[2]}


def _details_bytes(trailing: Iterable[tuple[str, str | bytes]]) -> bytes | None:
    for key, value in trailing:
        if key == DETAILS_KEY and isinstance(value, bytes):
            return value
    return None


def _attach(status: Status, detail: ErrorInfo | BadRequest | RetryInfo) -> None:
    packed = AnyMessage()
    packed.Pack(detail)
    status.details.append(packed)
