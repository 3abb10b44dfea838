"""The arithmetic of a bill: what coupons take off each line, what is left to pay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from gateway.domain import errors

CURRENCY = "CNY"
SPENDING_DATED_BACK_MAX = timedelta(days=1)
EARNING_DATED_BACK_MAX = timedelta(days=30)


class PricedLine(NamedTuple):
    """A line of a bill as coupons see it; before them, minor units."""

    line_id: str
    item_code: str
    category: int
    amount_minor: int


def check_bill(currency: str, line_ids: Sequence[str], within: str = "purchase.") -> None:
    """Raise Refusal for a currency the programme is not kept in, or a line id that comes twice.

    An empty line id stands for the line's number from 1. `within` is where the request has them.
    """
    if currency != CURRENCY:
        raise errors.currency_mismatch(f"{within}currency")
    seen: set[str] = set()
    for position, line_id in enumerate(line_ids):
        name = line_id or str(position + 1)
        if name in seen:
            raise errors.invalid_field(
                f"{within}lines[{position}].line_id", "must be unique in the bill"
            )
        seen.add(name)


def check_date(occurred_at: datetime, now: datetime, *, spends: bool, is_stay: bool) -> None:
    """Raise Refusal for a purchase that the till dates back further than it may.

    What a till queues while offline only earns (DOMAIN §6), so it may be 30 days old; a stay is
    told when the hotel closes its folio, however late. Whoever uses points, stored value or
    coupons stands at the till: a day covers its clock and the date line, and no weekday coupon
    or former programme can be reached by an old date.
    """
    age = now - occurred_at
    if spends and age > SPENDING_DATED_BACK_MAX:
        raise errors.occurred_at_out_of_range(
            "may lie a day back at most where points, stored value or coupons are used"
        )
    if not is_stay and age > EARNING_DATED_BACK_MAX:
        raise errors.occurred_at_out_of_range("may lie 30 days back at most; only stays are older")


def check_priced_lines(priced: Sequence[PricedLine], final: Sequence[PricedLine]) -> None:
    """Raise COUPON_BILL_CHANGED unless `final` begins with all of `priced`, each of them or more.

    Coupons were judged on the lines they were priced on: no condition of theirs, such as a minimum
    spend, fails on a bill that has at least these. Less would need to be judged anew.
    """
    for position, line in enumerate(priced):
        if position >= len(final):
            raise errors.coupon_bill_changed(position)
        other = final[position]
        if other[:3] != line[:3] or other.amount_minor < line.amount_minor:
            raise errors.coupon_bill_changed(position)


def net_amounts(amounts: Sequence[int], discounts: Sequence[Sequence[int]]) -> list[int]:
    """Return each line's amount less its shares of every discount; minor units, never negative.

    `discounts` holds, per coupon, one share per line in the lines' order.
    """
    net = list(amounts)
    for shares in discounts:
        assert len(shares) == len(net), "a discount names every line"
        for position, share in enumerate(shares):
            net[position] -= share
    assert all(amount >= 0 for amount in net), "coupons never take off more than a line is worth"
    return net


def left_to_pay(net_minor: int, stored_value_minor: int, redeem_points: int) -> int | None:
    """Return what is left to pay in money, where it can be told without asking the ledger.

    None where points are redeemed (only the ledger prices them), or where stored value alone
    exceeds the bill, which the ledger will refuse.
    """
    if redeem_points or stored_value_minor > net_minor:
        return None
    return net_minor - stored_value_minor


def adds_up(
    gross: int, coupons: int, points_value: int, cash: int, bonus: int, to_pay: int
) -> bool:
    """Whether a receipt adds up exactly, with nothing negative; minor units."""
    parts = (coupons, points_value, cash, bonus, to_pay)
    return min(parts) >= 0 and gross == sum(parts)
