"""Commit, cancellation and deadline of the same tabs meet at two replicas of the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from huitouke.gateway.v1 import checkout_pb2

from chassis.kernel import Refusal
from cli.local.ports import free_ports
from cli.suite import Suite
from cli.suite.processes import SuiteProcess
from tests.integration.gateway.tab_requests import commit_request
from tests.integration.gateway.till import Answer, Operator, Till, purchase
from tests.waiting import wait_until

TABS = 24
HELD_MINOR, SPENT_MINOR = 2_200, 1_100
COMMITTED = checkout_pb2.CHECKOUT_STATE_COMMITTED
CANCELLED = checkout_pb2.CHECKOUT_STATE_CANCELLED


@pytest.fixture
def elsewhere(gateway_suite: Suite, restaurant: Till, tmp_path: Path) -> Iterator[Till]:
    """The same till at a second replica of the gateway."""
    partner, admin, metrics = free_ports(3)
    environment = gateway_suite.configuration.environment("gateway.serve") | {
        "HUITOUKE_GATEWAY_LISTEN": f"127.0.0.1:{partner}",
        "HUITOUKE_GATEWAY_ADMIN_LISTEN": f"127.0.0.1:{admin}",
        "HUITOUKE_GATEWAY_METRICS_LISTEN": f"127.0.0.1:{metrics}",
    }
    process = SuiteProcess("gateway.serve", metrics, tmp_path / "second.log", [partner, admin])
    process.launch(environment)
    try:
        process.wait()
        endpoints = replace(gateway_suite.endpoints, partner=f"127.0.0.1:{partner}")
        yield Till(endpoints, restaurant.key, restaurant.terminal_id, restaurant.merchant)
    finally:
        process.stop()


def outcome(call: Future[Answer]) -> Answer | Refusal:
    error = call.exception(60)
    if error is None:
        return call.result()
    assert isinstance(error, Refusal), error
    return error


def test_exactly_one_of_commit_cancellation_and_deadline_wins(
    operator: Operator, front_desk: Till, restaurant: Till, elsewhere: Till
) -> None:
    guest = front_desk.member_id()
    front_desk.top_up(guest, 100_000)
    before = restaurant.balances(guest)
    # A third of the tabs is past its deadline, or nearly, when the calls come.
    opened = [
        restaurant.open(
            guest,
            hold_stored_value_minor=HELD_MINOR,
            open_for=Duration(seconds=1 if number % 3 == 0 else 600),
        ).response.checkout
        for number in range(TABS)
    ]
    commits = [
        commit_request(tab.checkout_id, f"race/{tab.checkout_id}", 5_000,
                       pay_stored_value_minor=SPENT_MINOR)
        for tab in opened
    ]  # fmt: skip
    with ThreadPoolExecutor(16) as pool:
        calls = []
        for number, (tab, commit) in enumerate(zip(opened, commits, strict=True)):
            here, there = (restaurant, elsewhere) if number % 2 else (elsewhere, restaurant)
            calls.append(
                (
                    pool.submit(here.call, "CommitCheckout", commit),
                    pool.submit(there.cancel_open, tab.checkout_id),
                    pool.submit(there.call, "CommitCheckout", commit),
                )
            )
        told = [tuple(outcome(call) for call in each) for each in calls]
    wait_until(lambda: operator.books().unfinished == 0, 30, "all are carried out")
    wait_until(lambda: operator.books().open == 0, 30, "and nothing is open")
    spent = 0
    for tab, (committed, cancelled, again) in zip(opened, told, strict=True):
        found = restaurant.find(tab.request_id)
        if found.state == COMMITTED:
            spent += SPENT_MINOR
            for answer in (committed, again):
                assert isinstance(answer, Answer), answer
                assert answer.response.checkout == found
            assert isinstance(cancelled, Refusal)
            assert cancelled.reason == "CHECKOUT_COMMITTED"
        else:
            assert found.state == CANCELLED
            assert cancelled == found
            for refused in (committed, again):
                assert isinstance(refused, Refusal)
                assert refused.reason == found.cancel_reason
    after = restaurant.balances(guest)
    paid = before.cash_minor + before.bonus_minor - after.cash_minor - after.bonus_minor
    assert paid == spent
    assert (after.cash_held_minor, after.bonus_held_minor) == (0, 0)
    assert operator.ledger_books().balanced
    assert operator.books().committed == operator.ledger_books().checkouts_posted
    restaurant.checkout(purchase(guest, 1_000))


def test_many_repetitions_of_one_opening_and_one_commit_have_one_effect(
    front_desk: Till, restaurant: Till, elsewhere: Till
) -> None:
    guest = front_desk.member_id()
    front_desk.top_up(guest, 100_000)
    before = restaurant.balances(guest)
    tills = [restaurant, elsewhere] * 16
    with ThreadPoolExecutor(32) as pool:
        opening = [
            pool.submit(till.open, guest, "one-tab", hold_stored_value_minor=HELD_MINOR)
            for till in tills
        ]
        opened = {call.result(60).response.checkout.checkout_id for call in opening}
        assert len(opened) == 1
        commit = commit_request(
            opened.pop(), "one-commit", 5_000, pay_stored_value_minor=SPENT_MINOR
        )
        committing = [pool.submit(till.call, "CommitCheckout", commit) for till in tills]
        answers = [call.result(60) for call in committing]
    first = answers[0].response
    assert all(answer.response == first for answer in answers)
    assert sum(not answer.replayed for answer in answers) == 1
    after = restaurant.balances(guest)
    assert after == first.checkout.receipt.balances
    assert after.cash_minor + after.bonus_minor == (
        before.cash_minor + before.bonus_minor - SPENT_MINOR
    )
