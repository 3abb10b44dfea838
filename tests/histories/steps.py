"""What can happen in a history: two numbers become a request that makes sense at that moment.

A new operation is one function here, its weight in `STEPS`, and one function in `tests.model`.
Step 0 is nothing and number 0 the plainest of everything, so that what Hypothesis shrinks a failure
to is short and dull.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from google.protobuf.message import Message
from huitouke.points.v1 import hold_pb2
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1.purchase_pb2 import Line, MemberFacts, Purchase
from huitouke.type.v1.booking_channel_pb2 import BOOKING_CHANNEL_DIRECT, BOOKING_CHANNEL_OTA
from huitouke.type.v1.merchant_category_pb2 import (
    MERCHANT_CATEGORY_DINING,
    MERCHANT_CATEGORY_LAUNDRY,
    MERCHANT_CATEGORY_ROOM,
    MERCHANT_CATEGORY_SPA,
)
from huitouke.type.v1.place_pb2 import Place

from tests.model.guests import BONUS, CASH, OPEN, POINTS
from tests.model.ledger import Ledger

NUMBERS: Final = 2**24
"""Hypothesis draws evenly from fewer than this many; the factors of a step multiply to less."""

T = TypeVar("T")
PLACES: Final = [
    Place(
        merchant_id=f"0199aaaa-0000-7000-8000-00000000000{number}",
        outlet_id="0199aaaa-0000-7000-8000-0000000000a1",
        terminal_id="0199aaaa-0000-7000-8000-0000000000b1",
        property_code="SHA01",
        time_zone=zone,
    )
    for number, zone in enumerate(["Asia/Shanghai", "Europe/Paris"], 1)
]


class Dice:
    """A number as a row of choices, the first option of each where it is 0."""

    def __init__(self, number: int) -> None:
        self._left = number

    def of(self, options: Sequence[T]) -> T:
        self._left, at = divmod(self._left, len(options))
        return options[at]

    def below(self, bound: int) -> int:
        self._left, at = divmod(self._left, bound)
        return at


class Ask(NamedTuple):
    """A request of a caller."""

    request: Any
    caller: str = "gateway"


class Job(NamedTuple):
    """A job comes by a guest; `chore` is what the model calls it."""

    chore: str
    member_id: str


class Wait(NamedTuple):
    """Time goes by."""

    until: datetime


Happening = Ask | Job | Wait | None


@dataclass
class Stage:
    """What steps look at: the guests as the model knows them, and what was asked before."""

    model: Ledger
    member_ids: Sequence[str]
    space: int
    asked: list[Ask] = field(default_factory=list)
    checkouts: list[tuple[str, str]] = field(default_factory=list)
    holds: list[tuple[str, str, str]] = field(default_factory=list)
    ids: int = 0

    def new_id(self) -> str:
        """An id that no other history of this database uses."""
        self.ids += 1
        return f"{self.space:08x}-0000-7000-8000-{self.ids:012x}"

    def request_id(self) -> str:
        return f"r-{self.new_id()}"

    def ask(self, request: Message, caller: str = "gateway") -> Ask:
        ask = Ask(request, caller)
        self.asked.append(ask)
        return ask

    def one_of_the_last(self, dice: Dice, items: Sequence[T]) -> T | None:
        """Mostly one of the last few."""
        back = dice.of([dice.of([1, 2, 3, 5]), 1 + dice.below(60)])
        return items[-back] if back <= len(items) else None


def nothing(_stage: Stage, _dice: Dice) -> Happening:
    return None


def wait(stage: Stage, dice: Dice) -> Happening:
    days = dice.of([0, 1, 1, 3, 3, 7, 20, 31, 90, 200])
    return Wait(stage.model.now + timedelta(days=days, seconds=dice.below(1000)))


def wait_for_an_end(stage: Stage, dice: Dice) -> Happening:
    """To the instant at which a lot of a guest is over, the last microsecond before, or days."""
    lots = stage.model.guest(dice.of(stage.member_ids)).lots
    ends = [lot.ends for lot in lots if lot.left and lot.ends and lot.ends > stage.model.now]
    if not ends:
        return None
    before = [timedelta(0), timedelta(microseconds=1), *map(timedelta, (7, 30, 3, 29))]
    return Wait(max(stage.model.now, min(ends) - dice.of(before)))


def top_up(stage: Stage, dice: Dice) -> Happening:
    member_id = dice.of(stage.member_ids)
    amount = dice.of([777, 1, 49_999, 50_000, 100_000, 150_000, 400_001, 500_001])
    known = sorted(stage.model.top_ups)
    again = known and not dice.below(12)
    return stage.ask(
        pb.TopUpRequest(
            request_id=stage.request_id(),
            member_id=member_id,
            top_up_id=known[-1] if again else stage.new_id(),
            place=dice.of(PLACES),
            amount_minor=amount,
            currency=dice.of(["CNY"] * 15 + ["EUR"]),
        )
    )


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
    return _post_purchase(stage, purchase, stage.new_id())


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
    purchase.occurred_at.FromDatetime(stage.model.now - timedelta(days=back))
    return _post_purchase(stage, purchase, stage.new_id())


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
    return _post_purchase(stage, purchase, known[1])


def _post_purchase(
    stage: Stage, purchase: Purchase, checkout_id: str, hold_id: str = ""
) -> Happening:
    stage.checkouts.append((purchase.member_id, checkout_id))
    request = pb.PostRequest(
        request_id=stage.request_id(), checkout_id=checkout_id, purchase=purchase, hold_id=hold_id
    )
    return stage.ask(request)


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
    return _post_purchase(stage, purchase, under, named)


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


def reverse(stage: Stage, dice: Dice) -> Happening:
    model = stage.model.checkouts
    posted = [each for each in stage.checkouts if each[1] in model and model[each[1]].answer]
    known = stage.one_of_the_last(dice, posted if dice.below(9) else stage.checkouts)
    member_id, checkout_id = known or (stage.member_ids[0], stage.new_id())
    taken = sorted(stage.model.reversals)[-1:] if not dice.below(20) else []
    request = pb.ReverseRequest(
        request_id=stage.request_id(),
        member_id=dice.of([member_id] * 15 + [stage.member_ids[0]]),
        checkout_id=checkout_id,
        reversal_id=[*taken, stage.new_id()][0],
        place=dice.of(PLACES),
    )
    share = dice.of([None, 500, 1, 333, 999, 1100])
    if share is not None:
        bill = model[checkout_id].bill if checkout_id in model else 0
        request.amount_minor = max(1, bill * share // 1000)
    return stage.ask(request)


def cancel(stage: Stage, dice: Dice) -> Happening:
    """Settle a doubt: about a checkout that is known, or about one that never arrived."""
    member_id = dice.of(stage.member_ids)
    known = stage.one_of_the_last(dice, stage.checkouts) if dice.below(2) else None
    if known is None:
        known = member_id, stage.new_id()
        stage.checkouts.append(known)
    return stage.ask(
        pb.CancelPostRequest(
            request_id=stage.request_id(),
            member_id=dice.of([known[0]] * 5 + [member_id]),
            checkout_id=known[1],
        )
    )


def settle(stage: Stage, dice: Dice) -> Happening:
    return Job("settle", dice.of(stage.member_ids))


def warn(stage: Stage, dice: Dice) -> Happening:
    return Job("warn", dice.of(stage.member_ids))


def again(stage: Stage, dice: Dice) -> Happening:
    """The very same request once more, as after a lost connection."""
    return stage.one_of_the_last(dice, stage.asked)


def again_by_another(stage: Stage, dice: Dice) -> Happening:
    """The same request of another caller: request ids are known by their callers."""
    ask = stage.one_of_the_last(dice, stage.asked)
    return stage.ask(ask.request, "operator") if ask else None


def changed(stage: Stage, dice: Dice) -> Happening:
    """The same request id with other content."""
    ask = stage.one_of_the_last(dice, stage.asked)
    if ask is None:
        return None
    if not dice.below(3):
        other = pb.CancelPostRequest(
            request_id=ask.request.request_id,
            member_id=stage.member_ids[0],
            checkout_id=stage.new_id(),
        )
        return Ask(other, ask.caller)
    request = type(ask.request)()
    request.CopyFrom(ask.request)
    names = [each.name for each in request.DESCRIPTOR.fields if each.name.endswith("_id")]
    setattr(request, dice.of([name for name in names if name != "request_id"]), stage.new_id())
    return Ask(request, ask.caller)


DINING, SPA = MERCHANT_CATEGORY_DINING, MERCHANT_CATEGORY_SPA
LAUNDRY = MERCHANT_CATEGORY_LAUNDRY
FACTS: Final = [
    MemberFacts(tier="CLASSIC"),
    MemberFacts(tier="GOLD", tags=["friend", "student"]),
    MemberFacts(tier="GOLD", birth_month=5),
]
DELAYS: Final = [*[0] * 20, *[-86_400] * 6, *[240] * 4, -35_000_000, 301]
"""Seconds between now and the purchase: a late till, one that runs ahead, two that are refused."""

Step = Callable[[Stage, Dice], Happening]
_WEIGHTS: Final[Sequence[tuple[Step, int]]] = [
    (nothing, 1),
    (earn, 10),
    (spend, 16),
    (top_up, 6),
    (wait, 8),
    (wait_for_an_end, 3),
    (reverse, 10),
    (cancel, 3),
    (stay, 4),
    (buy_again, 2),
    (again, 3),
    (changed, 2),
    (again_by_another, 1),
    (settle, 2),
    (warn, 3),
    (authorize, 9),
    (post_with_hold, 6),
    (capture, 6),
    (release, 3),
    (wait_for_a_timeout, 2),
]
STEPS: Final[Sequence[Step]] = [step for step, weight in _WEIGHTS for _ in range(weight)]
