"""Instants between protobuf and Python."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.domain import errors

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_SECONDS = 86_400


def to_timestamp(instant: datetime) -> Timestamp:
    """Return an aware instant as a Timestamp, to the microsecond."""
    # FromDatetime does the same by the calendar, ten times slower. In whole numbers: a float's
    # seconds are rounded, and before 1970 towards the wrong side.
    since = instant - _EPOCH
    seconds = since.days * _DAY_SECONDS + since.seconds
    return Timestamp(seconds=seconds, nanos=since.microseconds * 1000)


def read_instant(timestamp: Timestamp, field: str) -> datetime:
    """Return a caller's Timestamp; raises Refusal INVALID_FIELD for one that is no instant."""
    try:
        return to_instant(timestamp)
    except (ValueError, OverflowError):
        rule = "must be an instant in the years 1 to 9999, with 0 to 999,999,999 nanoseconds"
        raise errors.invalid_field(field, rule) from None


def to_instant(timestamp: Timestamp) -> datetime:
    """Return a Timestamp as an aware UTC instant, to the microsecond."""
    return timestamp.ToDatetime(UTC)
