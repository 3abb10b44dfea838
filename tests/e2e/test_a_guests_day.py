"""A guest's day from the till to the telephone: figures, timeline, events, messages."""

from __future__ import annotations

from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2
from huitouke.gateway.v1 import events_pb2 as gateway_events
from huitouke.points.v1 import events_pb2 as points_events

from chassis.messaging.cloudevents import Received
from cli.demo.evidence import wait_for_messages
from cli.suite import Suite
from tests.e2e.guests import TOP_UP_MINOR, dinner, enrolled, stay, well_off
from tests.e2e.subscriber import Applied, applied, read_all
from tests.e2e.telling import is_first_part
from tests.integration.gateway.till import Operator, Till, new_request_id
from tests.waiting import wait_until

EVENTS_SECONDS = 60.0


def _by(**identifier: str) -> checkout_pb2.MemberIdentifier:
    return checkout_pb2.MemberIdentifier(**identifier)


def _spaced(card_number: str) -> str:
    return " ".join(card_number[at : at + 4] for at in range(0, 16, 4))


def _activities(till: Till, member_id: str, page_size: int) -> list[partner_service_pb2.Activity]:
    """The whole timeline, page by page."""
    found: list[partner_service_pb2.Activity] = []
    request = partner_service_pb2.ListActivityRequest(
        member=_by(member_id=member_id), page_size=page_size
    )
    while True:
        answer = till.call("ListActivity", request).response
        assert len(answer.activities) <= page_size
        found += answer.activities
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def test_one_guest_is_found_by_id_card_and_mobile_at_every_merchant(
    front_desk: Till, restaurant: Till
) -> None:
    guest = enrolled(front_desk)
    for identifier in (
        _by(member_id=guest.member_id),
        _by(card_number=guest.card_number),
        _by(card_number=_spaced(guest.card_number)),
        _by(mobile=guest.mobile),
    ):
        request = partner_service_pb2.FindMemberRequest(member=identifier)
        profile = restaurant.call("FindMember", request).response.member
        assert profile.member_id == guest.member_id
        shown = str(profile)
        assert guest.mobile[3:] not in shown
        assert guest.card_number not in shown


