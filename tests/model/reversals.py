"""Undoing a checkout, by whole or by part: parts of the bill go back, earned points are claimed."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1.programme_pb2 import CLAWBACK_REFUSE

from tests.model.arithmetic import largest_remainder_further
from tests.model.giving import count
from tests.model.guests import BONUS, CASH, POINTS, Facts, Gift, Guest, Lot, Refused
from tests.model.paying import Checkout

if TYPE_CHECKING:
    from tests.model.ledger import Ledger

Parts = list[tuple[Lot, int]]


def reverse(ledger: Ledger, request: pb.ReverseRequest) -> Facts:
    return _reverse(ledger, request, may_owe=False)


def undo(ledger: Ledger, request: pb.UndoPostRequest) -> Facts:
    """No till was told of it: whoever lacks points owes them."""
    wanted = pb.ReverseRequest(
        member_id=request.member_id,
        checkout_id=request.checkout_id,
        reversal_id=request.checkout_id,
        place=request.place,
    )
    return _reverse(ledger, wanted, may_owe=True)


def _reverse(ledger: Ledger, request: pb.ReverseRequest, *, may_owe: bool) -> Facts:
    checkout = _reversible(ledger, request)
    left = checkout.bill - sum(checkout.back)
    amount = request.amount_minor if request.HasField("amount_minor") else left
    if amount > left:
        raise Refused("REVERSAL_EXCEEDS_CHECKOUT", left_minor=left)
    guest, now = ledger.guest(request.member_id), ledger.now
    guest.settle(now)
    refunded = sum(checkout.back) + amount
    back = largest_remainder_further(refunded, checkout.paid, checkout.back)
    points_back = checkout.points
    if checkout.paid[0]:
        points_back = floor(Fraction(checkout.points * back[0], checkout.paid[0]))
    restored = restore_plan(checkout, back, points_back)
    claims = claim_plan(checkout, refunded)
    if checkout.clawback == CLAWBACK_REFUSE and not may_owe:
        coming = sum(part for lot, part in restored if lot.asset == POINTS and not lot.over(now))
        met_by_cancelling = sum(
            claim for gift, claim in zip(checkout.gifts, claims, strict=True) if gift.waiting
        )
        missing = sum(claims) - met_by_cancelling - guest.usable(POINTS, now) - coming
        if missing > 0:
            raise Refused("EARNED_POINTS_SPENT", missing_points=missing)

    ledger.reversals.add(request.reversal_id)
    for lot, part in restored:
        lot.left += 0 if lot.over(now) else part
    cancelled, claimed = _cancel(ledger, checkout, claims)
    taken = take_back(guest, claimed)
    for gift, claim in claimed:
        ledger.funded[gift.facts["funder"]] -= claim
    owed = sum(claim for _, claim in claimed) - taken
    if left == amount and not checkout.capture:
        guest.purchases -= 1
    for lot, part in restored:
        lot.left += part if lot.over(now) else 0
    given = [after - before for after, before in zip(back, checkout.back, strict=True)]
    facts: Facts = {
        "reversal_id": request.reversal_id,
        "reversed_at": now,
        "points_restored": points_back - checkout.points_back,
        "cash_restored_minor": given[1],
        "bonus_restored_minor": given[2],
        "points_taken_back": taken,
        "debt_recorded": owed,
        "amount_minor": amount,
        "points_value_minor": given[0],
        "money_minor": given[3],
        "left_minor": left - amount,
        "whole": left == amount,
        "taken_back_by": [{**_told(gift), "points": claim} for gift, claim in claimed if claim],
        "pending_cancelled": cancelled,
    }
    checkout.back, checkout.points_back, checkout.reversed = back, points_back, left == amount
    checkout.claimed = [was + now_ for was, now_ in zip(checkout.claimed, claims, strict=True)]
    guest.tell(now, "CheckoutReversed", {"checkout_id": request.checkout_id, **facts})
    guest.expire(now)
    return {**facts, "balances": guest.balances(now)}


def _reversible(ledger: Ledger, request: pb.ReverseRequest) -> Checkout:
    checkout = ledger.checkouts.get(request.checkout_id)
    if not checkout or checkout.member_id != request.member_id or checkout.cancelled_at:
        raise Refused("CHECKOUT_NOT_FOUND")
    if checkout.reversed:
        raise Refused("ALREADY_REVERSED")
    if request.reversal_id in ledger.reversals:
        raise Refused("REVERSAL_EXISTS")
    return checkout


def restore_plan(checkout: Checkout, back: list[int], points_back: int) -> Parts:
    """To which lots it goes: the last spent gets its own first, after what went back before."""
    before = {POINTS: checkout.points_back, CASH: checkout.back[1], BONUS: checkout.back[2]}
    after = {POINTS: points_back, CASH: back[1], BONUS: back[2]}
    plan: Parts = []
    for asset in (POINTS, CASH, BONUS):
        done = 0
        for lot, size in reversed([each for each in checkout.spent if each[0].asset == asset]):
            start, end = max(done, before[asset]), min(done + size, after[asset])
            if end > start:
                plan.append((lot, end - start))
            done += size
    return plan


def claim_plan(checkout: Checkout, refunded: int) -> list[int]:
    """What is claimed back now, gift by gift, of what did not expire."""
    earned = [gift.points for gift in checkout.gifts]
    lots = {gift.lot for gift in checkout.gifts if gift.lot}
    kept = max(0, sum(earned) - sum(lot.gone for lot in lots))
    due = floor(Fraction(kept * refunded, checkout.bill)) if checkout.bill else kept
    wanted = max(due, sum(checkout.claimed))
    after = largest_remainder_further(wanted, earned, checkout.claimed)
    return [share - was for share, was in zip(after, checkout.claimed, strict=True)]


def _cancel(
    ledger: Ledger, checkout: Checkout, claims: list[int]
) -> tuple[int, list[tuple[Gift, int]]]:
    """Rules get room back; what waits is cancelled. Returns how much, and the other claims."""
    cancelled, others = 0, []
    for gift, claim in zip(checkout.gifts, claims, strict=True):
        rule = checkout.rules[gift.facts["rule_code"]]
        count(ledger, checkout.member_id, checkout.day, rule, -claim)
        if gift.waiting:
            gift.cancelled += claim
            cancelled += claim
        else:
            others.append((gift, claim))
    return cancelled, others


def _told(gift: Gift) -> Facts:
    return {"rule_code": gift.facts["rule_code"], "funder": gift.facts["funder"]}


def take_back(guest: Guest, claimed: list[tuple[Gift, int]]) -> int:
    """Out of their own lots, then out of others, then owed. Returns what was there."""
    left = wanted = sum(claim for _, claim in claimed)
    for lot in dict.fromkeys(gift.lot for gift, claim in claimed if claim and gift.lot):
        own = min(lot.free, left)
        lot.left -= own
        left -= own
    others = min(left, guest.balance(POINTS) - guest.held(POINTS))
    guest.take(POINTS, others)
    guest.debt += left - others
    return wanted - left + others
