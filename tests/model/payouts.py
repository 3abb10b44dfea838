"""Giving stored value back: paying principal out, undoing a top-up."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

from huitouke.points.v1 import movement_service_pb2 as pb

from tests.model.guests import CASH, Facts, Refused
from tests.model.top_ups import TopUp

if TYPE_CHECKING:
    from tests.model.ledger import Ledger

REFUND_DAYS = 7


def withdraw(ledger: Ledger, request: pb.WithdrawStoredValueRequest) -> Facts:
    """Principal is paid out; of each gift the same share is unearned.

    It is taken out of what is left of the gift; what of it was spent is kept from the payout; what
    has expired or was taken away by staff is nobody's.
    """
    if request.withdrawal_id in ledger.withdrawals:
        raise Refused("WITHDRAWAL_EXISTS")
    guest, now, amount = ledger.guest(request.member_id), ledger.now, request.amount_minor
    guest.settle(now)
    if amount > guest.usable(CASH, now):
        raise Refused("INSUFFICIENT_CASH", available_minor=guest.usable(CASH, now))
    sold = {each.cash: each for each in ledger.top_ups.values()}
    shares: list[tuple[TopUp, int, int, int]] = []
    left = amount
    for lot in guest.in_spend_order(CASH):
        part = min(lot.free, left)
        left -= part
        top_up = sold.get(lot)
        if part and top_up and top_up.gift:
            gift, withdrawn = top_up.gift, top_up.withdrawn + part
            lost = ceil(Fraction(gift.amount * withdrawn, lot.amount))
            unearned = lost - top_up.taken_back - top_up.deducted
            taken = max(0, min(unearned, gift.free))
            spent = max(0, unearned - taken - gift.gone - gift.by_hand)
            shares.append((top_up, part, taken, spent))
    deducted = sum(spent for _, _, _, spent in shares)
    if deducted >= amount:
        raise Refused("NOTHING_TO_PAY_OUT")

    ledger.withdrawals.add(request.withdrawal_id)
    guest.take(CASH, amount)
    for top_up, part, taken, spent in shares:
        assert top_up.gift is not None
        top_up.gift.left -= taken
        top_up.withdrawn += part
        top_up.taken_back += taken
        top_up.deducted += spent
    done: Facts = {
        "cash_minor": amount,
        "paid_out_minor": amount - deducted,
        "gift_deducted_minor": deducted,
        "bonus_taken_back_minor": sum(taken for _, _, taken, _ in shares),
    }
    facts = {"withdrawal_id": request.withdrawal_id, "withdrawn_at": now, "withdrawal": done}
    told = {**facts, "currency": "CNY", "tender": request.tender}
    guest.tell(now, "StoredValueWithdrawn", told)
    return facts


def refund_top_up(ledger: Ledger, request: pb.RefundTopUpRequest) -> Facts:
    """Untouched, within seven days, by the merchant that sold it; what has expired is gone."""
    if request.refund_id in ledger.refunds:
        raise Refused("TOP_UP_REFUND_EXISTS")
    top_up, now = ledger.top_ups.get(request.top_up_id), ledger.now
    theirs = top_up and top_up.member_id == request.member_id
    if not top_up or not theirs or top_up.merchant_id != request.place.merchant_id:
        raise Refused("TOP_UP_NOT_FOUND")
    if top_up.refunded:
        raise Refused("TOP_UP_REFUNDED")
    if now > top_up.at + timedelta(days=REFUND_DAYS):
        raise Refused("TOP_UP_TOO_OLD")
    guest = ledger.guest(request.member_id)
    guest.settle(now)
    lots = [lot for lot in (top_up.cash, top_up.gift) if lot]
    if any(lot.free + lot.gone < lot.amount for lot in lots):
        raise Refused("TOP_UP_SPENT")

    ledger.refunds.add(request.refund_id)
    top_up.refunded = True
    facts: Facts = {
        "refund_id": request.refund_id,
        "top_up_id": request.top_up_id,
        "refunded_at": now,
        "tender": top_up.tender,
        "cash_refunded_minor": top_up.cash.left,
        "bonus_taken_back_minor": top_up.gift.left if top_up.gift else 0,
    }
    for lot in lots:
        lot.left = 0
    balances = guest.tell(now, "TopUpRefunded", {**facts, "currency": "CNY"})
    return {**facts, "balances": balances}
