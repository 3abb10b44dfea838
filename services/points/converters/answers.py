"""Answers into messages: what a caller gets, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from huitouke.points.v1 import (
    events_pb2,
    hold_pb2,
    movement_pb2,
    purchase_pb2,
)
from huitouke.points.v1 import import_service_pb2 as imports_pb
from huitouke.points.v1 import movement_service_pb2 as moving
from huitouke.points.v1 import points_service_pb2 as pb

from services.points.converters.values import TO_FUNDER, to_stamp, to_tender
from services.points.domain.accounts import Balances
from services.points.domain.answers import (
    Answer,
    AuthorizeAnswer,
    CancelAnswer,
    CaptureAnswer,
    ImportAnswer,
    PostAnswer,
    Posted,
    ReleaseAnswer,
    ReverseAnswer,
    SettleAnswer,
    TakenBack,
    TopUpAnswer,
    WarnAnswer,
)
from services.points.domain.movement_answers import (
    AdjustAnswer,
    ApproveAnswer,
    GroupAnswer,
    RefundTopUpAnswer,
    RejectAnswer,
    TransferAnswer,
    WithdrawAnswer,
)

RESPONSE_TYPES: Final[tuple[type[Message], ...]] = (
    pb.PostResponse,
    pb.CancelPostResponse,
    pb.ReverseResponse,
    pb.TopUpResponse,
    events_pb2.ValueExpired,
    hold_pb2.AuthorizeHoldResponse,
    hold_pb2.CaptureHoldResponse,
    hold_pb2.ReleaseHoldResponse,
    moving.PutTransferGroupResponse,
    moving.TransferPointsResponse,
    moving.AdjustBalanceResponse,
    moving.ApproveAdjustmentResponse,
    moving.RejectAdjustmentResponse,
    moving.WithdrawStoredValueResponse,
    moving.RefundTopUpResponse,
)


def to_response(answer: Answer) -> Message:
    """The message of an answer, by its type."""
    return _MESSAGES[type(answer)](answer)


def to_posted(posted: Posted) -> purchase_pb2.Posted:
    message = purchase_pb2.Posted()
    _fill_posted(message, posted)
    return message


def to_available(balances: Balances) -> pb.Available:
    """What can be spent of balances that were read now: what is due has left them already."""
    return pb.Available(
        points=balances.points - balances.points_held,
        cash_minor=balances.cash_minor - balances.cash_held_minor,
        bonus_minor=balances.bonus_minor - balances.bonus_held_minor,
    )


def to_balances(balances: Balances) -> purchase_pb2.Balances:
    message = purchase_pb2.Balances()
    _fill_balances(message, balances)
    return message


def to_taken_back(taken: Sequence[TakenBack]) -> list[purchase_pb2.TakenBack]:
    return [
        purchase_pb2.TakenBack(rule_code=by.rule, points=by.points, funder=TO_FUNDER[by.funder])
        for by in taken
    ]


def _fill_posted(message: purchase_pb2.Posted, posted: Posted) -> None:
    """Set the fields in place: a constructor's keywords take several times as long."""
    message.points_redeemed = posted.points_redeemed
    message.points_value_minor = posted.points_value_minor
    message.cash_paid_minor = posted.cash_paid_minor
    message.bonus_paid_minor = posted.bonus_paid_minor
    message.to_pay_minor = posted.to_pay_minor
    message.points_earned = posted.points_earned
    message.debt_collected = posted.debt_collected
    message.programme_version = posted.programme_version
    for by in posted.earned_by:
        earned = message.earned_by.add()
        earned.rule_code = by.rule
        earned.points = by.points
        earned.eligible_minor = by.eligible_minor
        earned.funder = TO_FUNDER[by.funder]
        if by.pending_until is not None:
            earned.pending_until.CopyFrom(to_stamp(by.pending_until))
            message.points_pending += by.points
    for fault in posted.rule_faults:
        message.rule_faults.add(rule_code=fault.rule, message=fault.message)
    _fill_balances(message.balances, posted.balances)


