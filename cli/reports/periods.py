"""Dates and times as an operator types them, by the hotels' clock."""

from datetime import datetime
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

TIME_ZONE = "Asia/Shanghai"
_ZONE = ZoneInfo(TIME_ZONE)


def to_timestamp(typed: datetime | None) -> Timestamp | None:
    """The instant of what was typed; a date alone is its beginning."""
    if typed is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(typed.replace(tzinfo=_ZONE))
    return stamp


def shown(stamp: Timestamp) -> str:
    """An instant by the hotels' clock, to the second."""
    return stamp.ToDatetime(tzinfo=_ZONE).strftime("%Y-%m-%d %H:%M:%S")
