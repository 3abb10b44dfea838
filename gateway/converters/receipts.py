"""Receipts, refunds and checkouts as a till reads them."""

from __future__ import annotations

from collections.abc import Sequence

from huitouke.gateway.v1 import checkout_pb2
from huitouke.points.v1 import points_service_pb2, purchase_pb2

from gateway.converters.instants import to_timestamp
from gateway.domain.bills import adds_up
from gateway.domain.checkouts import (
    Figures,
    Opening,
    Record,
    RefundRecord,
    RefundState,
)
from gateway.domain.participants import Posted


def to_balances(balances: purchase_pb2.Balances) -> checkout_pb2.MemberBalances:
    """Return balances without the ledger's own version."""
    shown = checkout_pb2.MemberBalances(
        points=balances.points,
        cash_minor=balances.cash_minor,
        bonus_minor=balances.bonus_minor,
        points_debt=balances.points_debt,
        next_expiring_points=balances.next_expiring_points,
        points_held=balances.points_held,
        cash_held_minor=balances.cash_held_minor,
        bonus_held_minor=balances.bonus_held_minor,
        points_pending=balances.points_pending,
    )
    if balances.HasField("next_expiry"):
        shown.next_expiry.CopyFrom(balances.next_expiry)
    return shown


def complete_receipt(
    receipt: checkout_pb2.Receipt, posted: purchase_pb2.Posted
) -> checkout_pb2.Receipt:
    """Fill in what the ledger did, and return the receipt; AssertionError if it doesn't add up."""
    receipt.points_redeemed = posted.points_redeemed
    receipt.points_value_minor = posted.points_value_minor
    receipt.cash_paid_minor = posted.cash_paid_minor
    receipt.bonus_paid_minor = posted.bonus_paid_minor
    receipt.to_pay_minor = posted.to_pay_minor
    receipt.points_earned = posted.points_earned
    receipt.points_pending = posted.points_pending
    for rule in posted.earned_by:
        line = receipt.earned_lines.add(rule_code=rule.rule_code, points=rule.points)
        if rule.HasField("pending_until"):
            line.pending_until.CopyFrom(rule.pending_until)
    receipt.balances.CopyFrom(to_balances(posted.balances))
    assert adds_up(
        receipt.gross_minor,
        receipt.coupons_minor,
        receipt.points_value_minor,
        receipt.cash_paid_minor,
        receipt.bonus_paid_minor,
        receipt.to_pay_minor,
    ), "a receipt's parts must add up to its bill"
    return receipt


def write_receipt(opening: Opening, posted: Posted) -> tuple[bytes, Figures]:
    """Return the encoded receipt of a posted checkout, and its figures for the books."""
    answer = posted.answer
    assert isinstance(answer, points_service_pb2.PostResponse)
    draft = checkout_pb2.Receipt.FromString(opening.draft)
    receipt = complete_receipt(draft, answer.posted)
    figures = Figures(
        points_redeemed=receipt.points_redeemed,
        stored_value_minor=receipt.cash_paid_minor + receipt.bonus_paid_minor,
        points_earned=receipt.points_earned,
    )
    return receipt.SerializeToString(), figures


def to_refund(record: RefundRecord) -> checkout_pb2.Refund:
    """Return a refund that is done."""
    return checkout_pb2.Refund.FromString(record.answer)


def to_checkout(
    record: Record, refunds: Sequence[RefundRecord] = ()
) -> checkout_pb2.CheckoutRecord:
    """Return a checkout as it stands, with the refunds that are done.

    Of one that was cancelled before it was ever seen only the request_id and the end are known.
    """
    opening = record.opening
    shown = checkout_pb2.CheckoutRecord(
        state=checkout_pb2.CheckoutState.ValueType(record.state),
        request_id=opening.request_id,
        cancel_reason=record.refusal.reason if record.refusal else "",
        refunds=[to_refund(each) for each in refunds if each.state is RefundState.DONE],
    )
    if not opening.fingerprint:
        return shown
    shown.checkout_id = str(opening.checkout_id)
    shown.opened_at.CopyFrom(to_timestamp(opening.opened_at))
    if opening.member_id is not None:
        shown.member_id = str(opening.member_id)
    if record.receipt:
        shown.receipt.ParseFromString(record.receipt)
    if record.decided_at is not None:
        shown.decided_at.CopyFrom(to_timestamp(record.decided_at))
    if opening.commit_by is not None:
        shown.commit_by.CopyFrom(to_timestamp(opening.commit_by))
    if record.held is not None:
        shown.held.ParseFromString(record.held.answer)
    return shown
