"""Checkouts that are opened first: a tab, a deposit; committed with all or a part of it, or not."""

from __future__ import annotations

from typing import Any

from google.protobuf.duration_pb2 import Duration
from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2
from huitouke.type.v1 import booking_channel_pb2

from tests.integration.gateway.tabs import (
    ALIPAY,
    CANCELLED,
    COMMITTED,
    OPEN,
    activities,
    list_activity,
    tab,
)
from tests.integration.gateway.till import (
    Operator,
    Till,
    new_request_id,
    purchase,
    refusal_of,
)
from tests.waiting import wait_until


def test_what_is_opened_is_set_aside_and_said(restaurant: Till, guest: str) -> None:
    before = restaurant.balances(guest)
    opened = tab(restaurant, guest)
    assert (opened.state, opened.member_id) == (OPEN, guest)
    held = opened.held
    assert (held.points, held.cash_minor, held.bonus_minor) == (500, 20_000, 2_000)
    assert (opened.commit_by.seconds - opened.opened_at.seconds) == 1_800
    after = restaurant.balances(guest)
    assert held.balances == after
    assert (after.points, after.cash_minor, after.bonus_minor) == (
        before.points, before.cash_minor, before.bonus_minor,
    )  # fmt: skip
    assert (after.points_held, after.cash_held_minor, after.bonus_held_minor) == (
        500, 20_000, 2_000,
    )  # fmt: skip
    assert restaurant.find(opened.request_id) == opened
    too_much = purchase(guest, 100_000, stored_value_minor=100_000)
    assert refusal_of(restaurant.checkout, too_much).reason == "INSUFFICIENT_STORED_VALUE"
    restaurant.cancel_open(opened.checkout_id)


def test_a_commit_for_less_spends_a_part_and_gives_the_rest_back(
    restaurant: Till, guest: str
) -> None:
    before = restaurant.balances(guest)
    opened = tab(restaurant, guest)
    done = restaurant.commit(
        opened.checkout_id, 10_000, 7_000,
        redeem_points=200, pay_stored_value_minor=11_000, tenders=[
            checkout_pb2.Tender(kind=ALIPAY, amount_minor=5_800)
        ],
    ).response.checkout  # fmt: skip
    receipt = done.receipt
    assert (done.state, done.checkout_id) == (COMMITTED, opened.checkout_id)
    assert (receipt.gross_minor, receipt.points_redeemed, receipt.points_value_minor) == (
        17_000, 200, 200,
    )  # fmt: skip
    assert (receipt.cash_paid_minor, receipt.bonus_paid_minor) == (10_000, 1_000)
    assert receipt.to_pay_minor == 5_800
    assert receipt.points_earned == 158, "of money and principal: 58 and 100 CNY"
    after = restaurant.balances(guest)
    assert receipt.balances == after
    assert (after.points, after.points_held) == (before.points - 200 + 158, 0)
    assert (after.cash_minor, after.cash_held_minor) == (before.cash_minor - 10_000, 0)
    assert (after.bonus_minor, after.bonus_held_minor) == (before.bonus_minor - 1_000, 0)
    assert done.held == opened.held
    assert restaurant.find(opened.request_id) == done


def test_a_commit_may_spend_all_that_is_held_or_nothing_of_it(restaurant: Till, guest: str) -> None:
    everything = tab(restaurant, guest)
    done = restaurant.commit(
        everything.checkout_id, 30_000, redeem_points=500, pay_stored_value_minor=22_000
    ).response.checkout
    assert (done.receipt.cash_paid_minor, done.receipt.bonus_paid_minor) == (20_000, 2_000)
    assert done.receipt.points_redeemed == 500
    before = restaurant.balances(guest)
    nothing = tab(restaurant, guest)
    done = restaurant.commit(nothing.checkout_id, 10_000).response.checkout
    assert (done.receipt.to_pay_minor, done.receipt.points_earned) == (10_000, 100)
    after = restaurant.balances(guest)
    assert (after.cash_minor, after.bonus_minor) == (before.cash_minor, before.bonus_minor)
    assert (after.points_held, after.cash_held_minor, after.bonus_held_minor) == (0, 0, 0)


def test_a_deposit_is_settled_with_the_stay(front_desk: Till, guest: str) -> None:
    opened = front_desk.open(
        guest, hold_stored_value_minor=55_000, open_for=Duration(seconds=86_400)
    ).response.checkout
    assert opened.commit_by.seconds - opened.opened_at.seconds == 86_400
    stay = checkout_pb2.Stay(channel=booking_channel_pb2.BOOKING_CHANNEL_DIRECT, nights=1)
    done = front_desk.commit(
        opened.checkout_id, 88_000, stay=stay, pay_stored_value_minor=55_000
    ).response.checkout
    receipt = done.receipt
    assert (receipt.cash_paid_minor, receipt.bonus_paid_minor) == (50_000, 5_000)
    assert (receipt.to_pay_minor, receipt.points_earned) == (33_000, 830)


