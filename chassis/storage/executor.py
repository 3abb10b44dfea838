"""The executor: commands of many callers, decided and saved in one transaction at a time."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Hashable, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import Engine

from chassis.clock import Clock
from chassis.kernel.decisions import Decision
from chassis.kernel.refusals import Category, Refusal
from chassis.storage.answers import ProtoAnswerCodec
from chassis.storage.batches import BatchRunner
from chassis.storage.contracts import (
    AnswerCodec,
    Executed,
    ExecutorObserver,
    Gathering,
    Repository,
    SilentObserver,
    Submission,
)
from chassis.storage.failures import RetryPolicy
from chassis.storage.outbox import OutboxEvent
from chassis.storage.queueing import (
    CommandQueue,
    LoopCallers,
    Outcome,
    ThreadCaller,
    Waiting,
    deliver,
)
from chassis.storage.recovery import Recovery
from chassis.storage.transactions import PostgresTransactions

__all__ = [
    "AnswerCodec",
    "Executed",
    "Executor",
    "ExecutorObserver",
    "Gathering",
    "ProtoAnswerCodec",
    "Repository",
    "RetryPolicy",
    "SilentObserver",
    "Submission",
]

A = TypeVar("A")
C = TypeVar("C")
E = TypeVar("E")
S = TypeVar("S")

RETRY_AFTER_SECONDS_MIN, RETRY_AFTER_SECONDS_MAX = 0.05, 5.0

_log = logging.getLogger(__name__)


class Executor(Generic[C, S, A, E]):
    """Runs commands in batches: as many as wait, in one transaction, by `writers` threads.

    Takes one connection of `engine` per writer; `name` is the service's and prefixes the
    failpoints `<name>.executor.before_commit` and `.after_commit`. Nothing runs before `start`.
    `keys_of` says which rows a command locks and `beside` how many commands are worth a second
    transaction while one is under way (CommandQueue).
    """

    def __init__(
        self,
        *,
        engine: Engine,
        repository: Repository[C, S],
        decide: Callable[[S, C, datetime], Decision[A, E]],
        answer_codec: AnswerCodec[A],
        encode_event: Callable[[E, datetime], OutboxEvent],
        clock: Clock,
        name: str,
        queue_limit: int = 4096,
        batch_limit: int = 256,
        writers: int = 1,
        observer: ExecutorObserver | None = None,
        retry: RetryPolicy | None = None,
        gathering: Gathering | None = None,
        keys_of: Callable[[C], Collection[Hashable]] | None = None,
        beside: int = 1,
    ) -> None:
        self._name = name
        self._observer = observer or SilentObserver()
        self._queue: CommandQueue[C, A] = CommandQueue(
            limit=queue_limit, batch_limit=batch_limit, keys_of=keys_of, beside=beside
        )
        self._recovery: Recovery[C, A] = Recovery(
            BatchRunner(
                PostgresTransactions(engine, name),
                repository,
                decide,
                answer_codec,
                encode_event,
                clock,
            ).run,
            retry or RetryPolicy(),
            self._observer,
            name,
        )
        self._threads = [
            threading.Thread(target=self._write, name=f"{name}-writer-{number}", daemon=True)
            for number in range(writers)
        ]
        self._gathering = gathering
        self._seconds_per_command = 0.001

    def start(self) -> None:
        """Start the writer threads; once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Refuse new commands, finish what is queued, end the threads. Blocks; may be repeated."""
        self._queue.close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    async def execute(self, submission: Submission[C]) -> Executed[A]:
        """Return the answer; raises Refusal, or the unexpected error of this command alone.

        Whoever stops waiting before the command's transaction began takes the command back;
        after that it runs to its end.
        """
        outcome = (await self._submit([submission]))[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def execute_many(
        self, submissions: Sequence[Submission[C]]
    ) -> list[Executed[A] | Refusal]:
        """Return each submission's outcome, in order.

        An unexpected error is logged and becomes a refusal of its command alone, UNAVAILABLE with
        the reason INTERNAL, as a client takes it from a single call.
        """
        if not submissions:
            return []
        outcomes = await self._submit(submissions)
        return [
            outcome if isinstance(outcome, Executed | Refusal) else self._broken(outcome, each)
            for outcome, each in zip(outcomes, submissions, strict=True)
        ]

    def _broken(self, error: Exception, submission: Submission[C]) -> Refusal:
        command = type(submission.command).__name__
        _log.error("a command failed", exc_info=error, extra={"command": command})
        return Refusal(Category.UNAVAILABLE, "INTERNAL", "internal error")

    def execute_blocking(self, submission: Submission[C]) -> Executed[A]:
        """Do the same as `execute` from a thread without an event loop (jobs, consumers)."""
        caller: ThreadCaller[A] = ThreadCaller()
        if not self._queue.put([Waiting(submission, caller)]):
            raise self._turned_away()
        outcome = caller.future.result()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _submit(self, submissions: Sequence[Submission[C]]) -> list[Outcome[A]]:
        callers: LoopCallers[A] = LoopCallers(asyncio.get_running_loop(), len(submissions))
        waiting = [Waiting(each, callers, at) for at, each in enumerate(submissions)]
        for each in waiting[self._queue.put(waiting) :]:
            callers.settle(each.position, self._turned_away())
        return await callers.future

    def _turned_away(self) -> Refusal:
        """Word the refusal of a command that the queue did not take."""
        reason = "OVERLOADED" if self._queue.open else "UNAVAILABLE"
        self._observer.command_dropped(self._name, reason)
        if not self._queue.open:
            return Refusal(Category.UNAVAILABLE, reason, "the service is stopping; try another")
        expected = self._queue.depth() * self._seconds_per_command
        return Refusal(
            Category.EXHAUSTED,
            reason,
            "too many commands are waiting; try again later",
            retry_after_seconds=min(
                max(expected, RETRY_AFTER_SECONDS_MIN), RETRY_AFTER_SECONDS_MAX
            ),
        )

    def _write(self) -> None:
        """Be one writer until the queue is closed and empty."""
        ended, last, done_at = False, 0, 0.0
        while not ended:
            enough, linger = 1, 0.0
            if self._gathering is not None and self._gathering.worth_it(last, done_at):
                enough, linger = self._gathering.enough, self._gathering.linger_seconds
            batch, ended = self._queue.take(enough, linger)
            if batch:
                try:
                    self._observer.queue_depth(self._name, len(batch) + self._queue.depth())
                    self._process(batch)
                finally:
                    self._queue.done(batch)
                last, done_at = len(batch), time.monotonic()

    def _process(self, batch: list[Waiting[C, A]]) -> None:
        began = time.monotonic()
        try:
            self._recovery.process(batch)
        except Exception as error:  # noqa: BLE001 - its own fault must not end a writer
            _log.exception("a batch failed outside its transaction", extra={"batch": len(batch)})
            deliver([(each, error) for each in batch])
        spent = (time.monotonic() - began) / len(batch)
        self._seconds_per_command += (spent - self._seconds_per_command) / 16
