"""Setting value aside: a hold pins parts of lots, and ends exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huitouke.points.v1 import hold_pb2 as pb

from tests.model.arithmetic import largest_remainder, months_end
from tests.model.guests import (
    BONUS,
    CAPTURED,
    CASH,
    OPEN,
    POINTS,
    RELEASED,
    Facts,
    Guest,
    Hold,
    Lot,
    Refused,
)
from tests.model.paying import Checkout, gift_part

if TYPE_CHECKING:
    from tests.model.ledger import Ledger

OPEN_HOLDS_MAX = 100


def authorize(ledger: Ledger, request: pb.AuthorizeHoldRequest) -> Facts:
    guest, now = ledger.guest(request.member_id), ledger.now
    guest.settle(now)
    _check_ids(ledger, request)
    if request.currency != "CNY":
        raise Refused("CURRENCY_MISMATCH")
    if len(guest.holds) >= OPEN_HOLDS_MAX:
        raise Refused("TOO_MANY_HOLDS")
    if request.points > guest.usable(POINTS, now):
        raise Refused("INSUFFICIENT_POINTS", available=guest.usable(POINTS, now))
    cash, bonus = guest.usable(CASH, now), guest.usable(BONUS, now)
    stored = request.stored_value_minor
    if stored > cash + bonus:
        raise Refused("INSUFFICIENT_STORED_VALUE", available_minor=cash + bonus)
    terms = ledger.programme_at(now).stored_value
    from_bonus = gift_part(stored, cash, bonus, terms.spend_order)

    held = {POINTS: request.points, CASH: stored - from_bonus, BONUS: from_bonus}
    hold = Hold(request.hold_id, guest.member_id, OPEN, held, request.checkout_id)
    if not request.checkout_id:
        asked = request.timeout.ToTimedelta() if request.HasField("timeout") else None
        hold.timeout_at = now + (asked or ledger.hold_timeout)
    for asset, amount in held.items():
        hold.pins += guest.pin(asset, amount)
    guest.holds[hold.hold_id] = ledger.holds[hold.hold_id] = hold
    facts: Facts = {
        "hold_id": hold.hold_id,
        "authorized_at": now,
        "timeout_at": hold.timeout_at,
        **hold.amounts(),
    }
    told = {**facts, "checkout_id": hold.checkout_id, "currency": "CNY"}
    return {**facts, "balances": guest.tell(now, "HoldAuthorized", told)}


def _check_ids(ledger: Ledger, request: pb.AuthorizeHoldRequest) -> None:
    known = ledger.holds.get(request.hold_id)
    if known:
        released = known.state == RELEASED and known.member_id == request.member_id
        raise Refused("HOLD_RELEASED" if released else "HOLD_EXISTS")
    if not request.checkout_id:
        if request.hold_id in ledger.checkouts:
            raise Refused("HOLD_EXISTS")
        return
    checkout = ledger.checkouts.get(request.checkout_id)
    if checkout:
        fenced = checkout.cancelled_at and checkout.member_id == request.member_id
        raise Refused("CHECKOUT_CANCELLED" if fenced else "CHECKOUT_EXISTS")
    if open_hold_of(ledger, request.checkout_id):
        raise Refused("CHECKOUT_HAS_HOLD")


def open_hold_of(ledger: Ledger, checkout_id: str) -> Hold | None:
    holds = ledger.holds.values()
    found = [each for each in holds if each.state == OPEN and each.checkout_id == checkout_id]
    return found[0] if found else None


def open_hold(ledger: Ledger, member_id: str, hold_id: str) -> Hold:
    """The hold, if there is one and it has not ended."""
    hold = ledger.holds.get(hold_id)
    if hold is None or hold.member_id != member_id:
        raise Refused("HOLD_NOT_FOUND")
    if hold.state != OPEN:
        raise Refused(f"HOLD_{hold.state}")
    return hold


def parts_of(hold: Hold, points: int, stored: int) -> dict[str, int]:
    """What is captured of a hold: stored value in the proportion that it has."""
    has = hold.held[CASH], hold.held[BONUS]
    if points > hold.held[POINTS] or stored > sum(has):
        told = {"points": hold.held[POINTS], "stored_value_minor": sum(has)}
        raise Refused("CAPTURE_EXCEEDS_HOLD", **told)
    cash, bonus = largest_remainder(stored, has)
    return {POINTS: points, CASH: cash, BONUS: bonus}


def spend(ledger: Ledger, guest: Guest, hold: Hold, parts: dict[str, int]) -> list[tuple[Lot, int]]:
    """Take `parts` out of the pinned lots, soonest expiry first, and give the rest back."""
    left, spent = dict(parts), []
    order = (POINTS, CASH, BONUS)
    pins = sorted(hold.pins, key=lambda pin: (order.index(pin[0].asset), pin[0].place))
    for lot, pinned in pins:
        part = min(pinned, left[lot.asset])
        left[lot.asset] -= part
        lot.held -= pinned - part
        if part:
            spent.append((lot, part))
    guest.expire(ledger.now)
    for lot, part in spent:
        lot.held -= part
        lot.left -= part
    hold.state = CAPTURED
    del guest.holds[hold.hold_id]
    return spent


def capture(ledger: Ledger, request: pb.CaptureHoldRequest) -> Facts:
    guest, now = ledger.guest(request.member_id), ledger.now
    guest.settle(now)
    hold = open_hold(ledger, request.member_id, request.hold_id)
    if hold.checkout_id:
        raise Refused("HOLD_OF_CHECKOUT")
    if hold.hold_id in ledger.checkouts:
        raise Refused("CHECKOUT_EXISTS")
    if request.currency != "CNY":
        raise Refused("CURRENCY_MISMATCH")
    programme = ledger.programme_at(now)
    parts = parts_of(hold, request.points, request.stored_value_minor)

    idle = programme.points_expire_after_idle_months
    if idle:
        until = months_end(now, idle, request.place.time_zone)
        guest.extend(now, until, hold.hold_id, programme.version)
    checkout = Checkout(guest.member_id, points=request.points, capture=True)
    worth = -(-request.points * 100 // programme.redemption.points_per_unit)
    checkout.paid = [worth, parts[CASH], parts[BONUS], 0]
    checkout.spent = spend(ledger, guest, hold, parts)
    checkout.clawback = programme.clawback
    ledger.checkouts[hold.hold_id] = checkout
    facts: Facts = {
        "hold_id": hold.hold_id,
        "captured_at": now,
        "points_captured": parts[POINTS],
        "cash_captured_minor": parts[CASH],
        "bonus_captured_minor": parts[BONUS],
        "points_released": hold.held[POINTS] - parts[POINTS],
        "cash_released_minor": hold.held[CASH] - parts[CASH],
        "bonus_released_minor": hold.held[BONUS] - parts[BONUS],
    }
    balances = guest.tell(now, "HoldCaptured", {**facts, "currency": "CNY"})
    posted = {
        "points_redeemed": parts[POINTS],
        "points_value_minor": worth,
        "cash_paid_minor": parts[CASH],
        "bonus_paid_minor": parts[BONUS],
        "to_pay_minor": 0,
        "points_earned": 0,
        "debt_collected": 0,
        "earned_by": [],
        "programme_version": programme.version,
        "balances": balances,
    }
    checkout.answer = {"checkout_id": hold.hold_id, "posted_at": now, "posted": posted}
    return {**facts, "balances": balances}


def release(ledger: Ledger, request: pb.ReleaseHoldRequest) -> Facts:
    guest, now = ledger.guest(request.member_id), ledger.now
    guest.settle(now)
    facts: Facts = {"hold_id": request.hold_id, "released_at": now}
    if request.hold_id not in ledger.holds:
        nothing = dict.fromkeys((POINTS, CASH, BONUS), 0)
        fence = Hold(request.hold_id, guest.member_id, RELEASED, nothing)
        ledger.holds[request.hold_id] = fence
        facts |= {"points_released": 0, "cash_released_minor": 0, "bonus_released_minor": 0}
        return {**facts, "balances": guest.balances(now)}
    hold = open_hold(ledger, request.member_id, request.hold_id)
    guest.give_back(hold, RELEASED, now)
    facts |= {
        "points_released": hold.held[POINTS],
        "cash_released_minor": hold.held[CASH],
        "bonus_released_minor": hold.held[BONUS],
    }
    return {**facts, "balances": guest.balances(now)}
