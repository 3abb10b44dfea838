"""Buying in all ways but with a hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1.purchase_pb2 import Line, Purchase
from huitouke.type.v1.booking_channel_pb2 import BOOKING_CHANNEL_DIRECT, BOOKING_CHANNEL_OTA
from huitouke.type.v1.merchant_category_pb2 import (
    MERCHANT_CATEGORY_ROOM,
)

from tests.histories.stage import (
    DINING,
    FACTS,
    LAUNDRY,
    PLACES,
    SPA,
    Dice,
    Happening,
    Stage,
)
from tests.model.guests import BONUS, CASH, POINTS

DELAYS: Final = [*[0] * 20, *[-86_400] * 6, *[240] * 4, -35_000_000, 301]
"""Seconds between now and the purchase: a late till, one that runs ahead, two that are refused."""


def earn(stage: Stage, dice: Dice) -> Happening:
    """A purchase paid in money: so nothing but the bill is looked at."""
    member_id = dice.of(stage.member_ids)
    return _post(stage, dice, member_id, 10_000 + dice.below(60_000), 0, 0)


def spend(stage: Stage, dice: Dice) -> Happening:
    """A purchase that points and stored value pay in part, wholly, or nearly more than wholly."""
    member_id = dice.of(stage.member_ids)
    guest, now = stage.model.guest(member_id), stage.model.now
    shares = [500, 0, 1000, 333, 90, 1002]
    points = guest.usable(POINTS, now) * dice.of(shares) // 1000
    stored = (guest.usable(CASH, now) + guest.usable(BONUS, now)) * dice.of(shares) // 1000
    points -= points % dice.of([5, 1, 100])
    bill = max(0, points + stored + dice.of([20_000, 0, 1, -1, 70_001]))
    return _post(stage, dice, member_id, bill, points, stored)


def _post(
    stage: Stage, dice: Dice, member_id: str, bill: int, points: int, stored: int
) -> Happening:
    categories = dice.of([(DINING,), (DINING, SPA), (SPA,), (SPA, DINING, DINING), (LAUNDRY,)])
    part = bill // len(categories)
    amounts = [bill - part * (len(categories) - 1)] + [part] * (len(categories) - 1)
    lines = zip(categories, amounts, strict=True)
    purchase = Purchase(
        member_id=member_id,
        place=dice.of(PLACES),
        currency="CNY",
        member=dice.of(FACTS),
        lines=[Line(category=each, amount_minor=amount) for each, amount in lines],
        redeem_points=points,
        pay_stored_value_minor=stored,
    )
    purchase.occurred_at.FromDatetime(stage.model.now + timedelta(seconds=dice.of(DELAYS)))
    worth = points * 100 // stage.model.programmes[-1].redemption.points_per_unit
    to_pay = max(0, bill - worth - stored)
    expected = dice.of([None, None, None, None, None, None, to_pay, to_pay + 1])
    return post_purchase(stage, purchase, stage.new_id(), expected=expected)


def stay(stage: Stage, dice: Dice) -> Happening:
    """A stay, booked late: sometimes years."""
    member_id = dice.of(stage.member_ids)
    back = dice.of([1, 100, 400, 1500])
    purchase = Purchase(
        member_id=member_id,
        place=dice.of(PLACES),
        currency=dice.of(["CNY"] * 15 + ["USD"]),
        member=dice.of(FACTS),
        lines=[Line(category=MERCHANT_CATEGORY_ROOM, amount_minor=dice.below(90_000))],
    )
    purchase.stay.channel = dice.of([BOOKING_CHANNEL_DIRECT, BOOKING_CHANNEL_OTA])
    purchase.stay.nights = 2
    purchase.stay.member_absent = dice.of([False, False, True])
    ends_in = dice.of([None, 3, 40, -1])
    if ends_in is not None:
        purchase.stay.ends_at.FromDatetime(stage.model.now + timedelta(days=ends_in))
    purchase.occurred_at.FromDatetime(stage.model.now - timedelta(days=back))
    return post_purchase(stage, purchase, stage.new_id())


def buy_again(stage: Stage, dice: Dice) -> Happening:
    """Another request for a checkout id that is known, of this guest or of another."""
    known = stage.one_of_the_last(dice, stage.checkouts)
    if known is None:
        return None
    purchase = Purchase(
        member_id=dice.of([known[0], *stage.member_ids]),
        place=PLACES[0],
        currency="CNY",
        member=FACTS[0],
        lines=[Line(category=DINING, amount_minor=10_000)],
    )
    purchase.occurred_at.FromDatetime(stage.model.now)
    return post_purchase(stage, purchase, known[1])


def post_purchase(
    stage: Stage,
    purchase: Purchase,
    checkout_id: str,
    hold_id: str = "",
    expected: int | None = None,
) -> Happening:
    """`expected` is what the till thinks is left to pay, if it says so."""
    stage.checkouts.append((purchase.member_id, checkout_id))
    request = pb.PostRequest(
        request_id=stage.request_id(),
        checkout_id=checkout_id,
        purchase=purchase,
        hold_id=hold_id,
        expected_to_pay_minor=expected,
    )
    return stage.ask(request)
