"""kill -9 of the gateway and of recovery between any two steps of an open checkout's life.

As in `test_gateway_killed`: one start of the gateway for each place; recovery brings the record to
its end, or to where it waits for its commit, while the gateway is away; then each till repeats.
"""

from __future__ import annotations

import signal

import pytest
from huitouke.gateway.v1 import checkout_pb2

from cli.suite import Suite
from tests.e2e.aftermath import all_agrees, at_rest
from tests.faults.tabs import (
    COMMITTED,
    HELD_POINTS,
    NOWHERE,
    SERVE,
    WAITING,
    WORK,
    Tab,
    Tabs,
    past,
    stands,
)
from tests.integration.gateway.till import Operator, Till
from tests.waiting import wait_until

CANCELLED_OPENING, CANCELLED_WAITING = (3, 1), (3, 2)
LATE_SECONDS = 6.0
SHORT_SECONDS = 2

OPEN_PLACES = ("before_record", "after_record", "after_reserve", "after_authorize", "after_open")
COMMIT_PLACES = (
    "before_commit",
    "after_commit",
    "after_post",
    "after_decision",
    "after_redeem",
    "after_finish",
)
CANCEL_PLACES = ("before_decision", "after_decision", "after_cancel_post", "after_release")
LATE_PLACES = ("after_record", "after_reserve", "after_authorize")
EXPIRY_PLACES = ("after_decision", "after_cancel_post", "after_release")
PLACES = (*OPEN_PLACES, *COMMIT_PLACES, *CANCEL_PLACES, *LATE_PLACES, *EXPIRY_PLACES)


@pytest.fixture(scope="module")
def tabs(suite_to_break: Suite, operator: Operator, front_desk: Till, restaurant: Till) -> Tabs:
    return Tabs(suite_to_break, operator, front_desk, restaurant)


@pytest.fixture(scope="module")
def opened(tabs: Tabs) -> dict[str, Tab]:
    """The gateway dies under OpenCheckout; afterwards the till repeats it, and commits."""
    happened = {place: tabs.wanted() for place in OPEN_PLACES}
    for place, tab in happened.items():
        tabs.die(place, "OpenCheckout", tab.opening)
        at_rest(tabs.suite)
        tab.recovered = stands(tabs.suite, tab)
    tabs.suite.restart(SERVE)
    return happened


@pytest.fixture(scope="module")
def committed(tabs: Tabs) -> dict[str, Tab]:
    """The gateway dies under CommitCheckout; afterwards the till repeats it."""
    happened = {place: tabs.opened() for place in COMMIT_PLACES}
    for place, tab in happened.items():
        tabs.die(place, "CommitCheckout", tab.commit)
        at_rest(tabs.suite)
        tab.recovered = stands(tabs.suite, tab)
    tabs.suite.restart(SERVE)
    return happened


@pytest.fixture(scope="module")
def cancelled(tabs: Tabs) -> dict[str, Tab]:
    """The gateway dies under CancelCheckout; afterwards the till repeats it."""
    happened = {place: tabs.opened() for place in CANCEL_PLACES}
    for place, tab in happened.items():
        tabs.die(place, "CancelCheckout", tab.cancel)
        at_rest(tabs.suite)
        tab.recovered = stands(tabs.suite, tab)
    tabs.suite.restart(SERVE)
    return happened


@pytest.mark.parametrize("place", OPEN_PLACES)
def test_a_tab_under_whose_opening_the_gateway_dies_is_opened_once(
    tabs: Tabs, opened: dict[str, Tab], place: str
) -> None:
    tab = opened[place]
    unseen = place == "before_record"
    assert tab.recovered == (NOWHERE if unseen else WAITING)
    answer = tabs.open(tab)
    assert answer.replayed is not unseen
    held = answer.response.checkout.held
    balances = tabs.patient.balances(tab.member_id)
    assert held.balances == balances
    assert balances.points_held == held.points == HELD_POINTS
    tabs.repeat(tab, "CommitCheckout", tab.commit)
    tab.check_paid()


@pytest.mark.parametrize("place", COMMIT_PLACES)
def test_a_commit_under_which_the_gateway_dies_happens_once(
    tabs: Tabs, committed: dict[str, Tab], place: str
) -> None:
    tab = committed[place]
    untaken = place == "before_commit"
    assert tab.recovered == (WAITING if untaken else COMMITTED)
    tabs.repeat(tab, "CommitCheckout", tab.commit)
    assert tab.answer.replayed is not untaken
    tab.check_paid()
    assert tab.record.receipt.balances == tab.after


@pytest.mark.parametrize("place", CANCEL_PLACES)
def test_a_cancellation_under_which_the_gateway_dies_gives_everything_back(
    tabs: Tabs, cancelled: dict[str, Tab], place: str
) -> None:
    tab = cancelled[place]
    assert tab.recovered == (WAITING if place == "before_decision" else CANCELLED_WAITING)
    tabs.repeat(tab, "CancelCheckout", tab.cancel)
    assert tab.record.state == checkout_pb2.CHECKOUT_STATE_CANCELLED
    tab.check_given_back()
    tabs.repeat(tab, "CommitCheckout", tab.commit)
    assert tab.refusal.reason == "CHECKOUT_CANCELLED"


@pytest.mark.parametrize("place", LATE_PLACES)
def test_a_tab_that_nobody_waits_for_any_more_is_not_opened(tabs: Tabs, place: str) -> None:
    suite, tab = tabs.suite, tabs.wanted()
    suite.stop_process(WORK)
    tabs.die(place, "OpenCheckout", tab.opening, LATE_SECONDS)
    suite.restart(SERVE)
    wait_until(lambda: past(suite, tab, "deadline_at"), LATE_SECONDS + 5, "nobody waits")
    suite.start_process(WORK)
    at_rest(suite)
    assert stands(suite, tab) == CANCELLED_OPENING
    tabs.repeat(tab, "OpenCheckout", tab.opening)
    assert (tab.refusal.reason, tab.refusal.replayed) == ("CHECKOUT_CANCELLED", True)
    tab.check_given_back()


@pytest.mark.parametrize("place", EXPIRY_PLACES)
def test_a_recovery_that_dies_over_a_deadline_is_taken_over(tabs: Tabs, place: str) -> None:
    suite = tabs.suite
    suite.restart(SERVE)
    suite.stop_process(WORK)
    tab = tabs.opened(SHORT_SECONDS)
    wait_until(lambda: past(suite, tab, "commit_by"), SHORT_SECONDS + 5, "the deadline passes")
    suite.launch_process(WORK, f"gateway.checkout.{place}=kill")
    assert suite.processes[WORK].wait_for_end(30) == -signal.SIGKILL
    assert stands(suite, tab) == CANCELLED_WAITING
    suite.start_process(WORK)
    tabs.repeat(tab, "CommitCheckout", tab.commit)
    assert tab.refusal.reason == "CHECKOUT_EXPIRED"
    tab.check_given_back()
    found = tabs.patient.find(tab.opening.request_id)
    assert found.cancel_reason == "CHECKOUT_EXPIRED"


def test_afterwards_everything_agrees(
    suite_to_break: Suite, opened: dict[str, Tab], committed: dict[str, Tab]
) -> None:
    events = all_agrees(suite_to_break).events
    for tab in [*opened.values(), *committed.values()]:
        told = [
            len(events.of(tab.member_id, kind)) for kind in ("CheckoutOpened", "CheckoutCommitted")
        ]
        assert told == [1, 2], "the tab, and the stay before it"
