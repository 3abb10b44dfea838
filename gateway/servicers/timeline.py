"""A member's timeline: the ledger's entries and the coupons issued, read and merged by pages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from huitouke.coupon.v1 import coupon_pb2, coupon_service_pb2
from huitouke.gateway.v1 import partner_service_pb2
from huitouke.points.v1 import entry_pb2, points_service_pb2

from chassis.storage.reads import Reads
from gateway.converters import activities as convert
from gateway.converters.activities import Position
from gateway.converters.instants import to_timestamp
from gateway.domain.timeline import Source, merge
from gateway.servicers.upstream import Coupons, Ledger
from gateway.storage import reads as read

PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX = 50, 200
Item = entry_pb2.Entry | coupon_pb2.Coupon


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
        entries, coupons = await asyncio.gather(
            self._entries(member_id, size, at), self._issued(member_id, size, at)
        )
        items, cursors = merge([entries, coupons], size)
        goes_on = Position(at.until, *cursors)
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
        return _source(at, answer.entries, answer.next_page_token, entries=True)

    async def _issued(self, member_id: str, size: int, at: Position) -> Source[Item]:
        if at.coupons.ended:
            return Source(at.coupons, [], "")
        answer = await self._coupons.list_coupons(
            coupon_service_pb2.ListCouponsRequest(
                member_id=member_id, page_size=size, page_token=at.coupons.token
            )
        )
        return _source(at, answer.coupons, answer.next_page_token, entries=False)

    async def _activities(self, items: Sequence[Item]) -> list[partner_service_pb2.Activity]:
        """Add what only the gateway knows: merchants' names, and bills before coupons."""
        entries = [item for item in items if isinstance(item, entry_pb2.Entry)]
        merchants = {UUID(entry.merchant_id) for entry in entries if entry.merchant_id}
        bought = [
            UUID(entry.reference_id)
            for entry in entries
            if entry.kind == entry_pb2.ENTRY_KIND_CHECKOUT
        ]
        names = await self._reads.run(read.merchant_names, list(merchants))
        gross = await self._reads.run(read.gross_amounts, bought)
        return [
            convert.from_entry(item, names, gross)
            if isinstance(item, entry_pb2.Entry)
            else convert.from_coupon(item)
            for item in items
        ]


def _source(at: Position, items: Sequence[Item], next_token: str, *, entries: bool) -> Source[Item]:
    """Return one source's page without what is newer than the timeline's first page."""
    dated = [(convert.instant_of(item), item) for item in items]
    shown = [(instant, item) for instant, item in dated if instant <= at.until]
    return Source(at.entries if entries else at.coupons, shown, next_token)
