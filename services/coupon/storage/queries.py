"""What readers ask: one statement each, nothing locked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from services.coupon.domain.campaigns import Campaign, Stock
from services.coupon.domain.coupons import Coupon
from services.coupon.storage.rows import COUPON_COLUMNS, STOCK_COLUMNS, to_coupon, to_stock
from services.coupon.storage.tables import campaigns, coupons

Held = tuple[Coupon, Campaign]
_STOCK = [campaigns.c[name] for name in STOCK_COLUMNS]
_COUPON = [coupons.c[name] for name in COUPON_COLUMNS]
_WITH_CAMPAIGN = sa.select(*_COUPON, *_STOCK).join_from(
    coupons, campaigns, coupons.c.campaign_id == campaigns.c.campaign_id
)


def find_campaign(
    connection: Connection, *, campaign_id: UUID | None = None, code: str | None = None
) -> Stock | None:
    """Return the campaign with this id, or with this code."""
    key = (
        campaigns.c.code == code if campaign_id is None else campaigns.c.campaign_id == campaign_id
    )
    row = connection.execute(sa.select(*_STOCK).where(key)).first()
    return None if row is None else to_stock(row)


def list_campaigns(connection: Connection, *, before: UUID | None, limit: int) -> list[Stock]:
    """Return campaigns made before the one with id `before`, newest first."""
    query = sa.select(*_STOCK).order_by(campaigns.c.campaign_id.desc()).limit(limit)
    if before is not None:
        query = query.where(campaigns.c.campaign_id < before)
    return [to_stock(row) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class CouponPage:
    """Which of a member's coupons: those issued before `before`; only those usable at a time."""

    member_id: UUID
    before: UUID | None
    limit: int
    usable_at: datetime | None = None


def list_coupons(connection: Connection, page: CouponPage) -> list[Held]:
    """Return the member's coupons, newest first."""
    query = _WITH_CAMPAIGN.where(coupons.c.member_id == page.member_id)
    if page.before is not None:
        query = query.where(coupons.c.coupon_id < page.before)
    if page.usable_at is not None:
        query = query.where(
            coupons.c.state == "ISSUED",
            coupons.c.expires_at > page.usable_at,
            campaigns.c.valid_from <= page.usable_at,
        )
    newest_first = query.order_by(coupons.c.coupon_id.desc()).limit(page.limit)
    return _held(connection, newest_first)


def find_coupons(connection: Connection, member_id: UUID, ids: Sequence[UUID]) -> list[Held]:
    """Return those of the named coupons that the member has, in no order."""
    named = coupons.c.coupon_id.in_(ids)
    return _held(connection, _WITH_CAMPAIGN.where(coupons.c.member_id == member_id, named))


def unused_coupons(
    connection: Connection, member_id: UUID, now: datetime, limit: int
) -> list[Held]:
    """Return the member's coupons that are neither used nor ended, those that end soonest first."""
    query = _WITH_CAMPAIGN.where(
        coupons.c.member_id == member_id,
        coupons.c.state.in_(("ISSUED", "RESERVED")),
        coupons.c.expires_at > now,
    )
    soonest = query.order_by(coupons.c.expires_at, coupons.c.coupon_id).limit(limit)
    return _held(connection, soonest)


def _held(connection: Connection, query: sa.Select[tuple[object, ...]]) -> list[Held]:
    split = len(COUPON_COLUMNS)
    rows = cast("Sequence[Sequence[object]]", connection.execute(query).all())
    return [(to_coupon(row[:split]), to_stock(row[split:]).campaign) for row in rows]
