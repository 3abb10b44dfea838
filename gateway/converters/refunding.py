"""A refund's first record, with the exact bytes that each participant will get, and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from huitouke.coupon.v1 import coupon_service_pb2
from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2
from huitouke.points.v1 import points_service_pb2

from gateway.converters.purchases import place_of
from gateway.converters.receipts import to_balances, to_refund
from gateway.domain import errors
from gateway.domain.checkouts import (
    Record,
    RefundFigures,
    RefundOpening,
    RefundRecord,
    RefundState,
)
from gateway.domain.participants import Reversed
from gateway.domain.principals import Principal
from gateway.domain.refund_amounts import (
    Asked,
    AskedLine,
    BillLine,
    RefundAmounts,
    refund_amounts,
)


def to_asked(request: partner_service_pb2.RefundCheckoutRequest) -> Asked:
    """Return what the till asks for; raises INVALID_FIELD for an amount besides lines."""
    amount = request.amount_minor if request.HasField("amount_minor") else None
    if amount is not None and request.lines:
        raise errors.invalid_field("amount_minor", "is left out where lines are named")
    lines = [
        AskedLine(line.line_id, line.amount_minor if line.HasField("amount_minor") else None)
        for line in request.lines
    ]
    return Asked(amount, lines)


def amounts_of(checkout: Record, refunds: Sequence[RefundRecord], asked: Asked) -> RefundAmounts:
    """Return what a refund of a committed checkout comes to; raises Refusal as the domain does."""
    before = [_amounts(each) for each in _done(refunds)]
    return refund_amounts(_bill(checkout), before, asked)


def next_ordinal(refunds: Sequence[RefundRecord]) -> int:
    """Return the number of the refund that comes after those that happened."""
    return len(_done(refunds)) + 1


def to_refund_opening(
    opening: RefundOpening, checkout: Record, amounts: RefundAmounts, principal: Principal
) -> RefundOpening:
    """Return the first record of a refund at this till, with every participant's request in it."""
    member_id, checkout_id = str(checkout.opening.member_id), str(checkout.checkout_id)
    reverse = points_service_pb2.ReverseRequest(
        request_id=f"reverse/{opening.refund_id}",
        member_id=member_id,
        checkout_id=checkout_id,
        reversal_id=str(opening.refund_id),
        place=place_of(principal),
        amount_minor=amounts.amount_minor,
    )
    roll_back = coupon_service_pb2.RollBackRequest(
        request_id=f"roll-back/{opening.refund_id}",
        member_id=member_id,
        checkout_id=checkout_id,
        refund_id=str(opening.refund_id),
    )
    draft = checkout_pb2.Refund(coupons_minor=amounts.coupons_minor)
    for line in amounts.lines:
        draft.lines.add(
            line_id=line.line_id, gross_minor=line.gross_minor, net_minor=line.net_minor
        )
    with_coupons = checkout.opening.coupon_count > 0
    return replace(
        opening,
        member_id=checkout.opening.member_id,
        reverse=reverse.SerializeToString(),
        roll_back=roll_back.SerializeToString() if with_coupons else b"",
        draft=draft.SerializeToString(),
    )


def write_refund(
    opening: RefundOpening, reversed_: Reversed, rolled_back: object | None
) -> tuple[bytes, RefundFigures]:
    """Return the encoded refund from what the ledger and the coupon service did, and its figures.

    AssertionError if it doesn't add up.
    """
    done = reversed_.answer
    assert isinstance(done, points_service_pb2.ReverseResponse)
    refund = checkout_pb2.Refund.FromString(opening.draft)
    refund.refund_id = str(opening.refund_id)
    refund.refunded_at.CopyFrom(done.reversed_at)
    refund.points_restored = done.points_restored
    refund.points_value_minor = done.points_value_minor
    refund.cash_restored_minor = done.cash_restored_minor
    refund.bonus_restored_minor = done.bonus_restored_minor
    refund.money_minor = done.money_minor
    refund.amount_minor = done.amount_minor
    refund.left_minor = done.left_minor
    refund.whole = done.whole
    refund.points_taken_back = done.points_taken_back
    refund.debt_recorded = done.debt_recorded
    refund.balances.CopyFrom(to_balances(done.balances))
    assert refund.amount_minor == (
        refund.points_value_minor
        + refund.cash_restored_minor
        + refund.bonus_restored_minor
        + refund.money_minor
    ), "a refund's parts must add up to it"
    if rolled_back is not None:
        assert isinstance(rolled_back, coupon_service_pb2.RollBackResponse)
        refund.restored_coupon_ids.extend(rolled_back.restored_coupon_ids)
        refund.expired_coupon_ids.extend(rolled_back.expired_coupon_ids)
    figures = RefundFigures(refund.amount_minor, refund.money_minor, refund.whole)
    return refund.SerializeToString(), figures


def _done(refunds: Sequence[RefundRecord]) -> list[RefundRecord]:
    return [each for each in refunds if each.state is RefundState.DONE]


def _amounts(record: RefundRecord) -> RefundAmounts:
    """Return what a refund that happened came to."""
    refund = to_refund(record)
    lines = [BillLine(line.line_id, line.gross_minor, line.net_minor) for line in refund.lines]
    return RefundAmounts(refund.amount_minor, refund.coupons_minor, tuple(lines))


def _bill(checkout: Record) -> list[BillLine]:
    """Return a committed checkout's lines before and after coupons, from what it recorded."""
    plan = checkout.opening.plan
    posted = points_service_pb2.PostRequest.FromString(plan.post).purchase
    net = [line.amount_minor for line in posted.lines]
    gross = list(net)
    # Of a bill that grew after it was opened, coupons have a share of the first lines only.
    for discount in coupon_service_pb2.ReserveRequest.FromString(plan.reserve).discounts:
        for position, share in enumerate(discount.line_amounts_minor):
            gross[position] += share
    named = checkout_pb2.Receipt.FromString(checkout.receipt).line_ids or [""] * len(net)
    return [
        BillLine(line_id or str(position), before, after)
        for position, (line_id, before, after) in enumerate(zip(named, gross, net, strict=True), 1)
    ]
