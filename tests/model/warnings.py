"""Telling guests in time what they are about to lose."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from huitouke.points.v1.entry_pb2 import ASSET_BONUS, ASSET_POINTS

from tests.model.guests import BONUS, POINTS, Lot

if TYPE_CHECKING:
    from tests.model.ledger import Ledger


def warn(ledger: Ledger, member_id: str, zone_name: str) -> None:
    """30 and 7 days before a last day, once each; late, only the nearer of the two."""
    guest, now, zone = ledger.guest(member_id), ledger.now, ZoneInfo(zone_name)
    guest.settle(now)
    for asset, named in ((POINTS, ASSET_POINTS), (BONUS, ASSET_BONUS)):
        soon: dict[tuple[date, int], list[Lot]] = {}
        for lot in guest.in_spend_order(asset):
            if lot.ends is None:
                continue
            last_day = (lot.ends - timedelta(microseconds=1)).astimezone(zone).date()
            days_left = (last_day - now.astimezone(zone).date()).days
            near = [days for days in (7, 30) if days_left <= days][:1]
            told = {days for days in (7, 30) if (asset, last_day, days) in guest.warned}
            if near and not any(days <= near[0] for days in told):
                soon.setdefault((last_day, near[0]), []).append(lot)
        for (last_day, days), lots in soon.items():
            guest.warned.add((asset, last_day, days))
            facts = {
                "warned_at": now,
                "asset": named,
                "amount": sum(lot.free for lot in lots),
                "expires_at": lots[0].ends,
                "days": days,
            }
            guest.tell(now, "PointsExpiring", facts)
