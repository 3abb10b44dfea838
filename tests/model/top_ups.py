"""Selling stored value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from huitouke.points.v1 import points_service_pb2 as pb

from tests.model.arithmetic import months_end
from tests.model.guests import BONUS, CASH, Facts, Lot, Refused

if TYPE_CHECKING:
    from tests.model.ledger import Ledger


@dataclass(eq=False)
class TopUp:
    """A top-up and what of it has gone back; gift is lost with its principal, share by share."""

    member_id: str
    merchant_id: str
    at: datetime
    tender: int
    cash: Lot
    gift: Lot | None
    withdrawn: int = 0
    taken_back: int = 0
    deducted: int = 0
    refunded: bool = False


def top_up(ledger: Ledger, request: pb.TopUpRequest) -> Facts:
    now, amount = ledger.now, request.amount_minor
    terms = ledger.programme_at(now).stored_value
    reached = [tier for tier in terms.top_up_tiers if tier.from_minor <= amount]
    gift = max(reached, key=lambda tier: tier.from_minor).bonus_minor if reached else 0
    guest = ledger.guest(request.member_id)
    if request.top_up_id in ledger.top_ups:
        raise Refused("TOP_UP_EXISTS")
    if request.currency != "CNY":
        raise Refused("CURRENCY_MISMATCH")
    if amount > terms.top_up_limit_minor:
        raise Refused("TOP_UP_LIMIT")
    guest.settle(now)
    if guest.balance(CASH) + guest.balance(BONUS) + amount + gift > terms.balance_limit_minor:
        raise Refused("BALANCE_LIMIT")

    sold = TopUp(
        guest.member_id,
        request.place.merchant_id,
        now,
        request.tender,
        guest.put(CASH, amount, now, None),
        None,
    )
    ledger.top_ups[request.top_up_id] = sold
    if gift:
        months = terms.bonus_expires_after_months
        ends = months_end(now, months, request.place.time_zone) if months else None
        sold.gift = guest.put(BONUS, gift, now, ends)
    facts: Facts = {
        "top_up_id": request.top_up_id,
        "posted_at": now,
        "cash_added_minor": amount,
        "bonus_added_minor": gift,
    }
    facts["balances"] = guest.tell(now, "StoredValueToppedUp", facts)
    return facts
