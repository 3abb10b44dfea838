"""The broker away for half a minute; PostgreSQL lost under load."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from huitouke.gateway.v1 import checkout_pb2

from cli.suite import Suite
from tests.e2e.aftermath import all_agrees
from tests.e2e.guests import Guest, dinner, enrolled, stay, well_off
from tests.e2e.patience import PatientTill, checkout_request
from tests.integration.gateway.till import Answer, Operator, Till, new_request_id, purchase
from tests.waiting import wait_until

BROKER_AWAY_SECONDS = 30
GUESTS = 8
PURCHASES_EACH = 12
REQUESTS_MAX = 5


def test_checkouts_go_on_without_the_broker_and_all_events_come_when_it_is_back(
    broken: Suite, operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    campaign = operator.campaign()
    guests = [well_off(front_desk) for _ in range(4)]
    assert broken.kafka is not None
    broken.kafka.stop()
    gone_at = time.monotonic()
    for guest in guests:
        coupon = restaurant.claim(guest.member_id, campaign)
        restaurant.checkout(dinner(guest.member_id, coupon))
    wait_until(
        lambda: time.monotonic() > gone_at + BROKER_AWAY_SECONDS,
        BROKER_AWAY_SECONDS + 5,
        "the outage has lasted",
    )
    late = enrolled(front_desk)
    for guest in [*guests, late]:
        restaurant.checkout(stay(guest.member_id))
    broken.kafka.start()
    events = all_agrees(broken).events
    assert [len(events.of(g.member_id, "CheckoutCommitted")) for g in guests] == [3] * 4
    assert [len(events.of(g.member_id, "CouponsRedeemed")) for g in guests] == [1] * 4
    assert len(events.of(late.member_id, "MemberEnrolled")) == 1


def test_postgresql_lost_under_load_loses_and_doubles_nothing(
    broken: Suite, operator: Operator, front_desk: Till, restaurant: Till, patient: PatientTill
) -> None:
    guests = [well_off(front_desk) for _ in range(GUESTS)]
    campaign = operator.campaign()
    coupons = [restaurant.claim(guest.member_id, campaign) for guest in guests]
    before = [patient.balances(guest.member_id) for guest in guests]
    assert broken.postgres is not None
    with ThreadPoolExecutor(GUESTS) as pool:
        answered: list[str] = []
        buying = [
            pool.submit(_buy, patient, guest, coupon, answered)
            for guest, coupon in zip(guests, coupons, strict=True)
        ]
        wait_until(lambda: len(answered) >= GUESTS, 60, "the load is on")
        broken.postgres.crash()
        broken.postgres.start()
        receipts = [future.result(timeout=120) for future in buying]
    events = all_agrees(broken).events
    for guest, had, got in zip(guests, before, receipts, strict=True):
        has = patient.balances(guest.member_id)
        assert has.points - had.points == sum(r.points_earned - r.points_redeemed for r in got)
        assert had.cash_minor - has.cash_minor == sum(r.cash_paid_minor for r in got)
        assert had.bonus_minor - has.bonus_minor == sum(r.bonus_paid_minor for r in got)
        assert patient.usable_coupons(guest.member_id) == set()
        committed = events.of(guest.member_id, "CheckoutCommitted")
        assert len(committed) == 1 + PURCHASES_EACH


def _bought(till: PatientTill, bought: checkout_pb2.Purchase) -> checkout_pb2.CheckoutRecord:
    """The checkout of a purchase: a new one, as the refusal asks, where one ran out of time."""
    for _ in range(REQUESTS_MAX):
        answer = till.outcome("Checkout", checkout_request(bought, new_request_id()), 90)
        if isinstance(answer, Answer):
            checkout: checkout_pb2.CheckoutRecord = answer.response.checkout
            return checkout
        assert answer.reason == "CHECKOUT_CANCELLED", answer
    raise AssertionError(f"{REQUESTS_MAX} requests were cancelled")


def _buy(
    till: PatientTill, guest: Guest, coupon: str, answered: list[str]
) -> list[checkout_pb2.Receipt]:
    """Buy one thing after another, the second of them with a coupon; the receipts."""
    receipts = []
    for number in range(PURCHASES_EACH):
        bought = purchase(
            guest.member_id,
            10_000,
            coupons=[coupon] if number == 1 else [],
            points=200 if number % 3 == 0 else 0,
            stored_value_minor=4_000 if number % 2 == 0 else 0,
        )
        checkout = _bought(till, bought)
        assert checkout.state == checkout_pb2.CHECKOUT_STATE_COMMITTED
        receipts.append(checkout.receipt)
        answered.append(checkout.checkout_id)
    return receipts
