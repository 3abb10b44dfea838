"""kill -9 of the gateway between any two steps of a checkout and of a refund.

One start of the gateway for each place: it dies there; recovery, a process of its own, brings the
record to its end while the gateway is away; at the end the gateway comes back and each till
repeats what it was never answered.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import pytest
from google.protobuf.message import Message
from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2

from chassis.kernel import Refusal
from cli.suite import Suite
from tests.e2e.aftermath import all_agrees, at_rest, checkout_state
from tests.e2e.guests import Guest, dinner, well_off
from tests.e2e.patience import PatientTill, checkout_request
from tests.integration.gateway.till import Answer, Operator, Till, new_request_id, purchase
from tests.waiting import wait_until

SERVE, WORK = "gateway.serve", "gateway.work"
COMMITTED, CANCELLED = 2, 3
TILL_SECONDS = 25.0
LATE_SECONDS = 8.0

CHECKOUT_PLACES = (
    "before_record",
    "after_record",
    "after_reserve",
    "after_post",
    "after_decision",
    "after_redeem",
    "after_finish",
)
"""Nothing happens between after one step and before the next, so these are all gaps there are."""

REFUSED_PLACES = ("after_post", "after_release", "after_decision")
LATE_PLACES = ("after_record", "after_reserve", "after_post", "after_decision")
REFUND_PLACES = (
    "before_record",
    "after_record",
    "after_reverse",
    "after_rollback",
    "after_decision",
)
PART_PLACES = ("after_record", "after_reverse", "after_decision")
"""Of a refund by amount: the coupon waits, so there is no rollback to die at."""
PART_MINOR = 10_001


@dataclass(slots=True)
class Crash:
    """One request that the gateway died under, and what became of it."""

    guest: Guest
    method: str
    request: Message
    before: checkout_pb2.MemberBalances
    coupon_id: str = ""
    recovered_state: int = 0
    repeated: Answer | Refusal | None = None
    after: checkout_pb2.MemberBalances | None = None
    coupon_usable: bool = False

    @property
    def refusal(self) -> Refusal:
        assert isinstance(self.repeated, Refusal)
        return self.repeated

    @property
    def answer(self) -> Answer:
        assert isinstance(self.repeated, Answer), self.repeated
        return self.repeated


class Crashes:
    """Prepares requests, lets the gateway die under each, and asks again afterwards."""

    def __init__(self, suite: Suite, operator: Operator, front_desk: Till, till: Till) -> None:
        self._suite = suite
        self._front_desk = front_desk
        self._till = till
        self._campaign = operator.campaign()
        self._patient = PatientTill(suite.endpoints, till)

    def dinner(self) -> Crash:
        """A checkout with coupon, points and stored value, to be asked for."""
        guest, coupon = self._guest()
        request = checkout_request(dinner(guest.member_id, coupon), new_request_id())
        return Crash(guest, "Checkout", request, self._till.balances(guest.member_id), coupon)

    def beyond_means(self) -> Crash:
        """A checkout that the ledger refuses after the coupon was reserved."""
        guest, coupon = self._guest()
        bought = purchase(guest.member_id, 900_000, coupons=[coupon], stored_value_minor=800_000)
        request = checkout_request(bought, new_request_id())
        return Crash(guest, "Checkout", request, self._till.balances(guest.member_id), coupon)

    def refund(self) -> Crash:
        """A refund of what is left of a dinner; `before` is what was there before the dinner."""
        crash = self.part()
        assert isinstance(crash.request, partner_service_pb2.RefundCheckoutRequest)
        self._till.refund(crash.request.checkout_id, amount_minor=PART_MINOR)
        crash.request = partner_service_pb2.RefundCheckoutRequest(
            request_id=new_request_id(), checkout_id=crash.request.checkout_id
        )
        return crash

    def part(self) -> Crash:
        """A refund of a part of a dinner; `before` is what was there before the dinner."""
        crash = self.dinner()
        assert isinstance(crash.request, partner_service_pb2.CheckoutRequest)
        made = self._till.checkout(crash.request.purchase).response.checkout
        crash.method = "RefundCheckout"
        crash.request = partner_service_pb2.RefundCheckoutRequest(
            request_id=new_request_id(), checkout_id=made.checkout_id, amount_minor=PART_MINOR
        )
        return crash

    def happen(self, place: str, crash: Crash, till_seconds: float = TILL_SECONDS) -> None:
        """Start the gateway so that it dies at `place`, and make it die there."""
        flow = "refund" if crash.method == "RefundCheckout" else "checkout"
        self._suite.restart(SERVE, f"gateway.{flow}.{place}=kill")
        call = self._till.start(crash.method, crash.request, till_seconds)
        code = self._suite.processes[SERVE].wait_for_end(till_seconds)
        assert code == -signal.SIGKILL
        call.cancel()

    def repeat(self, crash: Crash) -> None:
        """What the till asks again, and how the guest stands afterwards."""
        crash.repeated = self._patient.outcome(crash.method, crash.request)
        at_rest(self._suite)
        crash.after = self._patient.balances(crash.guest.member_id)
        usable = self._patient.usable_coupons(crash.guest.member_id)
        crash.coupon_usable = crash.coupon_id in usable

    def _guest(self) -> tuple[Guest, str]:
        guest = well_off(self._front_desk)
        return guest, self._till.claim(guest.member_id, self._campaign)


@pytest.fixture(scope="module")
def crashes(
    suite_to_break: Suite, operator: Operator, front_desk: Till, restaurant: Till
) -> Crashes:
    return Crashes(suite_to_break, operator, front_desk, restaurant)


@pytest.fixture(scope="module")
def prompt(suite_to_break: Suite, crashes: Crashes) -> dict[str, Crash]:
    """Recovery runs all the while, and the tills' deadlines are far away."""
    happened = {f"dinner {place}": crashes.dinner() for place in CHECKOUT_PLACES}
    happened |= {f"refused {place}": crashes.beyond_means() for place in REFUSED_PLACES}
    happened |= {f"refund {place}": crashes.refund() for place in REFUND_PLACES}
    happened |= {f"part {place}": crashes.part() for place in PART_PLACES}
    for name, crash in happened.items():
        crashes.happen(name.partition(" ")[2], crash)
        at_rest(suite_to_break)
        if crash.method == "Checkout":
            crash.recovered_state = checkout_state(suite_to_break, crash.request.request_id)  # type: ignore[attr-defined]
    _come_back(suite_to_break, crashes, happened)
    return happened


