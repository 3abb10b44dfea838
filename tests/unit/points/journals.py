"""A guest whose books are known to the fen, and what a command left in the journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from services.points.domain.assets import Asset
from services.points.domain.commands import PostCheckout, TopUpStoredValue
from services.points.domain.journal import Entry
from services.points.domain.lots import Lot
from tests.unit.points.families import Decided, Family
from tests.unit.points.worlds import PLACE, purchase

ID, OTHER = UUID(int=1), UUID(int=2)
MERCHANT = PLACE.merchant_id
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
END_OF_MARCH_2028 = datetime(2028, 3, 31, 16, tzinfo=UTC)
POINTS, CASH, BONUS = Asset.POINTS, Asset.CASH, Asset.BONUS


def guest() -> Family:
    """500 points in lot 1, 100,000 fen in lot 2 and their gift of 10,000 in lot 3; version 2."""
    home = Family(1)
    home.buy(home.ids[0], 50_000)
    home.do(TopUpStoredValue(home.ids[0], uuid4(), PLACE, 100_000, "CNY"))
    home.now += HOUR
    return home


def dinner(home: Family, **more: Any) -> PostCheckout:
    """300.00 of which 300 points and 110.00 of stored value pay a part; a GOLD member's."""
    bought = purchase(
        home.ids[0], 30_000, points=300, stored=11_000, tier="GOLD", occurred_at=home.now, **more
    )
    return PostCheckout(ID, bought)


def entry_of(done: Decided) -> Entry:
    (entry,) = done.changes.entries
    return entry


def lot_facts(lot: Lot) -> tuple[object, ...]:
    return lot.number, lot.asset, lot.amount, lot.remaining, lot.earned_at, lot.expires_at