def test_a_checkout_does_to_the_fen_what_its_quote_said(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    guest = well_off(front_desk)
    coupon = restaurant.claim(guest.member_id, operator.campaign())
    bought = dinner(guest.member_id, coupon)
    quoted = restaurant.call(
        "QuoteCheckout", partner_service_pb2.QuoteCheckoutRequest(purchase=bought)
    ).response.receipt
    made = restaurant.checkout(bought).response.checkout
    assert made.receipt == quoted
    assert made.receipt.balances == restaurant.balances(guest.member_id)


def test_a_refund_leaves_the_guest_as_before_the_purchase(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    guest = well_off(front_desk)
    coupon = restaurant.claim(guest.member_id, operator.campaign())
    before = restaurant.balances(guest.member_id)
    made = restaurant.checkout(dinner(guest.member_id, coupon)).response.checkout
    refund = restaurant.refund(made.checkout_id).response.refund
    assert refund.money_minor == made.receipt.to_pay_minor
    assert list(refund.restored_coupon_ids) == [coupon]
    assert refund.balances == before == restaurant.balances(guest.member_id)
    restaurant.checkout(dinner(guest.member_id, coupon))


def test_the_timeline_is_the_same_however_it_is_paged(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    guest = well_off(front_desk)
    coupon = restaurant.claim(guest.member_id, operator.campaign())
    made = restaurant.checkout(dinner(guest.member_id, coupon)).response.checkout
    restaurant.refund(made.checkout_id)
    for _ in range(4):
        front_desk.checkout(stay(guest.member_id, 10_000))
    whole = _activities(front_desk, guest.member_id, 200)
    assert len(whole) == 9
    for page_size in (1, 2, 5):
        assert _activities(restaurant, guest.member_id, page_size) == whole
    instants = [activity.occurred_at.ToDatetime() for activity in whole]
    assert instants == sorted(instants, reverse=True)
    balances = restaurant.balances(guest.member_id)
    assert sum(activity.points for activity in whole) == balances.points
    assert sum(activity.cash_minor for activity in whole) == balances.cash_minor
    assert sum(activity.bonus_minor for activity in whole) == balances.bonus_minor


def test_another_merchant_sees_the_guest_but_not_the_checkout(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    guest = well_off(front_desk)
    request_id = new_request_id()
    made = restaurant.checkout(dinner(guest.member_id), request_id).response.checkout
    spa = operator.till(category="SPA")
    assert spa.balances(guest.member_id) == made.receipt.balances
    for request in (
        partner_service_pb2.GetCheckoutRequest(checkout_id=made.checkout_id),
        partner_service_pb2.GetCheckoutRequest(checkout_request_id=request_id),
    ):
        code = spa.start("GetCheckout", request).exception().details()
        assert code == "no such checkout of this merchant"
    refused = spa.start(
        "RefundCheckout",
        partner_service_pb2.RefundCheckoutRequest(
            request_id=new_request_id(), checkout_id=made.checkout_id
        ),
    ).exception()
    assert refused.details() == "no such checkout of this merchant"


def test_every_fact_reaches_a_subscriber_once_in_order_without_gaps(
    suite: Suite, operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    guest = well_off(front_desk)
    coupon = restaurant.claim(guest.member_id, operator.campaign())
    made = restaurant.checkout(dinner(guest.member_id, coupon)).response.checkout
    refund = restaurant.refund(made.checkout_id).response.refund

    def arrived() -> Applied | None:
        events = applied(read_all(suite.endpoints, suite.services))
        # Two services tell of it, each in its own time: neither waits for the other's relay.
        told = ("CheckoutRefunded", "CheckoutReversed")
        return events if all(events.of(guest.member_id, name) for name in told) else None

    events = wait_until(arrived, EVENTS_SECONDS, "both services have published the refund")
    assert events is not None
    assert events.jumps == []
    assert [
        event.type.rpartition(".")[2] for event in _from(events, "points", guest.member_id)
    ] == [
        "StoredValueToppedUp",
        "CheckoutPosted",
        "CheckoutPosted",
        "CheckoutReversed",
    ]
    gateway = _from(events, "gateway", guest.member_id)
    assert [event.version for event in gateway] == [1, 2, 3]
    committed = gateway_events.CheckoutCommitted.FromString(gateway[1].payload)
    assert committed.checkout_id == made.checkout_id
    assert committed.receipt == made.receipt
    refunded = gateway_events.CheckoutRefunded.FromString(gateway[2].payload)
    assert refunded.refund.refund_id == refund.refund_id
    topped_up = events.of(guest.member_id, "StoredValueToppedUp")[0]
    fact = points_events.StoredValueToppedUp.FromString(topped_up.payload)
    assert fact.cash_added_minor == TOP_UP_MINOR
    assert guest.mobile.encode() not in b"".join(event.payload for event in events.events)


def _from(events: Applied, service: str, member_id: str) -> list[Received]:
    return [
        event for event in events.of(member_id) if event.type.startswith(f"huitouke.{service}.")
    ]


def test_each_fact_reaches_the_guests_telephone_once_and_the_welcome_the_mailbox(
    suite: Suite, operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    address = f"guest-{new_request_id()[5:13]}@example.com"
    guest = well_off(front_desk, email=address)
    coupon = restaurant.claim(guest.member_id, operator.campaign())
    made = restaurant.checkout(dinner(guest.member_id, coupon)).response.checkout
    restaurant.refund(made.checkout_id)
    told = ("welcome", "top-up", "coupon", "dinner", "refund")

    def first_parts() -> list[dict[str, object]]:
        parts = wait_for_messages(suite.endpoints.sms_spool, guest.mobile, len(told))
        return [part for part in parts if is_first_part(part)]

    wait_until(lambda: len(first_parts()) >= len(told), EVENTS_SECONDS, "the SMS have come")
    assert len(first_parts()) == len(told)
    (mail,) = wait_for_messages(suite.endpoints.mail_spool, address, 1)
    assert mail["tls"] is True
