"""Which failures pass by themselves, how long a batch waits for it, and what the queue keeps."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
import sqlalchemy.exc
from psycopg import errors

from chassis.failpoints import FailpointError
from chassis.storage.contracts import Gathering, Submission
from chassis.storage.failures import BlamedError, RetryPolicy, passes_by_itself, root_cause
from chassis.storage.queueing import CommandQueue, ThreadCaller, Waiting
from chassis.storage.requests import Fingerprint


def _wrapped(error: Exception) -> Exception:
    return sqlalchemy.exc.OperationalError("SELECT", {}, error)


@pytest.mark.parametrize(
    "error",
    [
        errors.DeadlockDetected(),
        errors.SerializationFailure(),
        errors.AdminShutdown(),
        errors.CannotConnectNow(),
        errors.LockNotAvailable(),
        errors.ReadOnlySqlTransaction(),
        psycopg.OperationalError("the connection is lost"),
        _wrapped(errors.AdminShutdown()),
        sqlalchemy.exc.TimeoutError(),
        FailpointError("x"),
        BlamedError(3, errors.DeadlockDetected()),
    ],
)
def test_what_time_heals_runs_again(error: Exception) -> None:
    assert passes_by_itself(error)


@pytest.mark.parametrize(
    "error",
    [
        errors.CheckViolation(),
        errors.UniqueViolation(),
        errors.NumericValueOutOfRange(),
        errors.UndefinedColumn(),
        errors.ProgramLimitExceeded(),
        ZeroDivisionError(),
        BlamedError(3, KeyError("x")),
    ],
)
def test_what_the_command_itself_breaks_does_not(error: Exception) -> None:
    assert not passes_by_itself(error)


def test_the_root_cause_is_the_driver_s_or_the_command_s_own_error() -> None:
    own = errors.CheckViolation()
    assert root_cause(BlamedError(1, _wrapped(own))) is own
    assert root_cause(own) is own


def test_pauses_double_up_to_a_limit_and_outlast_a_restart() -> None:
    policy = RetryPolicy()
    pauses = [policy.pause_seconds(failures) for failures in range(1, policy.attempts_max)]
    for failures, pause in enumerate(pauses, 1):
        longest = min(policy.pause_seconds_max, policy.first_pause_seconds * 2 ** (failures - 1))
        assert longest / 2 <= pause <= longest
    assert 2 <= sum(pauses) <= 6


def _waiting(number: int) -> Waiting[int, int]:
    return Waiting(Submission(number, "c", str(number), Fingerprint("m")), ThreadCaller())


def _taken(queue: CommandQueue[int, int]) -> tuple[list[int], bool]:
    batch, ended = queue.take()
    return [each.submission.command for each in batch], ended


def test_a_queue_gives_all_that_waits_up_to_a_batch() -> None:
    queue: CommandQueue[int, int] = CommandQueue(limit=10, batch_limit=3)
    assert queue.put([_waiting(number) for number in range(5)]) == 5
    assert _taken(queue) == ([0, 1, 2], False)
    assert _taken(queue) == ([3, 4], False)


def test_a_queue_takes_no_more_than_its_limit_and_nothing_once_closed() -> None:
    queue: CommandQueue[int, int] = CommandQueue(limit=2, batch_limit=3)
    assert queue.put([_waiting(number) for number in range(5)]) == 2
    queue.close()
    queue.close()
    assert queue.put([_waiting(9)]) == 0
    assert _taken(queue) == ([0, 1], True)
    assert _taken(queue) == ([], True)


def _taking(queue: CommandQueue[int, int], taken: list[list[int]], **patience: Any) -> Thread:
    def take() -> None:
        batch, _ = queue.take(**patience)
        taken.append([each.submission.command for each in batch])

    thread = Thread(target=take)
    thread.start()
    return thread


def test_a_taker_is_given_company_until_there_are_enough() -> None:
    queue: CommandQueue[int, int] = CommandQueue(limit=10, batch_limit=10)
    queue.put([_waiting(0)])
    taken: list[list[int]] = []
    taking = _taking(queue, taken, enough=3, linger_seconds=60)
    for number in (1, 2):
        queue.put([_waiting(number)])
    taking.join(timeout=10)
    assert taken == [[0, 1, 2]]


def test_a_taker_does_not_wait_for_company_beyond_its_time_or_the_end() -> None:
    queue: CommandQueue[int, int] = CommandQueue(limit=10, batch_limit=10)
    queue.put([_waiting(0)])
    batch, _ = queue.take(enough=3, linger_seconds=0.001)
    assert len(batch) == 1
    queue.put([_waiting(1)])
    taken: list[list[int]] = []
    taking = _taking(queue, taken, enough=3, linger_seconds=60)
    queue.close()
    taking.join(timeout=10)
    assert taken == [[1]]


def test_every_taker_of_an_empty_queue_comes_to_its_end() -> None:
    queue: CommandQueue[int, int] = CommandQueue(limit=10, batch_limit=1)
    taken: list[list[int]] = []
    takers = [_taking(queue, taken) for _ in range(3)]
    queue.put([_waiting(number) for number in range(2)])
    queue.close()
    for taker in takers:
        taker.join(timeout=10)
    assert sorted(taken) == [[], [0], [1]]


def _by_tens(command: int) -> tuple[int]:
    """Commands of one ten lock the same row."""
    return (command // 10,)


def _queued(*commands: int, beside: int = 1) -> CommandQueue[int, int]:
    queue: CommandQueue[int, int] = CommandQueue(
        limit=100, batch_limit=3, keys_of=_by_tens, beside=beside
    )
    queue.put([_waiting(number) for number in commands])
    return queue


def test_a_second_batch_leaves_out_what_would_wait_for_the_first_and_keeps_its_order() -> None:
    queue = _queued(10, 20, 30, 11, 40, 12, 50, 41)
    first, _ = queue.take()
    assert [each.submission.command for each in first] == [10, 20, 30]
    assert _taken(queue) == ([40, 50, 41], False)
    queue.done(first)
    assert _taken(queue) == ([11, 12], False)


def test_nothing_passes_an_earlier_command_for_the_same_rows() -> None:
    queue: CommandQueue[int, int] = CommandQueue(
        limit=10, batch_limit=2, keys_of=lambda command: {command // 10, command % 10}
    )
    queue.put([_waiting(12)])
    first, _ = queue.take()
    queue.put([_waiting(number) for number in (23, 34, 56)])
    second, _ = queue.take()
    assert [each.submission.command for each in second] == [56]  # 34 shares a 3 with 23
    queue.done(first)
    assert _taken(queue) == ([23, 34], False)


def test_a_batch_beside_another_begins_only_when_it_is_worth_it() -> None:
    queue = _queued(10, beside=3)
    first, _ = queue.take()
    taken: list[list[int]] = []
    taking = _taking(queue, taken)
    queue.put([_waiting(20), _waiting(30)])
    assert queue.depth() == 2
    queue.put([_waiting(40)])
    taking.join(timeout=10)
    assert taken == [[20, 30, 40]]
    queue.put([_waiting(50)])
    queue.done(first)
    assert queue.depth() == 1


def test_a_taker_that_found_only_a_hot_member_wakes_for_others_once_that_is_taken() -> None:
    looked_at_last = Event()

    def keys_of(command: int) -> tuple[int]:
        if command == 15:
            looked_at_last.set()
        return (command // 10,)

    queue: CommandQueue[int, int] = CommandQueue(
        limit=100, batch_limit=10, keys_of=keys_of, beside=2
    )
    queue.put([_waiting(10)])
    first, _ = queue.take()
    queue.put([_waiting(number) for number in (11, 12, 13, 14, 15)])
    taken: list[list[int]] = []
    taking = _taking(queue, taken)
    assert looked_at_last.wait(timeout=10)  # all are blocked: it sleeps as the gate is free again
    queue.done(first)
    assert _taken(queue) == ([11, 12, 13, 14, 15], False)
    queue.put([_waiting(20), _waiting(30)])
    taking.join(timeout=10)
    woken = not taking.is_alive()
    queue.close()
    assert woken
    assert taken == [[]]
    assert _taken(queue) == ([20, 30], True)


def test_what_waits_for_a_batch_in_flight_at_the_end_is_left_to_its_taker() -> None:
    queue = _queued(10, 11, beside=2)
    first, _ = queue.take()
    queue.put([_waiting(12)])
    queue.close()
    assert _taken(queue) == ([], True)
    queue.done(first)
    assert _taken(queue) == ([12], True)


def test_company_is_waited_for_only_soon_after_a_crowd() -> None:
    gathering = Gathering(crowd=4, patience_seconds=60)
    assert gathering.worth_it(4, time.monotonic())
    assert not gathering.worth_it(3, time.monotonic())
    assert not gathering.worth_it(4, time.monotonic() - 61)
