"""Open checkouts for fault tests: what opens, commits and ends them, and what became of them."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field

import psycopg
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2

from chassis.kernel import Refusal
from cli.suite import Suite
from tests.e2e.aftermath import at_rest
from tests.e2e.guests import well_off
from tests.e2e.patience import PatientTill
from tests.integration.gateway.tab_requests import commit_request, open_request
from tests.integration.gateway.till import Answer, Operator, Till, new_request_id

SERVE, WORK = "gateway.serve", "gateway.work"
TILL_SECONDS = 25.0
HELD_POINTS, HELD_STORED_VALUE = 1_000, 22_000
SPENT_POINTS, SPENT_STORED_VALUE = 400, 11_000
BILL = (33_333, 26_667)

NOWHERE = (0, 0)
WAITING = (1, 2)
COMMITTED = (2, 3)
"""A checkout's state and phase as its row says; (0, 0) where there is none."""


@dataclass(slots=True)
class Tab:
    """One open checkout with a coupon, points and stored value, and what became of it."""

    member_id: str
    coupon_id: str
    before: checkout_pb2.MemberBalances
    opening: partner_service_pb2.OpenCheckoutRequest
    checkout_id: str = ""
    commit_id: str = field(default_factory=new_request_id)
    recovered: tuple[int, int] = NOWHERE
    repeated: Answer | Refusal | None = None
    after: checkout_pb2.MemberBalances | None = None
    coupon_usable: bool = False

    @property
    def commit(self) -> partner_service_pb2.CommitCheckoutRequest:
        """A commit with less than is held."""
        return commit_request(
            self.checkout_id,
            self.commit_id,
            *BILL,
            redeem_points=SPENT_POINTS,
            pay_stored_value_minor=SPENT_STORED_VALUE,
        )

    @property
    def cancel(self) -> partner_service_pb2.CancelCheckoutRequest:
        return partner_service_pb2.CancelCheckoutRequest(checkout_id=self.checkout_id)

    @property
    def answer(self) -> Answer:
        assert isinstance(self.repeated, Answer), self.repeated
        return self.repeated

    @property
    def record(self) -> checkout_pb2.CheckoutRecord:
        found: checkout_pb2.CheckoutRecord = self.answer.response.checkout
        return found

    @property
    def refusal(self) -> Refusal:
        assert isinstance(self.repeated, Refusal), self.repeated
        return self.repeated

    def check_paid(self) -> None:
        """600 CNY less 50 by coupon, 400 points, 110 CNY of stored value; the rest went back."""
        assert self.after is not None
        receipt = self.record.receipt
        assert self.record.state == checkout_pb2.CHECKOUT_STATE_COMMITTED
        assert (receipt.gross_minor, receipt.coupons_minor) == (60_000, 5_000)
        assert receipt.points_redeemed == SPENT_POINTS
        assert (receipt.cash_paid_minor, receipt.bonus_paid_minor) == (10_000, 1_000)
        before, after = self.before, self.after
        assert after.points == before.points - SPENT_POINTS + receipt.points_earned
        assert after.cash_minor == before.cash_minor - 10_000
        assert after.bonus_minor == before.bonus_minor - 1_000
        assert (after.points_held, after.cash_held_minor, after.bonus_held_minor) == (0, 0, 0)
        assert not self.coupon_usable

    def check_given_back(self) -> None:
        """Nothing happened: all that was set aside is free again."""
        assert self.after == self.before
        assert self.coupon_usable


class Tabs:
    """Prepares tabs, lets a process die under a call, and asks again afterwards."""

    def __init__(self, suite: Suite, operator: Operator, front_desk: Till, till: Till) -> None:
        self.suite = suite
        self._front_desk = front_desk
        self._till = till
        self._campaign = operator.campaign()
        self.patient = PatientTill(suite.endpoints, till)

    def wanted(self, open_for_seconds: int = 0) -> Tab:
        """A tab that is to be opened."""
        member_id = well_off(self._front_desk).member_id
        coupon = self._till.claim(member_id, self._campaign)
        request = open_request(
            member_id,
            new_request_id(),
            lines=BILL,
            coupon_ids=[coupon],
            hold_points=HELD_POINTS,
            hold_stored_value_minor=HELD_STORED_VALUE,
        )
        if open_for_seconds:
            request.open_for.CopyFrom(Duration(seconds=open_for_seconds))
        return Tab(member_id, coupon, self._till.balances(member_id), request)

    def opened(self, open_for_seconds: int = 0) -> Tab:
        """A tab that is open."""
        tab = self.wanted(open_for_seconds)
        self.open(tab)
        return tab

    def open(self, tab: Tab) -> Answer:
        """Open it, or ask again; the till insists."""
        answer = self.patient.insist("OpenCheckout", tab.opening)
        tab.checkout_id = answer.response.checkout.checkout_id
        return answer

    def die(self, place: str, method: str, request: Message, seconds: float = TILL_SECONDS) -> None:
        """Start the gateway so that it dies at `place`, and make it die there."""
        self.arm(place)
        self.die_armed(method, request, seconds)

    def arm(self, place: str) -> None:
        """Start the gateway so that it dies at `place`."""
        self.suite.restart(SERVE, f"gateway.checkout.{place}=kill")

    def die_armed(self, method: str, request: Message, seconds: float = TILL_SECONDS) -> None:
        """Make it die where it is armed to."""
        call = self._till.start(method, request, seconds)
        code = self.suite.processes[SERVE].wait_for_end(TILL_SECONDS)
        assert code == -signal.SIGKILL
        call.cancel()

    def repeat(self, tab: Tab, method: str, request: Message) -> None:
        """What the till asks again, and how the guest stands when nothing is under way."""
        tab.repeated = self.patient.outcome(method, request)
        at_rest(self.suite)
        tab.after = self.patient.balances(tab.member_id)
        tab.coupon_usable = tab.coupon_id in self.patient.usable_coupons(tab.member_id)


def stands(suite: Suite, tab: Tab) -> tuple[int, int]:
    """State and phase of a tab as its row says, (0, 0) where there is none."""
    with psycopg.connect(suite.database_url("gateway"), connect_timeout=5) as connection:
        row = connection.execute(
            "SELECT state, phase FROM checkouts WHERE request_id = %s", (tab.opening.request_id,)
        ).fetchone()
    return (int(row[0]), int(row[1])) if row is not None else NOWHERE


def past(suite: Suite, tab: Tab, column: str) -> bool:
    """Whether a deadline of a tab has passed, by the database's clock."""
    with psycopg.connect(suite.database_url("gateway"), connect_timeout=5) as connection:
        row = connection.execute(
            f"SELECT {column} < clock_timestamp() FROM checkouts WHERE request_id = %s",
            (tab.opening.request_id,),
        ).fetchone()
    return row == (True,)