@pytest.fixture(scope="module")
def late(suite_to_break: Suite, crashes: Crashes) -> dict[str, Crash]:
    """Recovery is away too, and comes back when the tills have long stopped waiting."""
    happened = {place: crashes.dinner() for place in LATE_PLACES}
    suite_to_break.stop_process(WORK)
    for place, crash in happened.items():
        crashes.happen(place, crash, LATE_SECONDS)
    wait_until(lambda: _deadlines_passed(suite_to_break), 10, "nobody waits any more")
    suite_to_break.start_process(WORK)
    at_rest(suite_to_break)
    for crash in happened.values():
        crash.recovered_state = checkout_state(suite_to_break, crash.request.request_id)  # type: ignore[attr-defined]
    _come_back(suite_to_break, crashes, happened)
    return happened


def _come_back(suite: Suite, crashes: Crashes, happened: dict[str, Crash]) -> None:
    suite.restart(SERVE)
    for crash in happened.values():
        crashes.repeat(crash)


def _deadlines_passed(suite: Suite) -> bool:
    with psycopg.connect(suite.database_url("gateway")) as connection:
        row = connection.execute(
            "SELECT max(deadline_at) FROM checkouts WHERE state = 1"
        ).fetchone()
    assert row is not None
    return bool(row[0] < datetime.now(UTC))


