"""Values that many messages share: instants, time zones, ids."""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from google.protobuf.timestamp_pb2 import Timestamp

from services.coupon.domain import errors


def to_instant(stamp: Timestamp, field: str) -> datetime:
    """Return the instant in UTC, to the microsecond; INVALID_FIELD where it is none."""
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        rule = "must be an instant from year 1 to 9999, nanos from 0 to 999999999"
        raise errors.invalid_field(field, rule) from None


def to_local_instant(stamp: Timestamp, zone: tzinfo, field: str) -> datetime:
    """Return the instant in UTC; INVALID_FIELD also where the zone's calendar has no such day."""
    instant = to_instant(stamp, field)
    try:
        instant.astimezone(zone)
    except OverflowError:
        rule = "must lie in the years 1 to 9999 of the place's calendar too"
        raise errors.invalid_field(field, rule) from None
    return instant


def to_stamp(instant: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp


def to_zone(name: str, field: str) -> tzinfo:
    """Return the IANA time zone; INVALID_FIELD where there is no such zone."""
    if name not in _zone_names():
        raise errors.invalid_field(field, "must be an IANA time zone, such as Asia/Shanghai")
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    """The zones this machine knows, read once; a name is never tried as a file path."""
    return frozenset(available_timezones())


def texts(ids: tuple[UUID, ...]) -> list[str]:
    return [str(each) for each in ids]
