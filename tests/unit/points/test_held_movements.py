"""Movements go round what holds have pinned, and count a hold whose timeout has come as gone."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from services.points.domain.assets import Asset, Tender
from services.points.domain.commands import AuthorizeHold, CaptureHold, Command
from services.points.domain.events import HoldExpired
from services.points.domain.movement_commands import (
    AdjustBalance,
    RefundTopUp,
    TransferPoints,
    WithdrawStoredValue,
)
from tests.unit.points.families import Family
from tests.unit.points.worlds import PLACE

MINUTE = timedelta(minutes=1)


@pytest.fixture
def home() -> Family:
    """Two of a family; the first has 500 points and 100,000 with its gift of 10,000."""
    family = Family()
    family.unite()
    family.buy(family.ids[0], 50_000)
    return family


def hold(home: Family, points: int = 0, stored: int = 0) -> UUID:
    hold_id = uuid4()
    home.do(AuthorizeHold(home.ids[0], hold_id, PLACE, "CNY", points, stored, MINUTE))
    return hold_id


def withdrawal(home: Family, amount: int) -> WithdrawStoredValue:
    return WithdrawStoredValue(home.ids[0], uuid4(), PLACE, amount, Tender.CASH_MONEY)


def test_what_is_held_is_neither_passed_on_taken_by_hand_paid_out_nor_refunded(
    home: Family,
) -> None:
    top_up_id = home.top_up(home.ids[0], 100_000)
    hold_id = hold(home, 400, 55_000)
    giver, receiver = home.ids
    beyond: list[tuple[Command, str]] = [
        (TransferPoints(uuid4(), giver, receiver, 101), "INSUFFICIENT_POINTS"),
        (
            AdjustBalance(uuid4(), giver, Asset.POINTS, -101, "GOODWILL", "too much", "E7"),
            "INSUFFICIENT_POINTS",
        ),
        (withdrawal(home, 50_001), "INSUFFICIENT_CASH"),
        (RefundTopUp(giver, uuid4(), top_up_id, PLACE), "TOP_UP_SPENT"),
    ]
    for command, reason in beyond:
        assert home.refusal(command).reason == reason
    home.do(TransferPoints(uuid4(), giver, receiver, 100))
    assert home.do(withdrawal(home, 50_000)).bonus_taken_back_minor == 5_000
    captured = home.do(CaptureHold(giver, hold_id, PLACE, "CNY", 400, 55_000))
    assert captured.balances[:3] == (0, 0, 0)


def test_a_hold_whose_timeout_has_come_stands_in_no_movements_way(home: Family) -> None:
    top_up_id = home.top_up(home.ids[0], 100_000)
    hold(home, 500, 110_000)
    home.now += MINUTE
    quoted = home.books.members[home.ids[0]].cash.first_parts(100_000, home.now)
    assert sum(part for _, part in quoted) == 100_000
    refunded = home.do(RefundTopUp(home.ids[0], uuid4(), top_up_id, PLACE))
    assert (refunded.cash_refunded_minor, refunded.balances.cash_held_minor) == (100_000, 0)
    assert any(isinstance(event, HoldExpired) for event in home.events)


def test_a_withdrawal_plans_with_the_gift_that_a_timeout_gives_back(home: Family) -> None:
    home.top_up(home.ids[0], 100_000)
    hold(home, 0, 110_000)
    home.now += MINUTE
    paid = home.do(withdrawal(home, 100_000))
    assert (paid.paid_out_minor, paid.gift_deducted_minor) == (100_000, 0)
    assert paid.bonus_taken_back_minor == 10_000
