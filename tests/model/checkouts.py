"""Buying: points and stored value pay, money and principal earn; and settling a doubt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import partial
from math import floor
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1 import programme_pb2
from huitouke.points.v1.programme_pb2 import Programme
from huitouke.points.v1.purchase_pb2 import Purchase

from tests.model import holds
from tests.model.arithmetic import months_end
from tests.model.earning import Asked, earned
from tests.model.giving import gifts_of, give, room
from tests.model.guests import BONUS, CASH, POINTS, RELEASED, Facts, Guest, Hold, Refused
from tests.model.paying import Checkout, gift_part

if TYPE_CHECKING:
    from tests.model.ledger import Ledger


def post(ledger: Ledger, request: pb.PostRequest) -> Facts:
    purchase, now = request.purchase, ledger.now
    bought = purchase.occurred_at.ToDatetime(tzinfo=UTC)
    programme = _programme(ledger, request, bought)
    guest = ledger.guest(purchase.member_id)
    guest.settle(now)
    hold = _hold_to_post_with(ledger, request)
    bill = sum(line.amount_minor for line in purchase.lines)
    stored = purchase.pay_stored_value_minor
    value = _worth(purchase, programme.redemption, bill)
    if hold:
        parts = holds.parts_of(hold, purchase.redeem_points, stored)
    else:
        parts = _parts(guest, purchase, now, programme.stored_value.spend_order)
    from_bonus = parts[BONUS]
    to_pay = _to_pay(request, bill - value - stored)

    zone = ZoneInfo(purchase.place.time_zone)
    day = bought.astimezone(zone).date().isoformat()
    asked = Asked(
        purchase,
        first=not guest.purchases and not purchase.member.purchased_before,
        room=partial(room, ledger, purchase.member_id, day),
    )
    by_rule = earned(programme, asked, value + from_bonus)
    gifts = gifts_of(programme, purchase, by_rule, request.checkout_id, now)
    checkout = Checkout(purchase.member_id, points=purchase.redeem_points, gifts=gifts, day=day)
    checkout.paid = [value, stored - from_bonus, from_bonus, to_pay]
    checkout.claimed = [0 for _ in gifts]
    checkout.clawback = programme.clawback
    checkout.rules = {rule.code: rule for rule in programme.earning_rules}
    idle = programme.points_expire_after_idle_months
    if idle and (gifts or value + stored):
        until = months_end(min(bought, now), idle, purchase.place.time_zone)
        guest.extend(now, until, request.checkout_id, programme.version)
    if hold:
        checkout.spent = holds.spend(ledger, guest, hold, parts)
    else:
        for asset, amount in parts.items():
            checkout.spent += guest.take(asset, amount)
    collected = give(ledger, guest, gifts, checkout.rules, day)
    guest.purchases += 1
    posted = {
        "points_redeemed": purchase.redeem_points,
        "points_value_minor": value,
        "cash_paid_minor": stored - from_bonus,
        "bonus_paid_minor": from_bonus,
        "to_pay_minor": to_pay,
        "points_earned": sum(gift.points for gift in gifts),
        "debt_collected": collected,
        "earned_by": by_rule,
        "programme_version": programme.version,
        "rule_faults": [{"rule_code": code} for code in asked.faults],
        "points_pending": sum(gift.points for gift in gifts if gift.waits_until),
    }
    checkout.answer = {"checkout_id": request.checkout_id, "posted_at": now, "posted": posted}
    ledger.checkouts[request.checkout_id] = checkout
    facts = {"bill_minor": bill, "currency": "CNY", "hold_id": request.hold_id}
    guest.tell(now, "CheckoutPosted", {**facts, **checkout.answer})
    return checkout.answer


def _to_pay(request: pb.PostRequest, left: int) -> int:
    if request.HasField("expected_to_pay_minor") and request.expected_to_pay_minor != left:
        raise Refused("TO_PAY_DIFFERS", to_pay_minor=left)
    return left


def _programme(ledger: Ledger, request: pb.PostRequest, bought: datetime) -> Programme:
    """The programme that decides, if the purchase can be booked at all."""
    purchase, known = request.purchase, ledger.checkouts.get(request.checkout_id)
    if known:
        fenced = known.cancelled_at and known.member_id == purchase.member_id
        raise Refused("CHECKOUT_CANCELLED" if fenced else "CHECKOUT_EXISTS")
    too_old = bought < ledger.now - timedelta(days=400) and not purchase.HasField("stay")
    if bought > ledger.now + timedelta(minutes=5) or too_old:
        raise Refused("OCCURRED_AT_OUT_OF_RANGE")
    programme = ledger.programme_at(bought)
    if purchase.currency != "CNY":
        raise Refused("CURRENCY_MISMATCH")
    return programme


def _hold_to_post_with(ledger: Ledger, request: pb.PostRequest) -> Hold | None:
    """A checkout's hold pays its checkout only, and a checkout that has one is paid by it."""
    hold = None
    if request.hold_id:
        hold = holds.open_hold(ledger, request.purchase.member_id, request.hold_id)
        if hold.checkout_id and hold.checkout_id != request.checkout_id:
            raise Refused("HOLD_OF_CHECKOUT")
    own = holds.open_hold_of(ledger, request.checkout_id)
    if own is not None and own is not hold and own.member_id == request.purchase.member_id:
        raise Refused("CHECKOUT_HAS_HOLD")
    return hold