def _fill_balances(message: purchase_pb2.Balances, balances: Balances) -> None:
    message.points = balances.points
    message.cash_minor = balances.cash_minor
    message.bonus_minor = balances.bonus_minor
    message.points_debt = balances.points_debt
    message.member_version = balances.member_version
    message.points_pending = balances.points_pending
    message.next_expiring_points = balances.next_expiring_points
    if balances.next_expiry is not None:
        message.next_expiry.CopyFrom(to_stamp(balances.next_expiry))
    message.points_held = balances.points_held
    message.cash_held_minor = balances.cash_held_minor
    message.bonus_held_minor = balances.bonus_held_minor
    message.SetInParent()  # present also where a member has nothing


def _post(answer: PostAnswer) -> pb.PostResponse:
    message = pb.PostResponse(checkout_id=str(answer.checkout_id))
    message.posted_at.CopyFrom(to_stamp(answer.posted_at))
    _fill_posted(message.posted, answer.posted)
    return message


def _cancel(answer: CancelAnswer) -> pb.CancelPostResponse:
    if answer.posted is not None:
        return pb.CancelPostResponse(posted=_post(answer.posted))
    assert answer.cancelled_at is not None, "a checkout is either posted or cancelled"
    return pb.CancelPostResponse(cancelled=pb.Cancelled(cancelled_at=to_stamp(answer.cancelled_at)))


def _reverse(answer: ReverseAnswer) -> pb.ReverseResponse:
    return pb.ReverseResponse(
        reversal_id=str(answer.reversal_id),
        reversed_at=to_stamp(answer.reversed_at),
        points_restored=answer.points_restored,
        cash_restored_minor=answer.cash_restored_minor,
        bonus_restored_minor=answer.bonus_restored_minor,
        points_taken_back=answer.points_taken_back,
        debt_recorded=answer.debt_recorded,
        balances=to_balances(answer.balances),
        amount_minor=answer.amount_minor,
        points_value_minor=answer.points_value_minor,
        money_minor=answer.money_minor,
        left_minor=answer.left_minor,
        whole=answer.whole,
        taken_back_by=to_taken_back(answer.taken_back_by),
        pending_cancelled=answer.pending_cancelled,
    )


def _top_up(answer: TopUpAnswer) -> pb.TopUpResponse:
    return pb.TopUpResponse(
        top_up_id=str(answer.top_up_id),
        posted_at=to_stamp(answer.posted_at),
        cash_added_minor=answer.cash_added_minor,
        bonus_added_minor=answer.bonus_added_minor,
        balances=to_balances(answer.balances),
    )


def _expire(answer: SettleAnswer) -> events_pb2.ValueExpired:
    return events_pb2.ValueExpired(points=answer.points, bonus_minor=answer.bonus_minor)


def _authorize(answer: AuthorizeAnswer) -> hold_pb2.AuthorizeHoldResponse:
    return hold_pb2.AuthorizeHoldResponse(
        hold_id=str(answer.hold_id),
        authorized_at=to_stamp(answer.authorized_at),
        timeout_at=to_stamp(answer.timeout_at) if answer.timeout_at else None,
        points=answer.held.points,
        cash_minor=answer.held.cash_minor,
        bonus_minor=answer.held.bonus_minor,
        balances=to_balances(answer.balances),
    )


def _capture(answer: CaptureAnswer) -> hold_pb2.CaptureHoldResponse:
    return hold_pb2.CaptureHoldResponse(
        hold_id=str(answer.hold_id),
        captured_at=to_stamp(answer.captured_at),
        points_captured=answer.captured.points,
        cash_captured_minor=answer.captured.cash_minor,
        bonus_captured_minor=answer.captured.bonus_minor,
        points_released=answer.released.points,
        cash_released_minor=answer.released.cash_minor,
        bonus_released_minor=answer.released.bonus_minor,
        balances=to_balances(answer.balances),
    )


def _release(answer: ReleaseAnswer) -> hold_pb2.ReleaseHoldResponse:
    return hold_pb2.ReleaseHoldResponse(
        hold_id=str(answer.hold_id),
        released_at=to_stamp(answer.released_at),
        points_released=answer.released.points,
        cash_released_minor=answer.released.cash_minor,
        bonus_released_minor=answer.released.bonus_minor,
        balances=to_balances(answer.balances),
    )


def _warn(_answer: WarnAnswer) -> Empty:
    """Only the job asks, and it has the events."""
    return Empty()


