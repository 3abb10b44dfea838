"""The life of a message: its steps, its retries, and what is done in doubt."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.messages import (
    ENDS,
    TRANSITIONS,
    Purpose,
    RetryPolicy,
    State,
    may_become,
    resend_when_in_doubt,
)

POLICY = RetryPolicy(first_seconds=2, longest_seconds=600, keep_trying=timedelta(hours=24))


def test_every_state_says_what_may_follow() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {State.DELIVERED, State.FAILED, State.SUPPRESSED} == ENDS


@pytest.mark.parametrize("end", sorted(ENDS))
def test_an_ended_message_stays_ended(end: State) -> None:
    assert not any(may_become(end, state) for state in State)


def test_a_message_that_a_provider_took_is_never_queued_again() -> None:
    assert TRANSITIONS[State.SENT] == {State.DELIVERED, State.FAILED}


def test_the_waits_double_and_stop_growing() -> None:
    waits = [POLICY.next_delay(attempts, timedelta()) for attempts in range(1, 12)]
    seconds = [wait.total_seconds() for wait in waits if wait is not None]
    assert seconds == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]


@given(st.integers(1, 10**9), st.timedeltas(timedelta(), timedelta(days=30)))
def test_no_retry_comes_after_a_message_is_too_old(attempts: int, age: timedelta) -> None:
    delay = POLICY.next_delay(attempts, age)
    assert delay is None or age + delay <= POLICY.keep_trying


def test_in_doubt_a_service_message_is_sent_again_and_marketing_never() -> None:
    assert resend_when_in_doubt(Purpose.SERVICE)
    assert not resend_when_in_doubt(Purpose.MARKETING)
