"""Moving value without a purchase: inside a family, by the hand of staff."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from huitouke.points.v1 import movement_pb2
from huitouke.points.v1 import movement_service_pb2 as pb
from huitouke.points.v1.entry_pb2 import ASSET_BONUS, ASSET_CASH, ASSET_POINTS

from tests.model.arithmetic import months_end
from tests.model.guests import BONUS, CASH, POINTS, Facts, Guest, Refused
from tests.model.paying import points_end

if TYPE_CHECKING:
    from tests.model.ledger import Ledger

HOME = "Asia/Shanghai"
ASSETS = {ASSET_POINTS: POINTS, ASSET_CASH: CASH, ASSET_BONUS: BONUS}
PENDING, BOOKED, REJECTED = (
    movement_pb2.ADJUSTMENT_STATE_PENDING_APPROVAL,
    movement_pb2.ADJUSTMENT_STATE_BOOKED,
    movement_pb2.ADJUSTMENT_STATE_REJECTED,
)


@dataclass
class Limits:
    """What the service is set to."""

    group_members: int
    transfer: int
    transfers_a_day: int
    transfers_a_month: int
    adjust_points: int
    adjust_minor: int


@dataclass
class Family:
    member_ids: list[str]
    revision: int = 0


@dataclass
class Transfer:
    member_id: str
    at: datetime
    points: int


@dataclass
class Adjustment:
    request: pb.AdjustBalanceRequest
    at: datetime
    state: int
    alone: bool = False


def put_group(ledger: Ledger, request: pb.PutTransferGroupRequest) -> Facts:
    family = ledger.families.get(request.group_id)
    if family is None and request.expected_revision:
        raise Refused("TRANSFER_GROUP_NOT_FOUND")
    if family is not None and family.revision != request.expected_revision:
        raise Refused("TRANSFER_GROUP_CHANGED")
    if len(request.member_ids) > ledger.limits.group_members:
        raise Refused("TRANSFER_GROUP_SIZE")
    others = [each for key, each in ledger.families.items() if key != request.group_id]
    if any(member in other.member_ids for other in others for member in request.member_ids):
        raise Refused("MEMBER_IN_ANOTHER_GROUP")
    family = ledger.families.setdefault(request.group_id, Family([]))
    family.member_ids = sorted(request.member_ids)
    family.revision += 1
    facts = {"group_id": request.group_id, "member_ids": family.member_ids}
    return {"group": {**facts, "revision": family.revision, "updated_at": ledger.now}}


def transfer(ledger: Ledger, request: pb.TransferPointsRequest) -> Facts:
    now, ids = ledger.now, {request.from_member_id, request.to_member_id}
    if len(ids) == 1:
        raise Refused("TRANSFER_TO_SELF")
    if request.transfer_id in ledger.transfers:
        raise Refused("TRANSFER_EXISTS")
    if not any(ids <= set(family.member_ids) for family in ledger.families.values()):
        raise Refused("NOT_IN_ONE_GROUP")
    _check_limits(ledger, request)
    giver, receiver = ledger.guest(request.from_member_id), ledger.guest(request.to_member_id)
    giver.settle(now)
    to_give = max(0, giver.usable(POINTS, now) - giver.debt)
    if request.points > to_give:
        raise Refused("INSUFFICIENT_POINTS", available=to_give)
    receiver.settle(now)

    ledger.transfers[request.transfer_id] = Transfer(giver.member_id, now, request.points)
    for lot, part in giver.take(POINTS, request.points):
        receiver.put(POINTS, part, lot.earned, lot.ends)
    facts: Facts = {
        "transfer_id": request.transfer_id,
        "transferred_at": now,
        "points": request.points,
    }
    told = {}
    for guest, direction, other in (
        (giver, movement_pb2.TRANSFER_DIRECTION_OUT, receiver),
        (receiver, movement_pb2.TRANSFER_DIRECTION_IN, giver),
    ):
        side = {"direction": direction, "counterpart_member_id": other.member_id}
        told[direction] = guest.tell(now, "PointsTransferred", {**facts, **side})
    return {**facts, "balances": told[movement_pb2.TRANSFER_DIRECTION_OUT]}


def _check_limits(ledger: Ledger, request: pb.TransferPointsRequest) -> None:
    """Days and months are those of the house."""
    today = ledger.now.astimezone(ZoneInfo(HOME)).date()
    given = [
        (each.at.astimezone(ZoneInfo(HOME)).date(), each.points)
        for each in ledger.transfers.values()
        if each.member_id == request.from_member_id
    ]
    in_day = sum(points for day, points in given if day == today)
    in_month = sum(points for day, points in given if day.replace(day=1) == today.replace(day=1))
    limits = ledger.limits
    for period, used, limit in (
        ("TRANSFER", 0, limits.transfer),
        ("DAY", in_day, limits.transfers_a_day),
        ("MONTH", in_month, limits.transfers_a_month),
    ):
        if used + request.points > limit:
            left = max(0, limit - used)
            raise Refused("TRANSFER_LIMIT", period=period, limit_points=limit, left_points=left)


def adjust(ledger: Ledger, request: pb.AdjustBalanceRequest) -> Facts:
    if request.adjustment_id in ledger.adjustments:
        raise Refused("ADJUSTMENT_EXISTS")
    guest, now = ledger.guest(request.member_id), ledger.now
    guest.settle(now)
    _check_possible(ledger, guest, request)
    adjustment = Adjustment(request, now, PENDING)
    lately = [
        abs(each.request.amount)
        for each in ledger.adjustments.values()
        if each.alone and each.at > now - timedelta(hours=24)
        if each.request.member_id == request.member_id and each.request.asset == request.asset
    ]
    limits = ledger.limits
    limit = limits.adjust_points if request.asset == ASSET_POINTS else limits.adjust_minor
    ledger.adjustments[request.adjustment_id] = adjustment
    facts: Facts = {"adjustment_id": request.adjustment_id}
    if sum(lately) + abs(request.amount) > limit:
        return {**facts, "state": PENDING, "booked_at": None, "balances": guest.balances(now)}
    adjustment.alone = True
    balances = _book(ledger, guest, adjustment, "")
    return {**facts, "state": BOOKED, "booked_at": now, "balances": balances}


def approve(ledger: Ledger, request: pb.ApproveAdjustmentRequest) -> Facts:
    adjustment = _pending(ledger, request.member_id, request.adjustment_id)
    if request.approved_by.upper() == adjustment.request.requested_by.upper():
        raise Refused("SECOND_PERSON_REQUIRED")
    guest = ledger.guest(request.member_id)
    guest.settle(ledger.now)
    _check_possible(ledger, guest, adjustment.request)
    balances = _book(ledger, guest, adjustment, request.approved_by.upper())
    facts = {"adjustment_id": request.adjustment_id, "booked_at": ledger.now}
    return {**facts, "balances": balances}


def reject(ledger: Ledger, request: pb.RejectAdjustmentRequest) -> Facts:
    adjustment = _pending(ledger, request.member_id, request.adjustment_id)
    ledger.guest(request.member_id).settle(ledger.now)
    adjustment.state = REJECTED
    return {"adjustment_id": request.adjustment_id, "rejected_at": ledger.now}


def _pending(ledger: Ledger, member_id: str, adjustment_id: str) -> Adjustment:
    adjustment = ledger.adjustments.get(adjustment_id)
    if adjustment is None or adjustment.request.member_id != member_id:
        raise Refused("ADJUSTMENT_NOT_FOUND")
    if adjustment.state != PENDING:
        raise Refused("ADJUSTMENT_DECIDED")
    return adjustment


def _check_possible(ledger: Ledger, guest: Guest, request: pb.AdjustBalanceRequest) -> None:
    asset = ASSETS[request.asset]
    if -request.amount > guest.usable(asset, ledger.now):
        raise Refused(f"INSUFFICIENT_{'POINTS' if asset == POINTS else 'STORED_VALUE'}")
    if request.amount > 0 and asset != POINTS:
        limit = ledger.programme_at(ledger.now).stored_value.balance_limit_minor
        if guest.balance(CASH) + guest.balance(BONUS) + request.amount > limit:
            raise Refused("BALANCE_LIMIT")


def _book(ledger: Ledger, guest: Guest, adjustment: Adjustment, approved_by: str) -> Facts:
    now, request = ledger.now, adjustment.request
    asset, programme = ASSETS[request.asset], ledger.programme_at(ledger.now)
    if request.amount < 0:
        for lot, part in guest.take(asset, -request.amount):
            lot.by_hand += part
    elif asset == POINTS:
        guest.put(asset, request.amount, now, points_end(now, now, programme, HOME))
    else:
        months = programme.stored_value.bonus_expires_after_months if asset == BONUS else 0
        guest.put(asset, request.amount, now, months_end(now, months, HOME) if months else None)
    adjustment.state = BOOKED
    facts = {
        "adjustment_id": request.adjustment_id,
        "adjusted_at": now,
        "asset": request.asset,
        "amount": request.amount,
        "reason_code": request.reason_code,
        "requested_by": request.requested_by.upper(),
        "approved_by": approved_by,
        "currency": "CNY",
    }
    return guest.tell(now, "BalanceAdjusted", facts)
