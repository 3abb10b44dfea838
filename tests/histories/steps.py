"""What can happen in a history: two numbers become a request that makes sense at that moment.

A new operation is one function here or beside, its weight in `STEPS`, and one function in
`tests.model`. Step 0 is nothing and number 0 the plainest of everything, so that what Hypothesis
shrinks a failure to is short and dull.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.type.v1.tender_kind_pb2 import TENDER_KIND_BANK_CARD, TENDER_KIND_UNSPECIFIED

from tests.histories import buying, holding, importing, moving
from tests.histories.stage import (
    PLACES,
    Ask,
    Dice,
    Happening,
    Job,
    Stage,
    Wait,
)


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
            tender=dice.of([TENDER_KIND_UNSPECIFIED, TENDER_KIND_BANK_CARD]),
        )
    )


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


def undo(stage: Stage, dice: Dice) -> Happening:
    """What no till was told of is undone: lately posted, whatever became of its points."""
    member_id, checkout_id = stage.one_of_the_last(dice, stage.checkouts) or (
        stage.member_ids[0],
        stage.new_id(),
    )
    return stage.ask(
        pb.UndoPostRequest(
            request_id=stage.request_id(),
            member_id=dice.of([member_id] * 15 + [stage.member_ids[0]]),
            checkout_id=checkout_id,
            place=dice.of(PLACES),
        )
    )


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


Step = Callable[[Stage, Dice], Happening]
_WEIGHTS: Final[Sequence[tuple[Step, int]]] = [
    (nothing, 1),
    (buying.earn, 10),
    (buying.spend, 16),
    (top_up, 6),
    (wait, 8),
    (wait_for_an_end, 3),
    (reverse, 10),
    (undo, 2),
    (cancel, 3),
    (buying.stay, 4),
    (buying.buy_again, 2),
    (again, 3),
    (changed, 2),
    (again_by_another, 1),
    (settle, 2),
    (warn, 3),
    (holding.authorize, 9),
    (holding.post_with_hold, 6),
    (holding.capture, 6),
    (holding.release, 3),
    (holding.wait_for_a_timeout, 2),
    (moving.family, 2),
    (moving.transfer, 5),
    (moving.adjust, 4),
    (moving.take_away, 2),
    (moving.decide, 3),
    (moving.withdraw, 4),
    (moving.refund_top_up, 3),
    (importing.bring_in, 3),
    (importing.bring_in_again, 1),
]
STEPS: Final[Sequence[Step]] = [step for step, weight in _WEIGHTS for _ in range(weight)]
