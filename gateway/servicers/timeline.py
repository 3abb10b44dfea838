"""A member's timeline: the ledger's entries, coupons issued and open holds, merged by pages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from huitouke.coupon.v1 import coupon_pb2, coupon_service_pb2
from huitouke.gateway.v1 import partner_service_pb2
from huitouke.points.v1 import entry_pb2, hold_pb2, points_service_pb2

from chassis.storage.reads import Reads
from gateway.converters import activities as convert
from gateway.converters.activities import Item, Position
from gateway.converters.instants import to_timestamp
from gateway.domain.timeline import Cursor, Source, merge
from gateway.servicers.upstream import Coupons, Ledger
from gateway.storage import reads as read

PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX = 50, 200


class Timeline:
    """Pages through what happened to a member, at every merchant, newest first."""

    def __init__(self, ledger: Ledger, coupons: Coupons, reads: Reads, key: bytes) -> None:
        self._ledger = ledger
        self._coupons = coupons
        self._reads = reads
        self._key = key

    async def page(
        self, member_id: str, page_size: int, page_token: str, now: datetime
    ) -> partner_service_pb2.ListActivityResponse:
        """Return one page; raises Refusal PAGE_TOKEN_INVALID for a token of another query."""
        size = min(page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
        query = f"activity|{member_id}"
        at = convert.from_token(page_token, query, self._key, now)
        entries, coupons, holds = await asyncio.gather(
            self._entries(member_id, size, at),
            self._issued(member_id, size, at),
            self._held(member_id, at),
        )
        items, cursors = merge([entries, coupons, holds], size)
        goes_on = Position(at.until, *cursors)
        goes_on = replace(goes_on, holds=_after_shown(goes_on.holds, at.holds, items))
        return partner_service_pb2.ListActivityResponse(
            activities=await self._activities(items),
            next_page_token=convert.to_token(goes_on, query, self._key),
        )

    async def _entries(self, member_id: str, size: int, at: Position) -> Source[Item]:
        if at.entries.ended:
            return Source(at.entries, [], "")
        answer = await self._ledger.entries(
            points_service_pb2.ListEntriesRequest(
                member_id=member_id,
                page_size=size,
                page_token=at.entries.token,
                until=to_timestamp(at.until),
            )
        )
        return _source(at, at.entries, answer.entries, answer.next_page_token)

    async def _issued(self, member_id: str, size: int, at: Position) -> Source[Item]:
        if at.coupons.ended:
            return Source(at.coupons, [], "")
        answer = await self._coupons.list_coupons(
            coupon_service_pb2.ListCouponsRequest(
                member_id=member_id, page_size=size, page_token=at.coupons.token
            )
        )
        return _source(at, at.coupons, answer.coupons, answer.next_page_token)

    async def _held(self, member_id: str, at: Position) -> Source[Item]:
        """Return the open holds that come after the last one shown, newest first."""
        if at.holds.ended:
            return Source(at.holds, [], "")
        answer = await self._ledger.open_holds(hold_pb2.ListOpenHoldsRequest(member_id=member_id))
        holds = sorted(answer.holds, key=convert.key_of, reverse=True)
        rest = [
            hold for hold in holds if not at.holds.token or convert.key_of(hold) < at.holds.token
        ]
        return _source(at, at.holds, rest, "")

    async def _activities(self, items: Sequence[Item]) -> list[partner_service_pb2.Activity]:
        """Add what only the gateway knows: merchants' names, and bills before coupons."""
        entries = [item for item in items if isinstance(item, entry_pb2.Entry)]
        placed = [item for item in items if not isinstance(item, coupon_pb2.Coupon)]
        merchants = {UUID(item.merchant_id) for item in placed if item.merchant_id}
        bought = [
            UUID(entry.reference_id)
            for entry in entries
            if entry.kind == entry_pb2.ENTRY_KIND_CHECKOUT
        ]
        names = await self._reads.run(read.merchant_names, list(merchants))
        gross = await self._reads.run(read.gross_amounts, bought)
        return [_activity(item, names, gross) for item in items]


def _activity(
    item: Item, names: Mapping[UUID, str], gross: Mapping[UUID, int]
) -> partner_service_pb2.Activity:
    match item:
        case entry_pb2.Entry():
            return convert.from_entry(item, names, gross)
        case coupon_pb2.Coupon():
            return convert.from_coupon(item)
        case hold_pb2.Hold():
            return convert.from_hold(item, names)


def _source(at: Position, cursor: Cursor, items: Sequence[Item], next_token: str) -> Source[Item]:
    """Return one source's page without what is newer than the timeline's first page."""
    dated = [(convert.instant_of(item), item) for item in items]
    shown = [(instant, item) for instant, item in dated if instant <= at.until]
    return Source(cursor, shown, next_token)


def _after_shown(cursor: Cursor, before: Cursor, items: Sequence[Item]) -> Cursor:
    """Return where the holds go on: after the last one shown, whichever end meanwhile."""
    if cursor.ended:
        return cursor
    shown = [item for item in items if isinstance(item, hold_pb2.Hold)]
    return Cursor(convert.key_of(shown[-1]) if shown else before.token)
