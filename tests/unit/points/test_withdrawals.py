"""Withdrawals of stored value, and refunds of top-ups."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.assets import Asset, House, Tender
from services.points.domain.commands import AuthorizeHold, ReleaseHold, ReverseCheckout, SettleDue
from services.points.domain.movement_commands import (
    AdjustBalance,
    RefundTopUp,
    WithdrawStoredValue,
)
from services.points.domain.movement_events import StoredValueWithdrawn, TopUpRefunded
from services.points.domain.programme import SpendOrder, TopUpTier
from tests.unit.points.families import Family, card, spend
from tests.unit.points.worlds import PLACE, TERMS, programme


def withdrawal(home: Family, amount: int, **more: Any) -> WithdrawStoredValue:
    return WithdrawStoredValue(
        home.ids[0], more.get("withdrawal_id", uuid4()), PLACE, amount, Tender.CASH_MONEY
    )


def refund(home: Family, top_up_id: UUID, **more: Any) -> RefundTopUp:
    return RefundTopUp(
        home.ids[0], more.get("refund_id", uuid4()), top_up_id, more.get("place", PLACE)
    )


@pytest.mark.parametrize(
    ("order", "spent", "left", "expected"),
    [
        (SpendOrder.PROPORTIONAL, 0, 100_000, (100_000, 0, 10_000)),
        (SpendOrder.PROPORTIONAL, 55_000, 50_000, (50_000, 0, 5_000)),
        (SpendOrder.CASH_FIRST, 50_000, 50_000, (50_000, 0, 5_000)),
        (SpendOrder.BONUS_FIRST, 10_000, 100_000, (90_000, 10_000, 0)),
        (SpendOrder.BONUS_FIRST, 4_000, 100_000, (96_000, 4_000, 6_000)),
    ],
)
def test_the_gift_goes_back_with_the_principal_and_what_was_eaten_of_it_is_deducted(
    order: SpendOrder, spent: int, left: int, expected: tuple[int, int, int]
) -> None:
    home = card(order)
    home.top_up(home.ids[0], 100_000)
    if spent:
        spend(home, spent)
    done = home.do(withdrawal(home, left))
    assert (done.paid_out_minor, done.gift_deducted_minor, done.bonus_taken_back_minor) == expected
    assert done.balances.cash_minor == 0
    told = home.events[-1]
    assert isinstance(told, StoredValueWithdrawn)
    assert told.answer == done
    houses = {(each.asset, each.house): each.amount for each in home.entries[-1].postings}
    assert houses.get((Asset.CASH, House.CASH_OUT)) == -expected[0]
    assert houses.get((Asset.CASH, House.BREAKAGE), 0) == -expected[1]
    assert houses.get((Asset.BONUS, House.ISSUED), 0) == -expected[2]
    home.check()


def test_gift_that_has_expired_is_neither_taken_nor_deducted() -> None:
    home = card(SpendOrder.BONUS_FIRST)
    home.top_up(home.ids[0], 100_000)
    spend(home, 4_000)
    home.now += timedelta(days=800)
    done = home.do(withdrawal(home, 100_000))
    assert (done.paid_out_minor, done.gift_deducted_minor) == (96_000, 4_000)
    assert done.bonus_taken_back_minor == 0
    home.check()


def test_gift_that_is_due_but_not_posted_as_expired_yet_is_gone_all_the_same() -> None:
    home = card(SpendOrder.BONUS_FIRST, TopUpTier(10_000, 8_000))
    home.top_up(home.ids[0], 10_000)
    spend(home, 2_000)
    home.now += timedelta(days=800)
    done = home.do(withdrawal(home, 10_000))
    assert (done.paid_out_minor, done.gift_deducted_minor) == (8_000, 2_000)
    home.check()


def test_gift_that_staff_took_away_is_not_asked_for_again() -> None:
    home = card()
    home.top_up(home.ids[0], 100_000)
    wrong = AdjustBalance(uuid4(), home.ids[0], Asset.BONUS, -7_000, "MISTAKE", "too much", "S1")
    home.do(wrong)
    done = home.do(withdrawal(home, 100_000))
    assert (done.paid_out_minor, done.bonus_taken_back_minor) == (100_000, 3_000)
    home.check()


def test_value_without_a_gift_is_paid_out_whole_and_oldest_first() -> None:
    home = card()
    home.top_up(home.ids[0], 10_000)
    home.do(AdjustBalance(uuid4(), home.ids[0], Asset.CASH, 5_000, "GOODWILL", "noise", "S1"))
    home.now += timedelta(days=1)
    home.top_up(home.ids[0], 50_000)
    done = home.do(withdrawal(home, 15_000))
    assert (done.paid_out_minor, done.bonus_taken_back_minor) == (15_000, 0)
    done = home.do(withdrawal(home, 25_000))
    assert (done.paid_out_minor, done.bonus_taken_back_minor) == (25_000, 1_500)
    home.check()


def test_only_principal_is_paid_out_and_only_what_is_there() -> None:
    home = card()
    assert home.refusal(withdrawal(home, 1)).reason == "INSUFFICIENT_CASH"
    assert home.refusal(withdrawal(home, 0)).reason == "INSUFFICIENT_CASH"
    home.top_up(home.ids[0], 100_000)
    refused = home.refusal(withdrawal(home, 100_001))
    assert refused.metadata == {"available_minor": "100000"}
    done = withdrawal(home, 60_000)
    home.do(done)
    again = home.refusal(done)
    assert again.reason == "WITHDRAWAL_EXISTS"
    assert again.metadata == {"withdrawal_id": str(done.withdrawal_id)}
    everything = home.do(withdrawal(home, 0))
    assert everything.cash_minor == 40_000
    assert everything.balances.bonus_minor == 0


def test_nobody_gives_principal_away_for_gift_that_was_worth_more() -> None:
    home = card(SpendOrder.BONUS_FIRST, TopUpTier(10_000, 20_000))
    home.top_up(home.ids[0], 10_000)
    spend(home, 20_000)
    refused = home.refusal(withdrawal(home, 10_000))
    assert (refused.reason, refused.metadata) == (
        "NOTHING_TO_PAY_OUT",
        {"gift_deducted_minor": "20000"},
    )
    home.check()


def test_gift_that_ate_all_of_the_principal_leaves_nothing_to_pay_out() -> None:
    home = card(SpendOrder.BONUS_FIRST, TopUpTier(10_000, 10_000))
    home.top_up(home.ids[0], 10_000)
    spend(home, 10_000)
    refused = home.refusal(withdrawal(home, 10_000))
    assert (refused.reason, refused.metadata) == (
        "NOTHING_TO_PAY_OUT",
        {"gift_deducted_minor": "10000"},
    )


def test_gift_that_was_paid_for_by_a_deduction_is_the_guests_when_it_comes_back() -> None:
    home = card(SpendOrder.BONUS_FIRST)
    home.top_up(home.ids[0], 100_000)
    bought = spend(home, 10_000)
    home.do(withdrawal(home, 60_000))
    home.do(ReverseCheckout(home.ids[0], bought.checkout_id, uuid4(), PLACE))
    done = home.do(withdrawal(home, 40_000))
    assert (done.paid_out_minor, done.bonus_taken_back_minor) == (40_000, 4_000)
    assert done.balances.bonus_minor == 6_000
    home.check()


@given(
    principal=st.integers(1, 400_000),
    gift=st.integers(1, 90_000),
    cuts=st.lists(st.integers(1, 100_000), max_size=6),
)
def test_withdrawing_in_pieces_takes_back_what_withdrawing_at_once_does(
    principal: int, gift: int, cuts: list[int]
) -> None:
    home = card(SpendOrder.PROPORTIONAL, TopUpTier(1, gift))
    home.top_up(home.ids[0], principal)
    taken = withdrawn = 0
    for cut in cuts:
        piece = min(cut, principal - withdrawn)
        if piece:
            withdrawn += piece
            taken += home.do(withdrawal(home, piece)).bonus_taken_back_minor
            assert taken == -(-gift * withdrawn // principal)
    home.check()


def test_an_untouched_top_up_goes_back_by_its_tender() -> None:
    home = card()
    kept = home.top_up(home.ids[0], 50_000)
    given_back = home.top_up(home.ids[0], 100_000, Tender.WECHAT_PAY)
    home.now += timedelta(days=7)
    done = home.do(refund(home, given_back))
    assert (done.tender, done.cash_refunded_minor) == (Tender.WECHAT_PAY, 100_000)
    assert done.bonus_taken_back_minor == 10_000
    assert (done.balances.cash_minor, done.balances.bonus_minor) == (50_000, 3_000)
    assert isinstance(home.events[-1], TopUpRefunded)
    assert home.refusal(refund(home, given_back)).reason == "TOP_UP_REFUNDED"
    again = refund(home, kept, refund_id=done.refund_id)
    assert home.refusal(again).reason == "TOP_UP_REFUND_EXISTS"
    home.now += timedelta(seconds=1)
    assert home.refusal(refund(home, kept)).reason == "TOP_UP_TOO_OLD"
    home.check()


def test_a_top_up_is_known_only_to_its_member_and_the_merchant_that_sold_it() -> None:
    home = Family()
    other = home.top_up(home.ids[1], 1_000)
    mine = home.top_up(home.ids[0], 1_000)
    elsewhere = refund(home, mine, place=replace(PLACE, merchant_id=uuid4()))
    for wrong in (refund(home, uuid4()), refund(home, other), elsewhere):
        refused = home.refusal(wrong)
        assert refused.reason == "TOP_UP_NOT_FOUND"
        assert refused.metadata == {"top_up_id": str(wrong.top_up_id)}


def test_what_was_touched_is_not_refunded_until_it_is_whole_again() -> None:
    home = card(SpendOrder.BONUS_FIRST)
    top_up = home.top_up(home.ids[0], 100_000)
    bought = spend(home, 1)
    assert home.refusal(refund(home, top_up)).reason == "TOP_UP_SPENT"
    home.do(ReverseCheckout(home.ids[0], bought.checkout_id, uuid4(), PLACE))
    home.do(refund(home, top_up))
    part = home.top_up(home.ids[0], 100_000)
    home.do(withdrawal(home, 1))
    assert home.refusal(refund(home, part)).reason == "TOP_UP_SPENT"
    home.check()


@pytest.mark.parametrize("noted", [False, True])
def test_a_gift_that_expired_untouched_keeps_no_principal_from_going_back(noted: bool) -> None:
    home = Family(1, programme(terms=replace(TERMS, bonus_expires_after_months=1)))
    home.books.movements.terms = replace(home.books.movements.terms, top_up_refund_days=100)
    top_up = home.top_up(home.ids[0], 100_000)
    home.now += timedelta(days=99)
    if noted:
        home.do(SettleDue(home.ids[0]))
    done = home.do(refund(home, top_up))
    assert (done.cash_refunded_minor, done.bonus_taken_back_minor) == (100_000, 0)
    home.check()


def hold(home: Family, stored: int, timeout: timedelta | None = None) -> AuthorizeHold:
    lives = timeout or timedelta(hours=1)
    return AuthorizeHold(home.ids[0], uuid4(), PLACE, "CNY", 0, stored, lives)


def test_what_a_hold_has_set_aside_is_neither_withdrawn_nor_refunded() -> None:
    home = card(SpendOrder.CASH_FIRST)
    top_up = home.top_up(home.ids[0], 100_000)
    home.do(hold(home, 30_000))
    assert home.refusal(withdrawal(home, 70_001)).metadata == {"available_minor": "70000"}
    assert home.refusal(refund(home, top_up)).reason == "TOP_UP_SPENT"
    done = home.do(withdrawal(home, 70_000))
    assert (done.paid_out_minor, done.bonus_taken_back_minor) == (70_000, 7_000)
    home.check()


def test_gift_that_a_hold_has_set_aside_counts_as_spent_until_it_is_given_back() -> None:
    home = card(SpendOrder.BONUS_FIRST)
    home.top_up(home.ids[0], 100_000)
    held = hold(home, 10_000)
    home.do(held)
    done = home.do(withdrawal(home, 50_000))
    assert (done.paid_out_minor, done.gift_deducted_minor) == (45_000, 5_000)
    home.do(ReleaseHold(home.ids[0], held.hold_id))
    done = home.do(withdrawal(home, 50_000))
    assert (done.paid_out_minor, done.bonus_taken_back_minor) == (50_000, 5_000)
    assert done.balances.bonus_minor == 5_000
    home.check()


@pytest.mark.parametrize("order", [SpendOrder.BONUS_FIRST, SpendOrder.CASH_FIRST])
def test_what_a_timed_out_hold_gives_back_counts_at_that_very_instant(order: SpendOrder) -> None:
    home = card(order)
    top_up = home.top_up(home.ids[0], 100_000)
    home.do(hold(home, 10_000))
    home.now += timedelta(hours=1) - timedelta(microseconds=1)
    assert home.refusal(refund(home, top_up)).reason == "TOP_UP_SPENT"
    home.now += timedelta(microseconds=1)
    done = home.do(withdrawal(home, 100_000))
    assert (done.paid_out_minor, done.bonus_taken_back_minor) == (100_000, 10_000)
    home.check()


def test_a_top_up_is_whole_again_when_its_hold_has_timed_out() -> None:
    home = card()
    top_up = home.top_up(home.ids[0], 100_000)
    home.do(hold(home, 55_000))
    home.now += timedelta(hours=1)
    done = home.do(refund(home, top_up))
    assert (done.cash_refunded_minor, done.bonus_taken_back_minor) == (100_000, 10_000)
    home.check()
