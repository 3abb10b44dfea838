"""Bills add up, whatever coupons take off which line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel import Refusal
from gateway.domain.bills import adds_up, check_bill, check_date, left_to_pay, net_amounts


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=20))
def test_each_line_is_paid_by_coupons_and_the_rest(lines: list[tuple[int, int]]) -> None:
    amounts = [paid + off for paid, off in lines]
    halves = [[off // 2 for _, off in lines], [off - off // 2 for _, off in lines]]
    assert net_amounts(amounts, halves) == [paid for paid, _ in lines]


def test_a_discount_beyond_a_line_must_never_be() -> None:
    with pytest.raises(AssertionError):
        net_amounts([100], [[60], [60]])


def test_what_is_left_to_pay_is_known_unless_the_ledger_prices_points() -> None:
    assert left_to_pay(10_000, 4_000, 0) == 6_000
    assert left_to_pay(10_000, 10_000, 0) == 0
    assert left_to_pay(10_000, 0, 1) is None
    assert left_to_pay(10_000, 10_001, 0) is None, "the ledger refuses it in its own words"


def test_a_receipt_that_is_a_fen_off_does_not_add_up() -> None:
    assert adds_up(1_000, 100, 50, 600, 50, 200)
    assert not adds_up(1_000, 100, 50, 600, 50, 199)
    assert not adds_up(1_000, 1_100, 0, 0, 0, -100)


@pytest.mark.parametrize(
    ("ids", "field"),
    [
        (["A", "B", "A"], "purchase.lines[2].line_id"),
        (["2", ""], "purchase.lines[1].line_id"),
    ],
)
def test_a_line_id_stands_for_one_line(ids: list[str], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_bill("CNY", ids)
    assert refused.value.fields[0].field == field


def test_only_yuan_are_counted() -> None:
    check_bill("CNY", ["", "", "x"])
    with pytest.raises(Refusal) as refused:
        check_bill("USD", [""])
    assert refused.value.reason == "CURRENCY_MISMATCH"


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days_back", "spends", "is_stay", "accepted"),
    [
        (30, False, False, True),
        (31, False, False, False),
        (4_000, False, True, True),
        (1, True, False, True),
        (2, True, False, False),
        (2, True, True, False),
        (-1, True, False, True),  # the ledger judges what lies ahead
    ],
)
def test_only_what_merely_earns_may_be_dated_far_back(
    days_back: int, spends: bool, is_stay: bool, accepted: bool
) -> None:
    occurred_at = NOW - timedelta(days=days_back)
    if accepted:
        check_date(occurred_at, NOW, spends=spends, is_stay=is_stay)
        return
    with pytest.raises(Refusal, match="OCCURRED_AT_OUT_OF_RANGE"):
        check_date(occurred_at, NOW, spends=spends, is_stay=is_stay)