def test_a_commit_does_to_the_fen_what_its_quote_said(
    operator: Operator, restaurant: Till, guest: str
) -> None:
    coupon = restaurant.claim(guest, operator.campaign())
    opened = tab(restaurant, guest, lines=[20_000], coupon_ids=[coupon])
    bill: dict[str, Any] = {"redeem_points": 300, "pay_stored_value_minor": 11_000}
    quoted = restaurant.quote_commit(opened.checkout_id, 20_000, 900, **bill)
    assert restaurant.find(opened.request_id) == opened
    assert quoted.to_pay_minor == 20_900 - 5_000 - 300 - 11_000
    bill["tenders"] = [checkout_pb2.Tender(kind=ALIPAY, amount_minor=quoted.to_pay_minor)]
    made = restaurant.commit(opened.checkout_id, 20_000, 900, **bill).response.checkout
    quoted.tenders.extend(bill["tenders"])
    assert made.receipt == quoted
    late = refusal_of(restaurant.quote_commit, opened.checkout_id, 20_000, **bill)
    assert late.reason == "CHECKOUT_COMMITTED"


def test_a_tab_without_anything_to_hold_only_earns(restaurant: Till, guest: str) -> None:
    opened = restaurant.open(guest).response.checkout
    assert opened.held == checkout_pb2.Held()
    done = restaurant.commit(opened.checkout_id, 12_300).response.checkout
    assert (done.state, done.receipt.points_earned) == (COMMITTED, 123)
    cancelled = restaurant.open(guest).response.checkout
    assert restaurant.cancel_open(cancelled.checkout_id).state == CANCELLED


def test_coupons_take_off_what_they_did_when_the_bill_was_opened(
    operator: Operator, restaurant: Till, guest: str
) -> None:
    coupon = restaurant.claim(guest, operator.campaign(amount_minor=5_000))
    opened = restaurant.open(
        guest, lines=[6_000, 4_000], coupon_ids=[coupon], hold_stored_value_minor=11_000
    ).response.checkout
    assert (opened.held.coupons_minor, opened.held.coupons[0].coupon_id) == (5_000, coupon)
    stolen = refusal_of(restaurant.checkout, purchase(guest, 10_000, coupons=[coupon]))
    assert stolen.reason == "COUPON_RESERVED"
    less = refusal_of(restaurant.commit, opened.checkout_id, 6_000, 3_900)
    assert (less.reason, less.metadata["line"]) == ("COUPON_BILL_CHANGED", "2")
    missing = refusal_of(restaurant.commit, opened.checkout_id, 10_000)
    assert (missing.reason, missing.metadata["line"]) == ("COUPON_BILL_CHANGED", "2")
    done = restaurant.commit(
        opened.checkout_id, 6_000, 4_000, 2_000, pay_stored_value_minor=5_500
    ).response.checkout
    receipt = done.receipt
    assert (receipt.gross_minor, receipt.coupons_minor, receipt.to_pay_minor) == (
        12_000, 5_000, 1_500,
    )  # fmt: skip
    wait_until(lambda: operator.books().unfinished == 0, 20, "the coupon is redeemed")
    used = refusal_of(restaurant.checkout, purchase(guest, 10_000, coupons=[coupon]))
    assert used.reason == "COUPON_REDEEMED"
    by_line = restaurant.refund(done.checkout_id, lines=[("1", None)]).response.refund
    assert (by_line.amount_minor, by_line.coupons_minor) == (3_000, 3_000)
    rest = restaurant.refund(done.checkout_id).response.refund
    assert (rest.amount_minor, rest.whole) == (4_000, True)
    assert list(rest.restored_coupon_ids) == [coupon]


def test_cancelling_gives_everything_back(operator: Operator, restaurant: Till, guest: str) -> None:
    coupon = restaurant.claim(guest, operator.campaign())
    before = restaurant.balances(guest)
    for by_id in (True, False):
        opened = tab(restaurant, guest, lines=[20_000], coupon_ids=[coupon])
        ended = (
            restaurant.cancel_open(opened.checkout_id)
            if by_id
            else restaurant.cancel(opened.request_id)
        )
        assert (ended.state, ended.cancel_reason) == (CANCELLED, "CHECKOUT_CANCELLED")
        assert restaurant.balances(guest) == before, "free before the till has its answer"
        assert restaurant.cancel_open(opened.checkout_id) == ended
        late = refusal_of(restaurant.commit, opened.checkout_id, 20_000)
        assert late.reason == "CHECKOUT_CANCELLED"
        again = refusal_of(restaurant.open, guest, opened.request_id,
                           lines=[20_000], coupon_ids=[coupon],
                           hold_points=500, hold_stored_value_minor=22_000)  # fmt: skip
        assert (again.reason, again.replayed) == ("CHECKOUT_CANCELLED", True)
    restaurant.checkout(purchase(guest, 20_000, coupons=[coupon]))


