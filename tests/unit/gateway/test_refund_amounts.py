"""What a refund comes to: by whole, by amount, by line; never more than was paid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel import Refusal
from gateway.domain.refund_amounts import (
    Asked,
    AskedLine,
    BillLine,
    RefundAmounts,
    refund_amounts,
)

BILL = (BillLine("soup", 3_000, 3_000), BillLine("wine", 10_000, 6_667), BillLine("tea", 500, 0))
"""A coupon took 3,333 off the wine, another all of the tea."""


def by_line(*lines: tuple[str, int | None]) -> Asked:
    return Asked(lines=[AskedLine(*line) for line in lines])


def refused(before: list[RefundAmounts], asked: Asked) -> Refusal:
    with pytest.raises(Refusal) as caught:
        refund_amounts(BILL, before, asked)
    return caught.value


def test_without_an_amount_all_that_is_left_is_refunded() -> None:
    assert refund_amounts(BILL, [], Asked()) == RefundAmounts(None, 3_833)
    assert refund_amounts(BILL, [RefundAmounts(9_000, 3_000)], Asked()) == RefundAmounts(None, 833)


def test_an_amount_is_of_the_bill_after_coupons() -> None:
    first = refund_amounts(BILL, [], Asked(1_000))
    assert first == RefundAmounts(1_000, 396)
    last = refund_amounts(BILL, [first], Asked(8_667))
    assert last == RefundAmounts(8_667, 3_833 - 396)
    refusal = refused([first], Asked(8_668))
    assert (refusal.reason, refusal.metadata) == (
        "REFUND_EXCEEDS_CHECKOUT",
        {"left_minor": "8667"},
    )


def test_a_line_refunds_its_share_after_coupons() -> None:
    whole = refund_amounts(BILL, [], by_line(("wine", None)))
    assert whole == RefundAmounts(6_667, 3_333, (BillLine("wine", 10_000, 6_667),))
    third = refund_amounts(BILL, [], by_line(("wine", 3_333), ("soup", 1_000)))
    assert third.lines == (BillLine("wine", 3_333, 2_222), BillLine("soup", 1_000, 1_000))
    rest = refund_amounts(BILL, [third], by_line(("wine", None)))
    assert rest.lines == (BillLine("wine", 6_667, 4_445),)


def test_a_line_is_refunded_up_to_what_it_cost() -> None:
    before = [refund_amounts(BILL, [], by_line(("wine", 4_000)))]
    refusal = refused(before, by_line(("wine", 6_001)))
    assert (refusal.reason, refusal.metadata) == (
        "REFUND_EXCEEDS_LINE",
        {"line_id": "wine", "left_minor": "6000"},
    )
    before.append(refund_amounts(BILL, before, by_line(("wine", None))))
    assert refused(before, by_line(("wine", None))).metadata["left_minor"] == "0"


def test_a_line_is_not_refunded_again_in_money_that_went_back_by_amount() -> None:
    before = [refund_amounts(BILL, [], Asked(5_000))]
    refusal = refused(before, by_line(("wine", None)))
    assert (refusal.reason, refusal.metadata) == (
        "REFUND_EXCEEDS_CHECKOUT",
        {"left_minor": "4667"},
    )
    assert refund_amounts(BILL, before, by_line(("soup", None))).amount_minor == 3_000


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (by_line(("beer", None)), "lines[0].line_id"),
        (by_line(("soup", 1), ("soup", 1)), "lines[1].line_id"),
        (by_line(("tea", None)), "lines"),
    ],
)
def test_lines_that_are_none_are_named(asked: Asked, field: str) -> None:
    refusal = refused([], asked)
    assert refusal.reason == "INVALID_FIELD"
    assert [each.field for each in refusal.fields] == [field]


lines = st.builds(
    lambda gross, off: (gross, gross * off // 100), st.integers(1, 10**6), st.integers(0, 100)
)


@given(st.lists(lines, min_size=1, max_size=5), st.data())
def test_any_refunds_of_lines_and_amounts_end_at_the_bill(
    drawn: list[tuple[int, int]], data: st.DataObject
) -> None:
    bill = [BillLine(str(at), gross, net) for at, (gross, net) in enumerate(drawn)]
    net = sum(line.net_minor for line in bill)
    coupons = sum(line.gross_minor for line in bill) - net
    before: list[RefundAmounts] = []
    for _ in range(data.draw(st.integers(0, 6))):
        asked = data.draw(
            st.builds(Asked, st.integers(1, net + 1))
            | st.sampled_from([by_line((line.line_id, None)) for line in bill])
            | st.builds(
                lambda line, part: by_line((line.line_id, max(1, line.gross_minor * part // 10))),
                st.sampled_from(bill),
                st.integers(1, 11),
            )
        )
        try:
            before.append(refund_amounts(bill, before, asked))
        except Refusal:
            continue
        assert before[-1].coupons_minor >= 0
    left = net - sum(each.amount_minor or 0 for each in before)
    assert left >= 0
    if left:
        last = refund_amounts(bill, before, Asked())
        assert sum(each.coupons_minor for each in before) + last.coupons_minor == coupons
        assert refund_amounts(bill, before, Asked(left)).coupons_minor == last.coupons_minor
    for line in bill:
        past = [each for one in before for each in one.lines if each.line_id == line.line_id]
        assert sum(each.gross_minor for each in past) <= line.gross_minor
        assert sum(each.net_minor for each in past) <= line.net_minor
