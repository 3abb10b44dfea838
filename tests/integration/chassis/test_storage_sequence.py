"""Batches are as good as one after the other: outcomes, balances, journal and order of events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from chassis.identifiers import new_id
from chassis.kernel import Refusal
from chassis.storage.executor import Executed
from tests.integration.chassis.storage_accounts import (
    accounting,
    answer_all,
    answer_in_one_batch,
    balance,
    balance_in,
    prepared_engine,
    started,
    submission,
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = prepared_engine(database_url)
    yield engine
    engine.dispose()


@dataclass(frozen=True)
class Step:
    member: int
    amount: int
    request: int
    pin: str


STEPS = st.lists(
    st.builds(
        Step,
        member=st.integers(0, 2),
        amount=st.integers(-10, 20).filter(bool),
        request=st.integers(0, 12),
        pin=st.sampled_from(["right", "right", "right", "wrong"]),
    ),
    min_size=1,
    max_size=25,
)


@dataclass
class Model:
    """The same rules, one command at a time."""

    balances: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(3), 0))
    remembered: dict[int, tuple[Step, int | str]] = field(default_factory=dict)

    def run(self, step: Step) -> int | str:
        if step.request in self.remembered:
            first, outcome = self.remembered[step.request]
            return outcome if first == step else "REQUEST_ID_REUSED"
        outcome = self._decide(step)
        self.remembered[step.request] = (step, outcome)
        return outcome

    def _decide(self, step: Step) -> int | str:
        if step.pin == "wrong":
            return "WRONG_PIN"
        if self.balances[step.member] + step.amount < 0:
            return "INSUFFICIENT_BALANCE"
        self.balances[step.member] += step.amount
        return self.balances[step.member]


def _plain(outcome: object) -> int | str:
    if isinstance(outcome, Refusal):
        return outcome.reason
    assert isinstance(outcome, Executed)
    return balance_in(outcome)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, batch_limit=st.integers(1, 30))
def test_any_batches_equal_one_command_after_the_other(
    engine: Engine, steps: list[Step], batch_limit: int
) -> None:
    members, salt, model = [new_id() for _ in range(3)], new_id(), Model()
    commands = [
        submission(
            members[step.member], step.amount, request_id=f"{salt}-{step.request}", pin=step.pin
        )
        for step in steps
    ]
    outcomes = answer_in_one_batch(accounting(engine, batch_limit=batch_limit), commands)
    assert [_plain(each) for each in outcomes] == [model.run(step) for step in steps]
    for number, member in enumerate(members):
        assert balance(engine, member) == model.balances[number]
        assert _versions(engine, member) == list(range(1, len(_versions(engine, member)) + 1))


def _versions(engine: Engine, member: UUID) -> list[int]:
    """Return the versions of a member's events in the order the relay will send them."""
    ordered = sa.text("SELECT version FROM outbox WHERE aggregateid = :id ORDER BY seq")
    with engine.connect() as connection:
        return list(connection.execute(ordered, {"id": member}).scalars())


def test_events_of_concurrent_replicas_come_in_order_without_gaps(engine: Engine) -> None:
    members = [new_id() for _ in range(4)]
    commands = [submission(members[index % 4], 1) for index in range(400)]
    with (
        started(accounting(engine, batch_limit=8, writers=2)) as here,
        started(accounting(engine, batch_limit=8, writers=2)) as there,
    ):
        answer_all(_Alternating(here, there), commands)  # type: ignore[arg-type]
    for member in members:
        assert _versions(engine, member) == list(range(1, 101))


class _Alternating:
    """Sends every other command to the other replica, as a load balancer would."""

    def __init__(self, *replicas: object) -> None:
        self._replicas = list(replicas)

    def execute(self, command: object) -> object:
        self._replicas.append(self._replicas.pop(0))
        return self._replicas[0].execute(command)  # type: ignore[attr-defined]