@pytest.mark.parametrize("place", CHECKOUT_PLACES)
def test_a_checkout_under_which_the_gateway_dies_happens_once(
    prompt: dict[str, Crash], place: str
) -> None:
    crash = prompt[f"dinner {place}"]
    record = crash.answer.response.checkout
    unseen = place == "before_record"
    assert crash.recovered_state == (0 if unseen else COMMITTED)
    assert crash.answer.replayed is not unseen
    assert record.state == checkout_pb2.CHECKOUT_STATE_COMMITTED
    assert record.receipt.balances == crash.after
    _paid_for_dinner(crash)


@pytest.mark.parametrize("place", REFUSED_PLACES)
def test_a_refused_checkout_under_which_the_gateway_dies_leaves_nothing(
    prompt: dict[str, Crash], place: str
) -> None:
    crash = prompt[f"refused {place}"]
    assert crash.recovered_state == CANCELLED
    assert (crash.refusal.reason, crash.refusal.replayed) == ("INSUFFICIENT_STORED_VALUE", True)
    assert crash.after == crash.before
    assert crash.coupon_usable


@pytest.mark.parametrize("place", LATE_PLACES)
def test_recovery_after_the_deadline_goes_forward_only_from_what_was_posted(
    late: dict[str, Crash], place: str
) -> None:
    crash = late[place]
    posted = place in {"after_post", "after_decision"}
    assert crash.recovered_state == (COMMITTED if posted else CANCELLED)
    if posted:
        assert crash.answer.replayed
        _paid_for_dinner(crash)
    else:
        assert (crash.refusal.reason, crash.refusal.replayed) == ("CHECKOUT_CANCELLED", True)
        assert crash.after == crash.before
        assert crash.coupon_usable


@pytest.mark.parametrize("place", REFUND_PLACES)
def test_a_refund_under_which_the_gateway_dies_restores_everything_once(
    prompt: dict[str, Crash], place: str
) -> None:
    crash = prompt[f"refund {place}"]
    assert crash.answer.replayed is (place != "before_record")
    assert list(crash.answer.response.refund.restored_coupon_ids) == [crash.coupon_id]
    assert crash.after == crash.before
    assert crash.coupon_usable


@pytest.mark.parametrize("place", PART_PLACES)
def test_a_partial_refund_under_which_the_gateway_dies_happens_once(
    prompt: dict[str, Crash], place: str
) -> None:
    crash = prompt[f"part {place}"]
    refund = crash.answer.response.refund
    assert crash.answer.replayed
    assert (refund.amount_minor, refund.left_minor) == (PART_MINOR, 55_000 - PART_MINOR)
    assert (refund.whole, list(refund.restored_coupon_ids)) == (False, [])
    assert crash.after == refund.balances
    assert not crash.coupon_usable


def test_afterwards_everything_agrees(
    suite_to_break: Suite, prompt: dict[str, Crash], late: dict[str, Crash]
) -> None:
    events = all_agrees(suite_to_break).events
    for crash in [*prompt.values(), *late.values()]:
        committed = events.of(crash.guest.member_id, "CheckoutCommitted")
        cancelled = events.of(crash.guest.member_id, "CheckoutCancelled")
        assert len(committed) + len(cancelled) == 2, "the stay and the dinner, once each"


def _paid_for_dinner(crash: Crash) -> None:
    """600 CNY less 50 by coupon, 1,000 points, 200 CNY of stored value."""
    assert crash.after is not None
    receipt = crash.answer.response.checkout.receipt
    assert (receipt.coupons_minor, receipt.points_redeemed) == (5_000, 1_000)
    assert receipt.cash_paid_minor + receipt.bonus_paid_minor == 20_000
    assert crash.after.points == crash.before.points - 1_000 + receipt.points_earned
    spent = crash.before.cash_minor + crash.before.bonus_minor - 20_000
    assert crash.after.cash_minor + crash.after.bonus_minor == spent
    assert not crash.coupon_usable