def test_what_is_committed_is_neither_cancelled_nor_committed_again(
    restaurant: Till, guest: str
) -> None:
    opened = tab(restaurant, guest)
    first = new_request_id()
    done = restaurant.commit(
        opened.checkout_id, 10_000, request_id=first, pay_stored_value_minor=10_000
    )
    again = restaurant.commit(
        opened.checkout_id, 10_000, request_id=first, pay_stored_value_minor=10_000
    )
    assert (done.replayed, again.replayed) == (False, True)
    assert again.response == done.response
    other = refusal_of(restaurant.commit, opened.checkout_id, 12_000, request_id=first)
    assert (other.reason, other.metadata["field"]) == ("REQUEST_ID_REUSED", "lines")
    anew = refusal_of(restaurant.commit, opened.checkout_id, 10_000)
    assert (anew.reason, anew.metadata["checkout_id"]) == (
        "CHECKOUT_COMMITTED", opened.checkout_id,
    )  # fmt: skip
    for cancel in (restaurant.cancel_open, restaurant.cancel):
        key = opened.checkout_id if cancel == restaurant.cancel_open else opened.request_id
        assert refusal_of(cancel, key).reason == "CHECKOUT_COMMITTED"
    replay = restaurant.open(
        guest, opened.request_id, hold_points=500, hold_stored_value_minor=22_000
    )
    assert (replay.replayed, replay.response.checkout) == (True, done.response.checkout)


def test_opening_again_answers_the_same(restaurant: Till, guest: str) -> None:
    request_id = new_request_id()
    fields = {"hold_stored_value_minor": 11_000}
    first = restaurant.open(guest, request_id, **fields)
    again = restaurant.open(guest, request_id, **fields)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.response == first.response
    other = refusal_of(restaurant.open, guest, request_id, hold_stored_value_minor=12_000)
    assert (other.reason, other.metadata["field"]) == (
        "REQUEST_ID_REUSED", "hold_stored_value_minor",
    )  # fmt: skip
    one_call = refusal_of(restaurant.checkout, purchase(guest, 1_000), request_id)
    assert one_call.reason == "REQUEST_ID_REUSED"
    restaurant.cancel(request_id)


def test_books_tell_what_is_open_from_what_is_unfinished(
    operator: Operator, restaurant: Till, guest: str
) -> None:
    coupon = restaurant.claim(guest, operator.campaign())
    before = operator.books()
    opened = tab(restaurant, guest, lines=[20_000], coupon_ids=[coupon])
    books = operator.books()
    assert books.unfinished == before.unfinished
    assert (books.open, books.coupons_held) == (before.open + 1, before.coupons_held + 1)
    assert books.points_held == before.points_held + 500
    assert books.stored_value_held_minor == before.stored_value_held_minor + 22_000
    restaurant.commit(opened.checkout_id, 20_000, pay_stored_value_minor=1_000)
    wait_until(lambda: operator.books().unfinished == 0, 20, "the coupon is redeemed")
    after = operator.books()
    assert (after.open, after.committed) == (before.open, before.committed + 1)
    assert after.stored_value_minor == before.stored_value_minor + 1_000
    assert operator.ledger_books().balanced


def test_the_timeline_shows_what_is_held_until_it_is_spent_or_given_back(
    operator: Operator, restaurant: Till, guest: str
) -> None:
    opened = [restaurant.open(guest, hold_points=100 + n).response.checkout for n in range(3)]
    spa = operator.till(category="SPA")
    whole = activities(spa, guest, 50)
    held = [each for each in whole if each.kind == partner_service_pb2.ACTIVITY_KIND_HELD]
    assert [each.points_held for each in held] == [102, 101, 100]
    assert [each.reference_id for each in held] == [tab.checkout_id for tab in opened[::-1]]
    assert {each.merchant_name for each in held} == {restaurant.merchant.name}
    balances = restaurant.balances(guest)
    assert sum(each.points for each in whole) == balances.points
    assert sum(each.points_held for each in whole) == balances.points_held
    for page_size in (1, 2):
        assert activities(restaurant, guest, page_size) == whole
    first = list_activity(restaurant, guest, 1)
    restaurant.cancel_open(opened[2].checkout_id)
    second = list_activity(restaurant, guest, 1, first.next_page_token)
    assert second.activities[0].reference_id == opened[1].checkout_id, "none is left out"
    restaurant.commit(opened[1].checkout_id, 5_000, redeem_points=101)
    restaurant.cancel_open(opened[0].checkout_id)
    after = activities(restaurant, guest, 50)
    assert [each.kind for each in after if each.points_held] == []
    spent = next(each for each in after if each.reference_id == opened[1].checkout_id)
    assert (spent.kind, spent.points) == (partner_service_pb2.ACTIVITY_KIND_PURCHASE, -101 + 48)
    assert spent.gross_minor == 5_000
