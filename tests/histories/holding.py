"""Setting value aside, spending it, giving it back."""

from __future__ import annotations

from datetime import timedelta

from huitouke.points.v1 import hold_pb2
from huitouke.points.v1.purchase_pb2 import Line, Purchase

from tests.histories.buying import post_purchase
from tests.histories.stage import (
    FACTS,
    PLACES,
    SPA,
    Dice,
    Happening,
    Stage,
    Wait,
)
from tests.model.guests import BONUS, CASH, OPEN, POINTS


def authorize(stage: Stage, dice: Dice) -> Happening:
    """Set a part of everything aside, for a time or for a checkout."""
    member_id = dice.of(stage.member_ids)
    guest, now = stage.model.guest(member_id), stage.model.now
    shares = [500, 0, 1000, 90, 1002]
    points = guest.usable(POINTS, now) * dice.of(shares) // 1000
    stored = (guest.usable(CASH, now) + guest.usable(BONUS, now)) * dice.of(shares) // 1000
    request = hold_pb2.AuthorizeHoldRequest(
        request_id=stage.request_id(),
        hold_id=_hold_id(stage, dice),
        member_id=member_id,
        place=dice.of(PLACES),
        currency=dice.of(["CNY"] * 15 + ["EUR"]),
        points=points or int(not stored),
        stored_value_minor=stored,
    )
    days = dice.of([30, None, None, 10, 1, 0, -1])
    if days is None:
        known = stage.checkouts[-1:] if not dice.below(6) else []
        request.checkout_id = known[0][1] if known else stage.new_id()
        stage.checkouts.append((member_id, request.checkout_id))
    elif days >= 0:
        request.timeout.FromTimedelta(timedelta(days=days) or timedelta(seconds=1))
    stage.holds.append((member_id, request.hold_id, request.checkout_id))
    return stage.ask(request)


def _hold_id(stage: Stage, dice: Dice) -> str:
    """Mostly a new one; or one that a hold or a checkout has."""
    known = [each[1] for each in stage.holds[-1:] + stage.checkouts[-1:]]
    return dice.of([stage.new_id()] * 18 + [*known, *[stage.new_id()] * (2 - len(known))])


def capture(stage: Stage, dice: Dice) -> Happening:
    known = _one_hold(stage, dice)
    if known is None:
        return None
    member_id, hold_id, _ = known
    hold = stage.model.holds.get(hold_id)
    points, stored = (hold.held[POINTS], hold.held[CASH] + hold.held[BONUS]) if hold else (1, 0)
    points = points * dice.of([1000, 500, 0, 1001]) // 1000
    stored = stored * dice.of([1000, 333, 0, 1001]) // 1000
    stage.checkouts.append((member_id, hold_id))
    return stage.ask(
        hold_pb2.CaptureHoldRequest(
            request_id=stage.request_id(),
            hold_id=hold_id,
            member_id=dice.of([member_id] * 9 + [stage.member_ids[0]]),
            place=dice.of(PLACES),
            currency="CNY",
            points=points or int(not stored),
            stored_value_minor=stored,
        )
    )


def post_with_hold(stage: Stage, dice: Dice) -> Happening:
    """Buy something that a hold pays in part or wholly."""
    known = _one_hold(stage, dice)
    if known is None:
        return None
    member_id, hold_id, checkout_id = known
    hold = stage.model.holds.get(hold_id)
    points, stored = (hold.held[POINTS], hold.held[CASH] + hold.held[BONUS]) if hold else (1, 0)
    points = points * dice.of([1000, 500, 0]) // 1000
    points -= points % 5
    stored = stored * dice.of([1000, 333, 0, 1001]) // 1000
    purchase = Purchase(
        member_id=member_id,
        place=dice.of(PLACES),
        currency="CNY",
        member=dice.of(FACTS),
        lines=[Line(category=SPA, amount_minor=points + stored + dice.of([0, 7, 15_000]))],
        redeem_points=points,
        pay_stored_value_minor=stored,
    )
    purchase.occurred_at.FromDatetime(stage.model.now)
    named = dice.of([hold_id] * 9 + [""])
    under = dice.of([checkout_id or stage.new_id()] * 9 + [stage.new_id()])
    return post_purchase(stage, purchase, under, named)


def release(stage: Stage, dice: Dice) -> Happening:
    known = _one_hold(stage, dice)
    if known is None:
        if dice.below(4):
            return None
        known = stage.member_ids[0], stage.new_id(), ""
        stage.holds.append(known)
    return stage.ask(
        hold_pb2.ReleaseHoldRequest(
            request_id=stage.request_id(),
            hold_id=known[1],
            member_id=dice.of([known[0]] * 9 + [stage.member_ids[0]]),
        )
    )


def wait_for_a_timeout(stage: Stage, dice: Dice) -> Happening:
    """To the instant at which a hold ends by itself, or the last microsecond before."""
    holds = [each for each in stage.model.holds.values() if each.state == OPEN]
    ends = [each.timeout_at for each in holds if each.timeout_at]
    if not ends:
        return None
    before = dice.of([timedelta(0), timedelta(microseconds=1)])
    return Wait(max(stage.model.now, min(ends) - before))


def _one_hold(stage: Stage, dice: Dice) -> tuple[str, str, str] | None:
    """Mostly an open one."""
    known = stage.model.holds
    still = [each for each in stage.holds if each[1] in known and known[each[1]].state == OPEN]
    return stage.one_of_the_last(dice, still if dice.below(6) else stage.holds)