def to_group(group: GroupAnswer) -> movement_pb2.TransferGroup:
    return movement_pb2.TransferGroup(
        group_id=str(group.group_id),
        member_ids=[str(each) for each in group.member_ids],
        revision=group.revision,
        updated_at=to_stamp(group.updated_at),
    )


def to_withdrawal(answer: WithdrawAnswer) -> movement_pb2.Withdrawal:
    return movement_pb2.Withdrawal(
        cash_minor=answer.cash_minor,
        paid_out_minor=answer.paid_out_minor,
        gift_deducted_minor=answer.gift_deducted_minor,
        bonus_taken_back_minor=answer.bonus_taken_back_minor,
        balances=to_balances(answer.balances),
    )


def _group(answer: GroupAnswer) -> moving.PutTransferGroupResponse:
    return moving.PutTransferGroupResponse(group=to_group(answer))


def _transfer(answer: TransferAnswer) -> moving.TransferPointsResponse:
    return moving.TransferPointsResponse(
        transfer_id=str(answer.transfer_id),
        transferred_at=to_stamp(answer.transferred_at),
        points=answer.points,
        balances=to_balances(answer.balances),
    )


def _adjust(answer: AdjustAnswer) -> moving.AdjustBalanceResponse:
    message = moving.AdjustBalanceResponse(
        adjustment_id=str(answer.adjustment_id),
        state=movement_pb2.ADJUSTMENT_STATE_PENDING_APPROVAL,
        balances=to_balances(answer.balances),
    )
    if answer.booked_at is not None:
        message.state = movement_pb2.ADJUSTMENT_STATE_BOOKED
        message.booked_at.CopyFrom(to_stamp(answer.booked_at))
    return message


def _approve(answer: ApproveAnswer) -> moving.ApproveAdjustmentResponse:
    return moving.ApproveAdjustmentResponse(
        adjustment_id=str(answer.adjustment_id),
        booked_at=to_stamp(answer.booked_at),
        balances=to_balances(answer.balances),
    )


def _reject(answer: RejectAnswer) -> moving.RejectAdjustmentResponse:
    return moving.RejectAdjustmentResponse(
        adjustment_id=str(answer.adjustment_id), rejected_at=to_stamp(answer.rejected_at)
    )


def _withdraw(answer: WithdrawAnswer) -> moving.WithdrawStoredValueResponse:
    return moving.WithdrawStoredValueResponse(
        withdrawal_id=str(answer.withdrawal_id),
        withdrawn_at=to_stamp(answer.withdrawn_at),
        withdrawal=to_withdrawal(answer),
    )


def _refund_top_up(answer: RefundTopUpAnswer) -> moving.RefundTopUpResponse:
    return moving.RefundTopUpResponse(
        refund_id=str(answer.refund_id),
        top_up_id=str(answer.top_up_id),
        refunded_at=to_stamp(answer.refunded_at),
        tender=to_tender(answer.tender),
        cash_refunded_minor=answer.cash_refunded_minor,
        bonus_taken_back_minor=answer.bonus_taken_back_minor,
        balances=to_balances(answer.balances),
    )


def _import(answer: ImportAnswer) -> imports_pb.ImportOpeningBalancesResponse:
    """What a stream of this one row would be answered."""
    if answer.repeated:
        return imports_pb.ImportOpeningBalancesResponse(rows_repeated=1)
    return imports_pb.ImportOpeningBalancesResponse(rows_imported=1)


_MESSAGES: Final[Mapping[type[Answer], Callable[[Any], Message]]] = {
    PostAnswer: _post,
    CancelAnswer: _cancel,
    ReverseAnswer: _reverse,
    TopUpAnswer: _top_up,
    SettleAnswer: _expire,
    AuthorizeAnswer: _authorize,
    CaptureAnswer: _capture,
    ReleaseAnswer: _release,
    GroupAnswer: _group,
    TransferAnswer: _transfer,
    AdjustAnswer: _adjust,
    ApproveAnswer: _approve,
    RejectAnswer: _reject,
    WithdrawAnswer: _withdraw,
    RefundTopUpAnswer: _refund_top_up,
    WarnAnswer: _warn,
    ImportAnswer: _import,
}
