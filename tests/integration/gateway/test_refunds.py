"""Refunds from a till's side: by whole, by amount, by line, until nothing is left."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from huitouke.gateway.v1 import checkout_pb2, events_pb2

from chassis.kernel import Refusal
from cli.suite import Suite
from tests.integration.gateway.test_checkouts import guest_with_value
from tests.integration.gateway.till import (
    Operator,
    Till,
    new_request_id,
    purchase,
    refusal_of,
)


def adds_up(refund: checkout_pb2.Refund) -> bool:
    return refund.amount_minor == (
        refund.points_value_minor
        + refund.cash_restored_minor
        + refund.bonus_restored_minor
        + refund.money_minor
    )


def purse(till: Till, member_id: str) -> tuple[int, int, int, int]:
    shown = till.balances(member_id)
    return shown.points, shown.cash_minor, shown.bonus_minor, shown.points_debt


def test_a_dinner_is_refunded_by_amount_until_nothing_is_left_and_then_the_coupon_returns(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    member_id = guest_with_value(front_desk)
    coupon = restaurant.claim(member_id, operator.campaign())
    before = purse(restaurant, member_id)
    bought = purchase(member_id, 40_000, coupons=[coupon], points=500, stored_value_minor=11_000)
    request_id = new_request_id()
    made = restaurant.checkout(bought, request_id).response.checkout
    refunds = [
        restaurant.refund(made.checkout_id, amount_minor=amount).response.refund
        for amount in (1, 9_999, 20_000)
    ]
    refunds.append(restaurant.refund(made.checkout_id).response.refund)
    assert [each.amount_minor for each in refunds] == [1, 9_999, 20_000, 5_000]
    assert [each.left_minor for each in refunds] == [34_999, 25_000, 5_000, 0]
    assert [each.whole for each in refunds] == [False, False, False, True]
    assert all(adds_up(each) for each in refunds)
    assert sum(each.money_minor for each in refunds) == made.receipt.to_pay_minor
    assert sum(each.coupons_minor for each in refunds) == made.receipt.coupons_minor
    assert sum(each.points_taken_back for each in refunds) == made.receipt.points_earned
    assert [list(each.restored_coupon_ids) for each in refunds] == [[], [], [], [coupon]]
    assert purse(restaurant, member_id) == before
    assert list(restaurant.find(request_id).refunds) == refunds
    assert refusal_of(restaurant.refund, made.checkout_id).reason == "ALREADY_REFUNDED"
    restaurant.checkout(purchase(member_id, 9_000, coupons=[coupon]))


def test_a_line_refunds_what_was_left_of_it_after_coupons(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    member_id = guest_with_value(front_desk)
    coupon = restaurant.claim(member_id, operator.campaign(amount_minor=1_000))
    bought = purchase(member_id, 2_000, 6_000, 2_000, coupons=[coupon], stored_value_minor=900)
    bought.lines[0].line_id, bought.lines[1].line_id = "soup", "wine"
    before = purse(restaurant, member_id)
    made = restaurant.checkout(bought).response.checkout
    first = restaurant.refund(made.checkout_id, lines=[("wine", 2_000)]).response.refund
    assert [(each.line_id, each.gross_minor, each.net_minor) for each in first.lines] == [
        ("wine", 2_000, 1_800)
    ]
    assert (first.amount_minor, first.coupons_minor, first.left_minor) == (1_800, 200, 7_200)
    refused = refusal_of(restaurant.refund, made.checkout_id, lines=[("wine", 4_001)])
    assert (refused.reason, refused.metadata) == (
        "REFUND_EXCEEDS_LINE",
        {"line_id": "wine", "left_minor": "4000"},
    )
    second = restaurant.refund(made.checkout_id, lines=[("wine", None), ("3", None)])
    assert second.response.refund.amount_minor == 3_600 + 1_800
    last = restaurant.refund(made.checkout_id, lines=[("soup", None)]).response.refund
    assert (last.amount_minor, last.whole) == (1_800, True)
    assert list(last.restored_coupon_ids) == [coupon]
    assert purse(restaurant, member_id) == before


def test_a_repeated_partial_refund_is_answered_as_it_was_and_another_amount_is_another_request(
    front_desk: Till, restaurant: Till
) -> None:
    member_id = front_desk.member_id()
    made = restaurant.checkout(purchase(member_id, 10_000)).response.checkout
    request_id = new_request_id()
    first = restaurant.refund(made.checkout_id, request_id, amount_minor=6_000)
    again = restaurant.refund(made.checkout_id, request_id, amount_minor=6_000)
    assert (again.replayed, again.response) == (True, first.response)
    reused = refusal_of(restaurant.refund, made.checkout_id, request_id, amount_minor=6_001)
    assert (reused.reason, reused.metadata["field"]) == ("REQUEST_ID_REUSED", "amount_minor")
    other_id = new_request_id()
    for _ in range(2):
        refused = refusal_of(restaurant.refund, made.checkout_id, other_id, amount_minor=6_000)
        assert refused.reason == "REFUND_EXCEEDS_CHECKOUT"
        assert refused.metadata["left_minor"] == "4000"
    assert restaurant.balances(member_id).points == 40


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"amount_minor": 0}, "amount_minor"),
        ({"amount_minor": 100, "lines": [("1", None)]}, "amount_minor"),
        ({"lines": [("1", 0)]}, "lines[0].amount_minor"),
        ({"lines": [("", None)]}, "lines[0].line_id"),
        ({"lines": [("1", None), ("1", None)]}, "lines[1].line_id"),
        ({"lines": [("2", None)]}, "lines[0].line_id"),
    ],
)
def test_what_no_refund_can_be_is_refused_by_its_field(
    asked: dict[str, object], field: str, front_desk: Till, restaurant: Till
) -> None:
    member_id = front_desk.member_id()
    made = restaurant.checkout(purchase(member_id, 10_000)).response.checkout
    refused = refusal_of(restaurant.refund, made.checkout_id, **asked)
    assert (refused.reason, [each.field for each in refused.fields]) == ("INVALID_FIELD", [field])


def test_refunds_wanted_at_once_never_give_back_more_than_was_paid(
    front_desk: Till, restaurant: Till, operator: Operator
) -> None:
    member_id = guest_with_value(front_desk)
    before = purse(restaurant, member_id)
    bought = purchase(member_id, 10_000, points=100, stored_value_minor=5_000)
    made = restaurant.checkout(bought).response.checkout

    def until_known(request_id: str) -> int | str:
        """The amount refunded, or the reason it was refused for good."""
        while True:
            try:
                answer = restaurant.refund(made.checkout_id, request_id, amount_minor=3_000)
            except Refusal as refusal:
                if not refusal.passing:
                    return refusal.reason
            else:
                return int(answer.response.refund.amount_minor)

    with ThreadPoolExecutor(8) as pool:
        ends = Counter(pool.map(until_known, [new_request_id() for _ in range(8)]))
    assert ends == {3_000: 3, "REFUND_EXCEEDS_CHECKOUT": 5}
    rest = restaurant.refund(made.checkout_id).response.refund
    assert (rest.amount_minor, rest.whole) == (1_000, True)
    assert purse(restaurant, member_id) == before


def test_events_and_books_follow_every_part(
    gateway_suite: Suite, operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    books, ledger = operator.books(), operator.ledger_books()
    member_id = front_desk.member_id()
    made = restaurant.checkout(purchase(member_id, 10_000)).response.checkout
    part = restaurant.refund(made.checkout_id, amount_minor=2_500).response.refund
    after, ledger_after = operator.books(), operator.ledger_books()
    assert after.refunded == books.refunded
    assert ledger_after.checkouts_reversed == ledger.checkouts_reversed
    rest = restaurant.refund(made.checkout_id).response.refund
    after, ledger_after = operator.books(), operator.ledger_books()
    assert after.refunded == books.refunded + 1
    assert ledger_after.checkouts_reversed == ledger.checkouts_reversed + 1
    assert after.refunds - books.refunds == ledger_after.reversals - ledger.reversals == 2
    assert after.refunded_minor - books.refunded_minor == 10_000
    assert ledger_after.reversed_minor - ledger.reversed_minor == 10_000
    with psycopg.connect(gateway_suite.database_url("gateway")) as connection:
        rows = connection.execute(
            "SELECT payload FROM outbox WHERE aggregateid = %s AND type LIKE %s ORDER BY seq",
            (member_id, "%.CheckoutRefunded"),
        ).fetchall()
    told = [events_pb2.CheckoutRefunded.FromString(payload).refund for (payload,) in rows]
    assert told in ([], [part, rest], [rest]), "what is published is gone"
