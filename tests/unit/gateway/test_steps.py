"""The state machine of a checkout as a table: what is known → what is done next."""

from __future__ import annotations

import pytest

from gateway.domain.checkouts import Phase, State
from gateway.domain.steps import (
    Hold,
    Posting,
    Progress,
    Reservation,
    Step,
    next_step,
    told_everyone,
)

OPEN, COMMITTED, CANCELLED = State.OPEN, State.COMMITTED, State.CANCELLED
UNKNOWN, NONE, HELD = Reservation.UNKNOWN, Reservation.NONE_WANTED, Reservation.HELD
REDEEMED, RELEASED, AWAY = Reservation.REDEEMED, Reservation.RELEASED, Reservation.AWAY

TABLE = [
    # state, posting, reservation, gives up, step
    (OPEN, Posting.UNKNOWN, NONE, False, Step.POST),
    (OPEN, Posting.UNKNOWN, UNKNOWN, False, Step.RESERVE),
    (OPEN, Posting.UNKNOWN, HELD, False, Step.POST),
    (OPEN, Posting.UNKNOWN, NONE, True, Step.CANCEL_POST),
    (OPEN, Posting.UNKNOWN, UNKNOWN, True, Step.CANCEL_POST),
    (OPEN, Posting.UNKNOWN, HELD, True, Step.CANCEL_POST),
    (OPEN, Posting.DOUBTFUL, HELD, False, Step.CANCEL_POST),
    (OPEN, Posting.DOUBTFUL, NONE, True, Step.CANCEL_POST),
    (OPEN, Posting.DONE, HELD, False, Step.COMMIT),
    (OPEN, Posting.DONE, UNKNOWN, True, Step.COMMIT),
    (OPEN, Posting.MISPRICED, HELD, False, Step.REVERSE),
    (OPEN, Posting.MISPRICED, UNKNOWN, True, Step.REVERSE),
    (OPEN, Posting.NEVER, HELD, False, Step.RELEASE),
    (OPEN, Posting.NEVER, UNKNOWN, True, Step.RELEASE),
    (OPEN, Posting.NEVER, NONE, False, Step.CANCEL),
    (OPEN, Posting.NEVER, RELEASED, True, Step.CANCEL),
    (OPEN, Posting.NEVER, AWAY, False, Step.CANCEL),
    (COMMITTED, Posting.DONE, HELD, False, Step.REDEEM),
    (COMMITTED, Posting.UNKNOWN, UNKNOWN, True, Step.REDEEM),
    (COMMITTED, Posting.DONE, REDEEMED, False, Step.FINISH),
    (COMMITTED, Posting.UNKNOWN, NONE, True, Step.FINISH),
    (CANCELLED, Posting.NEVER, AWAY, False, Step.RELEASE),
    (CANCELLED, Posting.UNKNOWN, UNKNOWN, True, Step.RELEASE),
    (CANCELLED, Posting.NEVER, RELEASED, False, Step.FINISH),
    (CANCELLED, Posting.UNKNOWN, NONE, True, Step.FINISH),
]


@pytest.mark.parametrize(("state", "posting", "reservation", "give_up", "step"), TABLE)
def test_what_is_known_says_what_is_done_next(
    state: State, posting: Posting, reservation: Reservation, give_up: bool, step: Step
) -> None:
    progress = Progress(state, posting, reservation)
    assert next_step(progress, give_up=give_up) is step


