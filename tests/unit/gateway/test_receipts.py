"""Receipts: what the ledger did, as a till and a guest read it."""

from datetime import UTC, datetime

from huitouke.gateway.v1 import checkout_pb2
from huitouke.points.v1 import purchase_pb2

from gateway.converters.receipts import complete_receipt, to_balances

MATURES = datetime(2026, 6, 1, tzinfo=UTC)


def posted() -> purchase_pb2.Posted:
    """A dinner of 100 yuan that earned 100 points at once and 50 that are pending."""
    done = purchase_pb2.Posted(to_pay_minor=10_000, points_earned=150, points_pending=50)
    done.earned_by.add(rule_code="BASE_DINING", points=100)
    pending = done.earned_by.add(rule_code="STAY_BONUS", points=50)
    pending.pending_until.FromDatetime(MATURES)
    done.balances.points = 100
    done.balances.points_pending = 50
    return done


def test_a_receipt_tells_pending_points_from_those_that_can_be_spent() -> None:
    receipt = complete_receipt(checkout_pb2.Receipt(gross_minor=10_000), posted())
    assert (receipt.points_earned, receipt.points_pending) == (150, 50)
    at_once, pending = receipt.earned_lines
    assert not at_once.HasField("pending_until")
    assert pending.pending_until.ToDatetime(UTC) == MATURES
    assert (receipt.balances.points, receipt.balances.points_pending) == (100, 50)


def test_balances_show_what_is_set_aside() -> None:
    known = purchase_pb2.Balances(
        points=500, points_held=200, cash_minor=90, cash_held_minor=80, bonus_held_minor=7
    )
    shown = to_balances(known)
    assert (shown.points, shown.points_held) == (500, 200)
    assert (shown.cash_held_minor, shown.bonus_held_minor) == (80, 7)
