"""Recovery of a batch: run it again, split it around a poison command, or give it up."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from chassis.kernel.refusals import Category, Refusal
from chassis.storage.contracts import Executed, ExecutorObserver, Submission
from chassis.storage.failures import (
    BlamedError,
    RetryPolicy,
    passes_by_itself,
    root_cause,
    without_row,
)
from chassis.storage.queueing import Waiting, deliver

A = TypeVar("A")
C = TypeVar("C")

RETRY_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Part(Generic[C, A]):
    """Some commands of a batch that run in one transaction, and how often they have failed."""

    commands: Sequence[Waiting[C, A]]
    failures: int = 0


class Recovery(Generic[C, A]):
    """Answers every command of a batch, whatever its transactions come to. Blocks its thread.

    A failure that passes by itself reruns the same commands after a pause. Any other failure
    splits them: the blamed command from the rest, or in halves, until the poison command stands
    alone and gets its error; all others are answered.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Submission[C]]], Sequence[Executed[A] | Refusal]],
        retry: RetryPolicy,
        observer: ExecutorObserver,
        name: str,
    ) -> None:
        self._run = run
        self._retry = retry
        self._observer = observer
        self._name = name

    def process(self, batch: Sequence[Waiting[C, A]]) -> None:
        """Run `batch` and deliver an outcome to every caller still there."""
        parts: deque[_Part[C, A]] = deque([_Part(batch)])
        while parts:
            part = parts.popleft()
            commands = self._in_time(part.commands)
            if commands:
                parts.extendleft(reversed(self._attempt(commands, part.failures)))

    def _attempt(self, commands: Sequence[Waiting[C, A]], failures: int) -> list[_Part[C, A]]:
        """Run one transaction; returns the parts that remain to be run, in order."""
        began = time.monotonic()
        try:
            outcomes = self._run([each.submission for each in commands])
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller must be answered
            return self._recover(commands, failures + 1, error)
        deliver(list(zip(commands, outcomes, strict=True)))
        self._observer.batch_committed(self._name, len(commands), time.monotonic() - began)
        return []

    def _recover(
        self, commands: Sequence[Waiting[C, A]], failures: int, error: Exception
    ) -> list[_Part[C, A]]:
        cause = root_cause(error)
        if passes_by_itself(error):
            return self._again(commands, failures, cause)
        if len(commands) > 1:
            return _split(commands, error)
        self._observer.command_poisoned(self._name, type(cause).__name__)
        deliver([(commands[0], without_row(cause))])
        return []

    def _again(
        self, commands: Sequence[Waiting[C, A]], failures: int, cause: Exception
    ) -> list[_Part[C, A]]:
        if failures >= self._retry.attempts_max:
            for _ in commands:
                self._observer.command_dropped(self._name, "UNAVAILABLE")
            deliver([(each, _unavailable()) for each in commands])
            return []
        self._observer.batch_retried(self._name, type(cause).__name__)
        # The pause is the retry's back-off: the database needs time, and this thread has no other
        # work that could succeed meanwhile.
        time.sleep(self._retry.pause_seconds(failures))
        return [_Part(commands, failures)]

    def _in_time(self, commands: Sequence[Waiting[C, A]]) -> list[Waiting[C, A]]:
        """Answer those past their deadline, forget those nobody waits for, return the others."""
        now = time.monotonic()
        kept, late = [], []
        for each in commands:
            deadline = each.submission.deadline_monotonic
            if deadline is not None and deadline <= now:
                late.append(each)
            elif not each.callers.gone():
                kept.append(each)
        for _ in late:
            self._observer.command_dropped(self._name, "DEADLINE_PASSED")
        deliver([(each, _too_late()) for each in late])
        return kept


def _split(commands: Sequence[Waiting[C, A]], error: Exception) -> list[_Part[C, A]]:
    if isinstance(error, BlamedError):
        rest = [each for index, each in enumerate(commands) if index != error.index]
        return [_Part([commands[error.index]]), _Part(rest)]
    middle = len(commands) // 2
    return [_Part(commands[:middle]), _Part(commands[middle:])]


def _too_late() -> Refusal:
    return Refusal(
        Category.TOO_LATE, "DEADLINE_PASSED", "the deadline passed before the command could run"
    )


def _unavailable() -> Refusal:
    return Refusal(
        Category.UNAVAILABLE,
        "UNAVAILABLE",
        "the database cannot be reached; the command may or may not have run: repeat it with the "
        "same request_id",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )
