"""Open checkouts whose services are away, whose calls come late, or whose ends meet."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from google.protobuf.message import Message
from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2

from cli.suite import Suite
from tests.e2e.aftermath import at_rest, recorded_bytes
from tests.faults.tabs import (
    COMMITTED,
    SERVE,
    TILL_SECONDS,
    WAITING,
    WORK,
    Tabs,
    past,
    stands,
)
from tests.faults.test_doubt import _refused, as_gateway
from tests.integration.gateway.till import Operator, Till, refusal_of
from tests.waiting import wait_until

SHORT_SECONDS = 6
AUTHORIZE = "/huitouke.points.v1.PointsService/AuthorizeHold"


@pytest.fixture
def tabs(broken: Suite, operator: Operator, front_desk: Till, restaurant: Till) -> Tabs:
    return Tabs(broken, operator, front_desk, restaurant)


@pytest.mark.parametrize("service", ["points", "coupon"])
def test_a_commit_that_was_taken_happens_however_long_a_service_is_away(
    broken: Suite, tabs: Tabs, service: str
) -> None:
    broken.stop_process(WORK)
    tab = tabs.wanted(SHORT_SECONDS)
    tabs.arm("after_commit")
    tabs.open(tab)
    tabs.die_armed("CommitCheckout", tab.commit)
    broken.restart(SERVE)
    broken.kill(f"{service}.serve")
    wait_until(lambda: past(broken, tab, "commit_by"), SHORT_SECONDS + 5, "the deadline passes")
    broken.start_process(WORK)
    if service == "points":
        waits = refusal_of(tabs.patient.once, "CommitCheckout", tab.commit, 8)
        assert waits.reason == "CHECKOUT_IN_PROGRESS"
        late = refusal_of(tabs.patient.once, "CancelCheckout", tab.cancel, 8)
        assert late.reason == "CHECKOUT_IN_PROGRESS"
    broken.start_process(f"{service}.serve")
    tabs.repeat(tab, "CommitCheckout", tab.commit)
    assert tab.answer.replayed
    tab.check_paid()
    tabs.repeat(tab, "CancelCheckout", tab.cancel)
    assert tab.refusal.reason == "CHECKOUT_COMMITTED"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_tab_under_which_points_dies_is_held_and_booked_once(
    broken: Suite, tabs: Tabs, restaurant: Till, moment: str
) -> None:
    tab = tabs.wanted()

    def under(method: str, request: Message) -> None:
        """Let points die under a call whose till waits long enough for it to come back."""
        broken.restart("points.serve", f"points.executor.{moment}_commit=kill@1")
        tabs.patient.balances(tab.member_id)  # the gateway has found it again
        call = restaurant.start(method, request, TILL_SECONDS)
        assert broken.processes["points.serve"].wait_for_end(20) == -signal.SIGKILL
        broken.restart("points.serve")
        tabs.patient.outcome(method, request)
        call.cancel()

    under("OpenCheckout", tab.opening)
    held = tabs.open(tab).response.checkout.held
    assert held.balances == tabs.patient.balances(tab.member_id)
    under("CommitCheckout", tab.commit)
    tabs.repeat(tab, "CommitCheckout", tab.commit)
    tab.check_paid()


def test_a_cancel_that_overtakes_an_authorisation_leaves_nothing_of_it(
    broken: Suite, tabs: Tabs, restaurant: Till, tmp_path: Path
) -> None:
    tab, gate = tabs.wanted(), tmp_path / "gate"
    request_id = tab.opening.request_id
    broken.stop_process(WORK)
    broken.restart(SERVE, f"gateway.checkout.before_authorize=until:{gate}@1")
    tabs.patient.balances(tab.member_id)
    call = restaurant.start("OpenCheckout", tab.opening)
    wait_until(lambda: stands(broken, tab) == (1, 1), 10, "it is being opened")
    cancel = partner_service_pb2.CancelCheckoutRequest(checkout_request_id=request_id)
    tabs.repeat(tab, "CancelCheckout", cancel)
    assert tab.record.state == checkout_pb2.CHECKOUT_STATE_CANCELLED
    assert not call.done(), "the overtaken step is still on its way"
    gate.touch()
    tab.check_given_back()
    assert _refused(call).reason == "CHECKOUT_CANCELLED"
    late = refusal_of(
        as_gateway, broken, "points", AUTHORIZE, recorded_bytes(broken, request_id, "authorize")
    )
    assert late.reason == "CHECKOUT_CANCELLED"
    assert restaurant.balances(tab.member_id) == tab.before
    broken.armed.discard(SERVE)  # it is held once
    broken.start_process(WORK)


def test_a_tab_outlives_every_process(broken: Suite, tabs: Tabs) -> None:
    tab = tabs.opened()
    for name in (SERVE, WORK, "points.serve", "coupon.serve"):
        broken.kill(name)
        broken.start_process(name)
    at_rest(broken)
    assert stands(broken, tab) == WAITING
    tabs.repeat(tab, "CommitCheckout", tab.commit)
    tab.check_paid()
    assert stands(broken, tab) == COMMITTED
