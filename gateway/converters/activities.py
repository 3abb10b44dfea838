"""A member's timeline: ledger entries and coupons as activities, and the token between pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from huitouke.coupon.v1 import coupon_pb2
from huitouke.gateway.v1 import partner_service_pb2
from huitouke.points.v1 import entry_pb2, hold_pb2

from chassis.rpc.pages import PageTokens
from gateway.converters.instants import to_instant
from gateway.domain.timeline import Cursor

_KINDS = {
    entry_pb2.ENTRY_KIND_CHECKOUT: partner_service_pb2.ACTIVITY_KIND_PURCHASE,
    entry_pb2.ENTRY_KIND_REVERSAL: partner_service_pb2.ACTIVITY_KIND_REFUND,
    entry_pb2.ENTRY_KIND_TOP_UP: partner_service_pb2.ACTIVITY_KIND_TOP_UP,
    entry_pb2.ENTRY_KIND_EXPIRY: partner_service_pb2.ACTIVITY_KIND_EXPIRY,
    entry_pb2.ENTRY_KIND_CAPTURE: partner_service_pb2.ACTIVITY_KIND_PURCHASE,
    entry_pb2.ENTRY_KIND_MATURING: partner_service_pb2.ACTIVITY_KIND_MATURING,
    entry_pb2.ENTRY_KIND_TRANSFER: partner_service_pb2.ACTIVITY_KIND_TRANSFER,
    entry_pb2.ENTRY_KIND_ADJUSTMENT: partner_service_pb2.ACTIVITY_KIND_ADJUSTMENT,
    entry_pb2.ENTRY_KIND_WITHDRAWAL: partner_service_pb2.ACTIVITY_KIND_WITHDRAWAL,
    entry_pb2.ENTRY_KIND_TOP_UP_REFUND: partner_service_pb2.ACTIVITY_KIND_TOP_UP_REFUND,
    entry_pb2.ENTRY_KIND_IMPORT: partner_service_pb2.ACTIVITY_KIND_OPENING_BALANCE,
}
SERVICE = "gateway"
START = Cursor()
Item = entry_pb2.Entry | coupon_pb2.Coupon | hold_pb2.Hold


@dataclass(frozen=True, slots=True)
class Position:
    """Where a timeline goes on. `until` is when its first page was read: nothing newer shows."""

    until: datetime
    entries: Cursor = START
    coupons: Cursor = START
    holds: Cursor = START


def from_entry(
    entry: entry_pb2.Entry, names: Mapping[UUID, str], gross: Mapping[UUID, int]
) -> partner_service_pb2.Activity:
    """Return a ledger entry; `gross` holds bills before coupons by checkout id."""
    kind = _KINDS.get(entry.kind, partner_service_pb2.ACTIVITY_KIND_UNSPECIFIED)
    bought = entry.kind == entry_pb2.ENTRY_KIND_CHECKOUT
    return partner_service_pb2.Activity(
        kind=kind,
        occurred_at=entry.posted_at,
        points=entry.points,
        cash_minor=entry.cash_minor,
        bonus_minor=entry.bonus_minor,
        merchant_name=names.get(UUID(entry.merchant_id), "") if entry.merchant_id else "",
        reference_id=entry.reference_id,
        gross_minor=gross.get(UUID(entry.reference_id), 0) if bought else 0,
    )


def kind_name(kind: entry_pb2.EntryKind.ValueType) -> str:
    """Return the name of a ledger entry's kind among activities: "PURCHASE"."""
    shown = _KINDS.get(kind, partner_service_pb2.ACTIVITY_KIND_UNSPECIFIED)
    return partner_service_pb2.ActivityKind.Name(shown).removeprefix("ACTIVITY_KIND_")


def from_coupon(coupon: coupon_pb2.Coupon) -> partner_service_pb2.Activity:
    """Return the issue of a coupon."""
    return partner_service_pb2.Activity(
        kind=partner_service_pb2.ACTIVITY_KIND_COUPON_ISSUED,
        occurred_at=coupon.issued_at,
        reference_id=coupon.coupon_id,
        campaign_code=coupon.campaign_code,
    )


def from_hold(hold: hold_pb2.Hold, names: Mapping[UUID, str]) -> partner_service_pb2.Activity:
    """Return what an open hold sets aside."""
    return partner_service_pb2.Activity(
        kind=partner_service_pb2.ACTIVITY_KIND_HELD,
        occurred_at=hold.authorized_at,
        merchant_name=names.get(UUID(hold.merchant_id), "") if hold.merchant_id else "",
        reference_id=hold.checkout_id or hold.hold_id,
        points_held=hold.points,
        cash_held_minor=hold.cash_minor,
        bonus_held_minor=hold.bonus_minor,
    )


def instant_of(item: Item) -> datetime:
    """Return when it happened."""
    match item:
        case entry_pb2.Entry():
            return to_instant(item.posted_at)
        case coupon_pb2.Coupon():
            return to_instant(item.issued_at)
        case hold_pb2.Hold():
            return to_instant(item.authorized_at)


def key_of(hold: hold_pb2.Hold) -> str:
    """Return what orders holds: by when they were authorised, then by id."""
    at = hold.authorized_at
    return f"{at.seconds:011d}.{at.nanos:09d}|{hold.hold_id}"


def to_token(position: Position, query: str, key: bytes) -> str:
    """Return the opaque page token of a position in `query`; it fits no other."""
    if position.entries.ended and position.coupons.ended and position.holds.ended:
        return ""
    content = json.dumps(
        {
            "until": position.until.isoformat(),
            "entries": _cursor_out(position.entries),
            "coupons": _cursor_out(position.coupons),
            "holds": _cursor_out(position.holds),
        },
        separators=(",", ":"),
    ).encode()
    return PageTokens(key, SERVICE).seal(query, content)


def from_token(token: str, query: str, key: bytes, now: datetime) -> Position:
    """Return where a page token says to go on; Refusal PAGE_TOKEN_INVALID for any other text."""
    if not token:
        return Position(until=now.astimezone(UTC))
    said = json.loads(PageTokens(key, SERVICE).unseal(query, token))
    return Position(
        datetime.fromisoformat(said["until"]),
        Cursor(*said["entries"]),
        Cursor(*said["coupons"]),
        Cursor(*said.get("holds", ("", 0, True))),  # a release before this one knew none
    )


def _cursor_out(cursor: Cursor) -> list[str | int | bool]:
    return [cursor.token, cursor.shown, cursor.ended]
