"""Instants, ids, zones and enum values in both directions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.points.v1 import entry_pb2, movement_pb2, programme_pb2, purchase_pb2
from huitouke.type.v1 import (
    booking_channel_pb2,
    merchant_category_pb2,
    season_pb2,
    tender_kind_pb2,
)

from services.points.domain import errors
from services.points.domain.assets import Asset, Category, Channel, EntryKind, Funder, Tender
from services.points.domain.movements import AdjustmentState
from services.points.domain.programme import Clawback, SpendOrder, StackingClass
from services.points.domain.purchases import Season
from services.points.domain.rules import Rounding

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

CATEGORIES: Final = {
    merchant_category_pb2.MerchantCategory.Value(f"MERCHANT_CATEGORY_{each}"): each
    for each in Category
}
CHANNELS: Final = {
    booking_channel_pb2.BookingChannel.Value(f"BOOKING_CHANNEL_{each}"): each for each in Channel
}
FUNDERS: Final = {purchase_pb2.Funder.Value(f"FUNDER_{each}"): each for each in Funder}
STACKING_CLASSES: Final = {
    programme_pb2.StackingClass.Value(f"STACKING_CLASS_{each}"): each for each in StackingClass
}
SPEND_ORDERS: Final = {
    programme_pb2.SpendOrder.Value(f"SPEND_ORDER_{each}"): each for each in SpendOrder
}
SEASONS: Final = {season_pb2.Season.Value(f"SEASON_{each}"): each for each in Season}
ROUNDINGS: Final = {
    programme_pb2.ROUNDING_UNSPECIFIED: Rounding.DOWN,
    **{programme_pb2.Rounding.Value(f"ROUNDING_{each}"): each for each in Rounding},
}
CLAWBACKS: Final = {
    programme_pb2.CLAWBACK_UNSPECIFIED: Clawback.COLLECT,
    **{programme_pb2.Clawback.Value(f"CLAWBACK_{each}"): each for each in Clawback},
}
ENTRY_KINDS: Final = {entry_pb2.EntryKind.Value(f"ENTRY_KIND_{each}"): each for each in EntryKind}
ASSETS: Final = {entry_pb2.Asset.Value(f"ASSET_{each}"): each for each in Asset}
TENDERS: Final = {tender_kind_pb2.TenderKind.Value(f"TENDER_KIND_{each}"): each for each in Tender}
ADJUSTMENT_STATES: Final = {
    movement_pb2.AdjustmentState.Value(f"ADJUSTMENT_STATE_{each}"): each for each in AdjustmentState
}

TO_CATEGORY: Final = {each: number for number, each in CATEGORIES.items()}
TO_CHANNEL: Final = {each: number for number, each in CHANNELS.items()}
TO_FUNDER: Final = {each: number for number, each in FUNDERS.items()}
TO_STACKING_CLASS: Final = {each: number for number, each in STACKING_CLASSES.items()}
TO_SPEND_ORDER: Final = {each: number for number, each in SPEND_ORDERS.items()}
TO_SEASON: Final = {each: number for number, each in SEASONS.items()}
TO_ROUNDING: Final = {each: number for number, each in ROUNDINGS.items()}
TO_CLAWBACK: Final = {each: number for number, each in CLAWBACKS.items()}
TO_ENTRY_KIND: Final = {each: number for number, each in ENTRY_KINDS.items()}
TO_ASSET: Final = {each: number for number, each in ASSETS.items()}
TO_ADJUSTMENT_STATE: Final = {each: number for number, each in ADJUSTMENT_STATES.items()}


def to_instant(stamp: Timestamp, field: str) -> datetime:
    """The instant to the microsecond; refuses one outside the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)
    except OverflowError:
        raise errors.invalid_field(field, "must lie in the years 1 to 9999") from None


def to_day(text: str, field: str) -> date | None:
    """The day of a text that looks like YYYY-MM-DD; None for no text."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise errors.invalid_field(field, "must be a day of the calendar, YYYY-MM-DD") from None


@lru_cache(maxsize=1024)
def to_stamp(instant: datetime) -> Timestamp:
    """The protobuf form; shared, so it is copied into messages and never changed."""
    microseconds = (instant - _EPOCH) // _MICROSECOND
    return Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1000)


def to_tender(tender: Tender | None) -> tender_kind_pb2.TenderKind.ValueType:
    """The wire's number; UNSPECIFIED for one that nobody said."""
    return tender_kind_pb2.TenderKind.Value(f"TENDER_KIND_{tender or 'UNSPECIFIED'}")


@lru_cache(maxsize=16384)
def to_id(text: str) -> UUID:
    """The id that validated text stands for; tills, outlets and merchants come again and again."""
    return UUID(text)


@lru_cache(maxsize=1024)
def to_zone(name: str, field: str) -> ZoneInfo:
    """The IANA zone; refuses a name nobody knows."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed, or a folder of the database
        raise errors.invalid_field(field, "must be an IANA time zone, Asia/Shanghai say") from None
