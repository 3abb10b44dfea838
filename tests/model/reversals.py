"""Undoing a checkout: what was spent goes back where it was, what was earned is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huitouke.points.v1 import points_service_pb2 as pb

from tests.model.checkouts import Checkout
from tests.model.guests import BONUS, CASH, POINTS, Facts, Guest, Refused

if TYPE_CHECKING:
    from tests.model.ledger import Ledger


def reverse(ledger: Ledger, request: pb.ReverseRequest) -> Facts:
    checkout = ledger.checkouts.get(request.checkout_id)
    if not checkout or checkout.member_id != request.member_id or checkout.cancelled_at:
        raise Refused("CHECKOUT_NOT_FOUND")
    if checkout.reversed:
        raise Refused("ALREADY_REVERSED")
    if request.reversal_id in ledger.reversals:
        raise Refused("REVERSAL_EXISTS")

    ledger.reversals.add(request.reversal_id)
    checkout.reversed = True
    guest = ledger.guest(request.member_id)
    guest.expire(ledger.now)
    restored = dict.fromkeys((POINTS, CASH, BONUS), 0)
    for lot, part in checkout.spent:
        if not lot.over(ledger.now):
            lot.left += part
        restored[lot.asset] += part
    taken, owed = take_back(guest, checkout)
    for lot, part in checkout.spent:
        if lot.over(ledger.now):
            lot.left += part
    facts = {
        "reversal_id": request.reversal_id,
        "reversed_at": ledger.now,
        "points_restored": restored[POINTS],
        "cash_restored_minor": restored[CASH],
        "bonus_restored_minor": restored[BONUS],
        "points_taken_back": taken,
        "debt_recorded": owed,
    }
    now = ledger.now
    guest.tell(now, "CheckoutReversed", {"checkout_id": request.checkout_id, **facts})
    guest.expire(now)
    return {**facts, "balances": guest.balances(now)}


def take_back(guest: Guest, checkout: Checkout) -> tuple[int, int]:
    """Out of their own lot, then out of others, then owed; what has expired of them is gone."""
    if checkout.lot is None:
        return 0, 0
    wanted = max(0, checkout.earned - checkout.lot.gone)
    own = min(checkout.lot.left, wanted)
    checkout.lot.left -= own
    others = min(wanted - own, guest.balance(POINTS))
    guest.take(POINTS, others)
    guest.debt += wanted - own - others
    return own + others, wanted - own - others
