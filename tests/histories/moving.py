"""Moving value without a purchase: families, staff, payouts."""

from __future__ import annotations

from typing import Any

from huitouke.points.v1 import movement_service_pb2 as movement
from huitouke.points.v1.entry_pb2 import ASSET_BONUS, ASSET_CASH, ASSET_POINTS
from huitouke.type.v1.tender_kind_pb2 import TENDER_KIND_BANK_CARD

from tests.histories.stage import (
    PLACES,
    Dice,
    Happening,
    Stage,
)
from tests.model.guests import BONUS, CASH, POINTS
from tests.model.movements import PENDING


def family(stage: Stage, dice: Dice) -> Happening:
    """Two guests become a family, others take their place, or it ends."""
    one, two, three = stage.member_ids
    together = dice.of([[one, two], [two, one], [two, three], [one, two, three], [three, one], []])
    known = sorted(stage.model.families)
    group_id = known[-1] if known and dice.below(8) else stage.new_id()
    revision = stage.model.families[group_id].revision if group_id in known else 0
    return stage.ask(
        movement.PutTransferGroupRequest(
            request_id=stage.request_id(),
            group_id=group_id,
            member_ids=together,
            expected_revision=max(0, revision + dice.of([*[0] * 9, 1, -1])),
        )
    )


def transfer(stage: Stage, dice: Dice) -> Happening:
    families = [each.member_ids for each in stage.model.families.values() if each.member_ids]
    if not families and dice.below(4):
        return family(stage, dice)
    giver, receiver = dice.of(stage.member_ids), dice.of(stage.member_ids[::-1])
    if families and dice.below(5):
        giver, receiver = dice.of([families[-1], families[-1][::-1]])[:1] + families[-1][-1:]
    guest = stage.model.guest(giver)
    points = guest.usable(POINTS, stage.model.now) * dice.of([500, 90, 1000, 1002]) // 1000
    known = list(stage.model.transfers)[-1:]
    return stage.ask(
        movement.TransferPointsRequest(
            request_id=stage.request_id(),
            transfer_id=known[0] if known and not dice.below(9) else stage.new_id(),
            from_member_id=giver,
            to_member_id=receiver,
            points=max(1, points),
        )
    )


def adjust(stage: Stage, dice: Dice) -> Happening:
    """Staff give something."""
    return _adjust(stage, dice, dice.of([400, 1, 7_000, 501, 20_001, 450_000]))


def take_away(stage: Stage, dice: Dice) -> Happening:
    """Staff take a part of what is there."""
    return _adjust(stage, dice, 0)


def _adjust(stage: Stage, dice: Dice, amount: int) -> Happening:
    member_id = dice.of(stage.member_ids)
    asset, named = dice.of([(ASSET_POINTS, POINTS), (ASSET_BONUS, BONUS), (ASSET_CASH, CASH)])
    if not amount:
        usable = stage.model.guest(member_id).usable(named, stage.model.now)
        amount = -max(1, usable * dice.of([500, 1000, 90, 1002]) // 1000)
    known = list(stage.model.adjustments)[-1:]
    return stage.ask(
        movement.AdjustBalanceRequest(
            request_id=stage.request_id(),
            adjustment_id=known[0] if known and not dice.below(12) else stage.new_id(),
            member_id=member_id,
            asset=asset,
            amount=amount,
            reason_code="GOODWILL",
            reason_text="the soup was cold",
            requested_by=dice.of(["li", "WANG"]),
        )
    )


def decide(stage: Stage, dice: Dice) -> Happening:
    """A second person, or the same one, approves or turns down."""
    waiting = [key for key, each in stage.model.adjustments.items() if each.state == PENDING]
    known = stage.one_of_the_last(
        dice, waiting if waiting and dice.below(5) else list(stage.model.adjustments)
    )
    if known is None:
        return None
    asked = stage.model.adjustments[known].request
    who = dice.of(["chen", "LI", "wang"])
    whose = dice.of([*[asked.member_id] * 9, stage.member_ids[0]])
    if dice.below(3):
        request: Any = movement.ApproveAdjustmentRequest(approved_by=who)
    else:
        request = movement.RejectAdjustmentRequest(rejected_by=who)
    request.request_id, request.member_id = stage.request_id(), whose
    request.adjustment_id = known
    return stage.ask(request)


def withdraw(stage: Stage, dice: Dice) -> Happening:
    member_id = dice.of(stage.member_ids)
    usable = stage.model.guest(member_id).usable(CASH, stage.model.now)
    known = sorted(stage.model.withdrawals)[-1:]
    return stage.ask(
        movement.WithdrawStoredValueRequest(
            request_id=stage.request_id(),
            member_id=member_id,
            withdrawal_id=known[0] if known and not dice.below(12) else stage.new_id(),
            place=dice.of(PLACES),
            amount_minor=max(1, usable * dice.of([500, 1000, 10, 333, 1001]) // 1000),
            tender=TENDER_KIND_BANK_CARD,
        )
    )


def refund_top_up(stage: Stage, dice: Dice) -> Happening:
    known = stage.one_of_the_last(dice, list(stage.model.top_ups))
    if known is None:
        return None
    top_up = stage.model.top_ups[known]
    theirs = [each for each in PLACES if each.merchant_id == top_up.merchant_id]
    refunds = sorted(stage.model.refunds)[-1:]
    return stage.ask(
        movement.RefundTopUpRequest(
            request_id=stage.request_id(),
            member_id=dice.of([*[top_up.member_id] * 9, stage.member_ids[0]]),
            refund_id=refunds[0] if refunds and not dice.below(12) else stage.new_id(),
            top_up_id=known,
            place=dice.of([*theirs * 9, *PLACES]),
        )
    )
