"""The bounded way from callers to writer threads and back: one hop per batch, not per command."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from chassis.storage.contracts import Executed, Submission

A = TypeVar("A")
C = TypeVar("C")

Outcome = Executed[A] | Exception
"""An answer, a refusal, or the unexpected error of one command."""

_log = logging.getLogger(__name__)


class Callers(Protocol[A]):
    """Whoever waits for one or more outcomes."""

    loop: asyncio.AbstractEventLoop | None

    def gone(self) -> bool:
        """Nobody waits any more. Called in writer threads."""
        ...

    def settle(self, position: int, outcome: Outcome[A]) -> None:
        """Take one outcome, the first time; called in the loop's thread where there is a loop."""
        ...


class LoopCallers(Generic[A]):
    """A coroutine that awaits `future` for the outcomes of `count` commands, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int) -> None:
        self.loop: asyncio.AbstractEventLoop | None = loop
        self.future: asyncio.Future[list[Outcome[A]]] = loop.create_future()
        self._outcomes: list[Outcome[A] | None] = [None] * count
        self._missing = count

    def gone(self) -> bool:
        return self.future.cancelled()

    def settle(self, position: int, outcome: Outcome[A]) -> None:
        if self._outcomes[position] is not None:
            return
        self._outcomes[position] = outcome
        self._missing -= 1
        if not self._missing and not self.future.done():
            self.future.set_result([each for each in self._outcomes if each is not None])


class ThreadCaller(Generic[A]):
    """A thread that blocks on `future` for the outcome of one command."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.future: concurrent.futures.Future[Outcome[A]] = concurrent.futures.Future()

    def gone(self) -> bool:
        return False

    def settle(self, position: int, outcome: Outcome[A]) -> None:
        assert position == 0, "a thread waits for one command"
        if not self.future.done():
            self.future.set_result(outcome)


@dataclass(slots=True)
class Waiting(Generic[C, A]):
    """One queued command and who waits for it."""

    submission: Submission[C]
    callers: Callers[A] = field(compare=False)
    position: int = 0


class CommandQueue(Generic[C, A]):
    """A bounded queue that gives a writer all that waits, up to `batch_limit`."""

    def __init__(self, *, limit: int, batch_limit: int) -> None:
        self._limit = limit
        self._batch_limit = batch_limit
        self._queue: SimpleQueue[Waiting[C, A] | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._open = True

    @property
    def open(self) -> bool:
        """False once `close` was called."""
        return self._open

    def depth(self) -> int:
        """Return how many commands wait now."""
        return self._queue.qsize()

    def put(self, waiting: Sequence[Waiting[C, A]]) -> int:
        """Queue as many as fit, from the first on, and return how many; 0 when closed."""
        with self._gate:  # so that nothing is put behind the end that `close` marks
            if not self._open:
                return 0
            fitting = min(len(waiting), max(0, self._limit - self._queue.qsize()))
            for each in waiting[:fitting]:
                self._queue.put(each)
            return fitting

    def take(self) -> tuple[list[Waiting[C, A]], bool]:
        """Block until commands wait, and return them and whether the taker's end was reached."""
        batch: list[Waiting[C, A]] = []
        each = self._queue.get()
        try:
            while each is not None:
                batch.append(each)
                if len(batch) >= self._batch_limit:
                    return batch, False
                each = self._queue.get_nowait()
        except Empty:
            return batch, False
        return batch, True

    def close(self, takers: int) -> None:
        """Accept nothing more; each of `takers` reaches its end once the queue is empty."""
        with self._gate:
            if self._open:
                self._open = False
                for _ in range(takers):
                    self._queue.put(None)


def deliver(outcomes: Sequence[tuple[Waiting[C, A], Outcome[A]]]) -> None:
    """Hand each outcome to its caller, with one wake-up per event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Waiting[C, A], Outcome[A]]]] = {}
    for waiting, outcome in outcomes:
        if waiting.callers.loop is None:
            waiting.callers.settle(waiting.position, outcome)
        else:
            by_loop.setdefault(waiting.callers.loop, []).append((waiting, outcome))
    for loop, pairs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, pairs)
        except RuntimeError:  # the loop was closed: nobody is left to be told
            _log.info("a caller's event loop is closed", extra={"outcomes": len(pairs)})


def _settle(pairs: Sequence[tuple[Waiting[C, A], Outcome[A]]]) -> None:
    for waiting, outcome in pairs:
        waiting.callers.settle(waiting.position, outcome)
