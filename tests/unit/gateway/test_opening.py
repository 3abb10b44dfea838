"""Open checkouts as values: what a commit adds, what coupons ask of its bill, when it is late."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import pytest
from huitouke.coupon.v1 import coupon_pb2
from huitouke.gateway.v1 import checkout_pb2, events_pb2, partner_service_pb2
from huitouke.member.v1 import member_pb2
from huitouke.points.v1 import hold_pb2, points_service_pb2, purchase_pb2
from huitouke.type.v1 import merchant_category_pb2

from chassis.kernel import Refusal
from gateway.converters.activities import key_of
from gateway.converters.events import encode_event
from gateway.converters.opening import (
    final_lines,
    priced_lines,
    to_commit_plan,
    to_final_bill,
    to_first_record,
    to_wanted,
    write_held,
)
from gateway.converters.purchases import Bill
from gateway.domain.bills import PricedLine, check_priced_lines
from gateway.domain.checkouts import Phase, Record, Till
from gateway.domain.events import CheckoutOpened
from gateway.domain.principals import Principal
from tests.fakes import NOW

SPACE = UUID("00000000-0000-4000-8000-000000000001")
MEMBER, CHECKOUT, HOLD = (uuid5(SPACE, name) for name in ("member", "checkout", "hold"))
DINING = merchant_category_pb2.MERCHANT_CATEGORY_DINING
PRINCIPAL = Principal(
    SPACE, frozenset(), DINING, True, False, Till(SPACE, SPACE, SPACE, "SHA01"), "Asia/Shanghai"
)
ELSEWHERE = replace(PRINCIPAL, till=Till(SPACE, HOLD, HOLD, "HGH01"), time_zone="Asia/Urumqi")


def line(amount: int, line_id: str = "", item_code: str = "") -> checkout_pb2.PurchaseLine:
    return checkout_pb2.PurchaseLine(
        line_id=line_id, item_code=item_code, quantity=1, amount_minor=amount
    )


def opened(*shares: int, hold: bool = True) -> Record:
    """A checkout that waits; a coupon takes `shares` off lines of 100 each."""
    request = partner_service_pb2.OpenCheckoutRequest(
        request_id="r",
        currency="CNY",
        hold_points=50 if hold else 0,
        lines=[line(100, f"l{number}") for number, _ in enumerate(shares)],
    )
    member = member_pb2.Resolution(
        member_id=str(MEMBER), tier="GOLD", tags=["family"], birth_month=3
    )
    discounts = [
        coupon_pb2.Discount(
            coupon_id=str(SPACE), amount_minor=sum(shares), line_amounts_minor=shares
        )
    ]
    bill = Bill(to_wanted(request), member, PRINCIPAL, NOW, discounts if shares else [])
    first = to_first_record(
        request,
        bill,
        checkout_id=CHECKOUT,
        hold_id=HOLD,
        fingerprint=b"",
        opened_at=NOW,
        deadline_at=NOW + timedelta(seconds=30),
        commit_by=NOW + timedelta(minutes=30),
    )
    held = write_held(first, hold_pb2.AuthorizeHoldResponse(points=50) if hold else None)
    return Record(first, phase=Phase.WAITING, held=held)


def commit_of(*lines: checkout_pb2.PurchaseLine) -> partner_service_pb2.CommitCheckoutRequest:
    return partner_service_pb2.CommitCheckoutRequest(request_id="c", lines=lines, redeem_points=20)


def test_a_commit_is_posted_with_member_and_till_as_they_were_when_it_was_opened() -> None:
    record = opened()
    later = NOW + timedelta(minutes=20)
    bill = to_final_bill(record, commit_of(line(70)), ELSEWHERE, later)
    plan = to_commit_plan(bill, record, "c", b"macs")
    post = points_service_pb2.PostRequest.FromString(plan.post)
    assert (post.checkout_id, post.hold_id) == (str(CHECKOUT), str(HOLD))
    purchase = post.purchase
    assert (purchase.member_id, purchase.redeem_points) == (str(MEMBER), 20)
    assert purchase.member == purchase_pb2.MemberFacts(tier="GOLD", tags=["family"], birth_month=3)
    assert (purchase.place.property_code, purchase.place.time_zone) == ("SHA01", "Asia/Shanghai")
    assert [(each.category, each.amount_minor) for each in purchase.lines] == [(DINING, 70)]
    assert purchase.occurred_at.ToDatetime(later.tzinfo) == later
    whole = plan.complete(record.opening)
    assert (whole.plan.post, whole.gross_minor) == (plan.post, 70)
    assert whole.plan.cancel_post == record.opening.plan.cancel_post


def test_nothing_is_authorised_and_no_hold_is_posted_where_nothing_is_held() -> None:
    record = opened(hold=False)
    assert record.opening.plan.authorize == b""
    bill = to_final_bill(record, commit_of(line(70)), PRINCIPAL, NOW)
    plan = to_commit_plan(bill, record, "c", b"macs")
    assert points_service_pb2.PostRequest.FromString(plan.post).hold_id == ""
    assert record.held is not None
    assert checkout_pb2.Held.FromString(record.held.answer) == checkout_pb2.Held()


def test_coupons_take_their_shares_off_the_opened_lines_and_none_off_later_ones() -> None:
    record = opened(30, 20)
    request = commit_of(line(100, "l0"), line(150, "l1"), line(40, "l2"))
    bill = to_final_bill(record, request, PRINCIPAL, NOW)
    post = points_service_pb2.PostRequest.FromString(to_commit_plan(bill, record, "c", b"").post)
    assert [each.amount_minor for each in post.purchase.lines] == [70, 130, 40]
    assert (bill.gross_minor, bill.coupons_minor) == (290, 50)


@pytest.mark.parametrize(
    ("lines", "changed"),
    [
        ([line(100, "l0"), line(100, "l1")], None),
        ([line(900, "l0"), line(100, "l1"), line(1, "l2")], None),
        ([line(100, "l0")], 1),
        ([line(99, "l0"), line(100, "l1")], 0),
        ([line(100, "l1"), line(100, "l0")], 0),
        ([line(100, "l0"), line(100, "l1", "OTHER")], 1),
    ],
)
def test_a_bill_with_coupons_begins_with_what_they_were_priced_on(
    lines: list[checkout_pb2.PurchaseLine], changed: int | None
) -> None:
    priced = priced_lines(opened(30, 20))
    final = final_lines(commit_of(*lines), DINING)
    if changed is None:
        check_priced_lines(priced, final)
        return
    with pytest.raises(Refusal) as refused:
        check_priced_lines(priced, final)
    assert (refused.value.reason, refused.value.metadata["line"]) == (
        "COUPON_BILL_CHANGED", str(changed + 1),
    )  # fmt: skip


def test_another_category_is_another_line() -> None:
    priced = [PricedLine("", "", DINING, 100)]
    spa = merchant_category_pb2.MERCHANT_CATEGORY_SPA
    with pytest.raises(Refusal):
        check_priced_lines(priced, [PricedLine("", "", spa, 100)])


@pytest.mark.parametrize(
    ("phase", "after", "overdue"),
    [
        (Phase.OPENING, timedelta(seconds=29), False),
        (Phase.OPENING, timedelta(seconds=30), True),
        (Phase.WAITING, timedelta(minutes=30, microseconds=-1), False),
        (Phase.WAITING, timedelta(minutes=30), True),
        (Phase.COMMITTING, timedelta(days=365), False),
    ],
)
def test_each_phase_has_its_own_deadline_and_a_commit_that_was_taken_none(
    phase: Phase, after: timedelta, overdue: bool
) -> None:
    assert replace(opened(), phase=phase).overdue(NOW + after) is overdue


def test_holds_are_ordered_by_instant_then_id() -> None:
    def hold(instant: datetime, name: str) -> hold_pb2.Hold:
        made = hold_pb2.Hold(hold_id=name)
        made.authorized_at.FromDatetime(instant)
        return made

    half = timedelta(milliseconds=500)
    holds = [hold(NOW, "a"), hold(NOW, "b"), hold(NOW + half, "a"), hold(NOW + 2 * half, "a")]
    keys = [key_of(each) for each in holds]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_the_world_is_told_what_is_held_and_until_when() -> None:
    record = opened(30, 20)
    assert record.held is not None
    assert record.opening.commit_by is not None
    event = CheckoutOpened(
        MEMBER, 7, CHECKOUT, PRINCIPAL.till, record.held.answer, NOW, record.opening.commit_by
    )
    row = encode_event(event, NOW)
    assert (row.key, row.version) == (MEMBER, 7)
    assert row.type == "huitouke.gateway.v1.CheckoutOpened"
    told = events_pb2.CheckoutOpened.FromString(row.payload)
    assert (told.member_id, told.checkout_id) == (str(MEMBER), str(CHECKOUT))
    assert (told.merchant_id, told.property_code) == (str(SPACE), "SHA01")
    assert (told.held.points, told.held.coupons_minor) == (50, 50)
    assert told.commit_by.ToDatetime(NOW.tzinfo) == NOW + timedelta(minutes=30)
