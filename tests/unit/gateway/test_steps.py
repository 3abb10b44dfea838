"""The state machine of a checkout as a table: what is known → what is done next."""

from __future__ import annotations

import pytest

from gateway.domain.checkouts import State
from gateway.domain.steps import Posting, Progress, Reservation, Step, next_step, told_everyone

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


@pytest.mark.parametrize("state", [COMMITTED, CANCELLED])
@pytest.mark.parametrize("give_up", [True, False])
def test_what_is_finished_rests(state: State, give_up: bool) -> None:
    assert next_step(Progress(state, finished=True), give_up=give_up) is Step.REST


def test_a_decision_finishes_only_what_leaves_nobody_to_be_told() -> None:
    told = {each for each in Reservation if told_everyone(Progress(reservation=each))}
    assert told == {NONE, RELEASED, REDEEMED}