def _parts(guest: Guest, purchase: Purchase, now: datetime, spend_order: int) -> dict[str, int]:
    """What is taken out of what the guest can use."""
    stored = purchase.pay_stored_value_minor
    if purchase.redeem_points > guest.usable(POINTS, now):
        raise Refused("INSUFFICIENT_POINTS", available=guest.usable(POINTS, now))
    cash, bonus = guest.usable(CASH, now), guest.usable(BONUS, now)
    if stored > cash + bonus:
        raise Refused("INSUFFICIENT_STORED_VALUE", available_minor=cash + bonus)
    from_bonus = gift_part(stored, cash, bonus, spend_order)
    return {POINTS: purchase.redeem_points, CASH: stored - from_bonus, BONUS: from_bonus}


def _worth(purchase: Purchase, redemption: programme_pb2.Redemption, bill: int) -> int:
    """What the points are worth in fen, if they may be redeemed at all."""
    points = purchase.redeem_points
    value = Fraction(points * 100, redemption.points_per_unit)
    if value.denominator > 1:
        raise Refused("INVALID_FIELD")
    tendered = int(value) + purchase.pay_stored_value_minor
    if tendered > bill:
        raise Refused("TENDER_EXCEEDS_BILL", bill_minor=bill, tendered_minor=tendered)
    if points:
        if points < redemption.minimum_points:
            raise Refused("REDEMPTION_SHARE")
        shares = {each.category: each.share_basis_points for each in redemption.maximum_shares}
        allowed = 0
        for category in {line.category for line in purchase.lines}:
            amount = sum(line.amount_minor for line in purchase.lines if line.category == category)
            allowed += floor(Fraction(amount * shares.get(category, 10_000), 10_000))
        if value > allowed:
            raise Refused("REDEMPTION_SHARE")
    return int(value)


def cancel(ledger: Ledger, request: pb.CancelPostRequest) -> Facts:
    known = ledger.checkouts.get(request.checkout_id)
    if known is None:
        guest = ledger.guest(request.member_id)
        guest.settle(ledger.now)
        hold = holds.open_hold_of(ledger, request.checkout_id)
        if hold and hold.member_id == request.member_id:
            guest.give_back(hold, RELEASED, ledger.now)
        known = Checkout(request.member_id, cancelled_at=ledger.now)
        ledger.checkouts[request.checkout_id] = known
    if known.member_id != request.member_id:
        raise Refused("CHECKOUT_NOT_FOUND")
    if known.cancelled_at:
        return {"cancelled": {"cancelled_at": known.cancelled_at}}
    return {"posted": known.answer}