OPENED_FIRST = [
    # phase, state, posting, reservation, hold, gives up, step
    (Phase.OPENING, OPEN, Posting.UNKNOWN, UNKNOWN, Hold.UNKNOWN, False, Step.RESERVE),
    (Phase.OPENING, OPEN, Posting.UNKNOWN, HELD, Hold.UNKNOWN, False, Step.AUTHORIZE),
    (Phase.OPENING, OPEN, Posting.UNKNOWN, NONE, Hold.UNKNOWN, False, Step.AUTHORIZE),
    (Phase.OPENING, OPEN, Posting.UNKNOWN, HELD, Hold.HELD, False, Step.OPEN),
    (Phase.OPENING, OPEN, Posting.UNKNOWN, NONE, Hold.NONE_WANTED, False, Step.OPEN),
    (Phase.OPENING, OPEN, Posting.UNKNOWN, HELD, Hold.HELD, True, Step.CANCEL),
    (Phase.OPENING, OPEN, Posting.NEVER, HELD, Hold.UNKNOWN, False, Step.CANCEL),
    (Phase.OPENING, OPEN, Posting.DOUBTFUL, UNKNOWN, Hold.UNKNOWN, False, Step.CANCEL),
    (Phase.WAITING, OPEN, Posting.UNKNOWN, UNKNOWN, Hold.UNKNOWN, False, Step.REST),
    (Phase.WAITING, OPEN, Posting.UNKNOWN, UNKNOWN, Hold.UNKNOWN, True, Step.CANCEL),
    (Phase.COMMITTING, OPEN, Posting.UNKNOWN, UNKNOWN, Hold.UNKNOWN, False, Step.POST),
    (Phase.COMMITTING, OPEN, Posting.UNKNOWN, UNKNOWN, Hold.UNKNOWN, True, Step.POST),
    (Phase.COMMITTING, OPEN, Posting.DOUBTFUL, UNKNOWN, Hold.UNKNOWN, False, Step.CANCEL_POST),
    (Phase.COMMITTING, OPEN, Posting.DONE, UNKNOWN, Hold.UNKNOWN, True, Step.COMMIT),
    (Phase.COMMITTING, OPEN, Posting.MISPRICED, UNKNOWN, Hold.UNKNOWN, False, Step.REVERSE),
    (Phase.COMMITTING, OPEN, Posting.NEVER, UNKNOWN, Hold.UNKNOWN, False, Step.CANCEL),
    (Phase.COMMITTING, COMMITTED, Posting.DONE, UNKNOWN, Hold.UNKNOWN, False, Step.REDEEM),
    (Phase.COMMITTING, COMMITTED, Posting.DONE, NONE, Hold.UNKNOWN, False, Step.FINISH),
    (Phase.OPENING, CANCELLED, Posting.UNKNOWN, UNKNOWN, Hold.UNKNOWN, False, Step.CANCEL_POST),
    (Phase.WAITING, CANCELLED, Posting.UNKNOWN, UNKNOWN, Hold.FENCED, False, Step.RELEASE),
    (Phase.WAITING, CANCELLED, Posting.UNKNOWN, RELEASED, Hold.FENCED, False, Step.FINISH),
    (Phase.WAITING, CANCELLED, Posting.UNKNOWN, NONE, Hold.NONE_WANTED, False, Step.FINISH),
    (Phase.COMMITTING, CANCELLED, Posting.NEVER, NONE, Hold.UNKNOWN, False, Step.CANCEL_POST),
]


@pytest.mark.parametrize(
    ("phase", "state", "posting", "reservation", "hold", "give_up", "step"), OPENED_FIRST
)
def test_what_is_opened_first_waits_and_then_is_carried_out(
    phase: Phase,
    state: State,
    posting: Posting,
    reservation: Reservation,
    hold: Hold,
    give_up: bool,
    step: Step,
) -> None:
    progress = Progress(state, posting, reservation, phase=phase, hold=hold)
    assert next_step(progress, give_up=give_up) is step


@pytest.mark.parametrize("state", [COMMITTED, CANCELLED])
@pytest.mark.parametrize("give_up", [True, False])
def test_what_is_finished_rests(state: State, give_up: bool) -> None:
    assert next_step(Progress(state, finished=True), give_up=give_up) is Step.REST


@pytest.mark.parametrize("decision", [COMMITTED, CANCELLED])
def test_a_decision_finishes_only_what_leaves_nobody_to_be_told(decision: State) -> None:
    told = {each for each in Reservation if told_everyone(Progress(reservation=each), decision)}
    assert told == {NONE, RELEASED, REDEEMED}


def test_a_cancellation_is_told_to_the_ledger_that_holds_value() -> None:
    told = {each for each in Hold if told_everyone(Progress(hold=each), CANCELLED)}
    assert told == {Hold.NONE_WANTED, Hold.FENCED}
    assert all(told_everyone(Progress(hold=each), COMMITTED) for each in Hold)
