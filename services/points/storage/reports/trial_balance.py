"""The trial balance, added up from postings and from the balances they carry."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from services.points.domain.assets import Asset, House
from services.points.domain.trial_balance import HouseAccount, TrialBalance
from services.points.storage.reports.ranges import (
    RANGE_ROWS,
    Driver,
    KeyRange,
    Proceed,
    begin,
    go_on,
    member_ranges,
)

_MOVEMENTS = """
SELECT asset::text, house::text, CASE WHEN house IN ('FUNDING', 'SETTLEMENT') THEN merchant_id END,
       coalesce(sum(amount) FILTER (WHERE posted_at < %(since)s), 0)::bigint,
       coalesce(sum(amount) FILTER (
           WHERE amount > 0 AND coalesce(posted_at >= %(since)s, true)), 0)::bigint,
       -coalesce(sum(amount) FILTER (
           WHERE amount < 0 AND coalesce(posted_at >= %(since)s, true)), 0)::bigint
FROM postings
WHERE member_id BETWEEN %(low)s AND %(high)s
  AND coalesce(posted_at < %(before)s, true)
GROUP BY 1, 2, 3
"""

_BALANCES = """
SELECT asset::text, sum(balance_after)::bigint FROM (
    SELECT DISTINCT ON (member_id, asset) asset, balance_after FROM postings
    WHERE member_id BETWEEN %(low)s AND %(high)s AND coalesce(posted_at < %(at)s, true)
    ORDER BY member_id, asset, version DESC, line DESC
) AS latest GROUP BY asset
"""


def trial_balance(
    connection: Connection,
    since: datetime | None,
    before: datetime | None,
    now: datetime,
    proceed: Proceed = go_on,
    range_rows: int = RANGE_ROWS,
) -> TrialBalance:
    """Add up the period from `since` to `before`, excluded; None for all there is.

    `now` is what an open end is called. One REPEATABLE READ transaction is the caller's.
    """
    driver = begin(connection)
    balance = TrialBalance(since, before or now)
    for keys in member_ranges(driver, range_rows):
        proceed()
        _add_range(driver, keys, since, before, balance)
    return balance


def _add_range(
    driver: Driver,
    keys: KeyRange,
    since: datetime | None,
    before: datetime | None,
    balance: TrialBalance,
) -> None:
    period = {**keys.parameters, "since": since, "before": before}
    for asset, house, merchant_id, earlier, given, taken in driver.execute(_MOVEMENTS, period):
        account = HouseAccount(House(house), merchant_id)
        balance.assets[Asset(asset)].add_postings(account, earlier, given, taken)
    for asset, amount in _balances(driver, keys, before):
        balance.assets[asset].members.closing += amount
    if since is not None:
        for asset, amount in _balances(driver, keys, since):
            balance.assets[asset].members.opening += amount


def _balances(driver: Driver, keys: KeyRange, at: datetime | None) -> list[tuple[Asset, int]]:
    """What the members of a range had just before an instant, by the balances postings carry."""
    found = driver.execute(_BALANCES, {**keys.parameters, "at": at})
    return [(Asset(asset), amount) for asset, amount in found]
