"""The bounded way from callers to writer threads and back: one hop per batch, not per command."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
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
    """One queued command and who waits for it; the queue notes the rows it locks in `keys`."""

    submission: Submission[C]
    callers: Callers[A] = field(compare=False)
    position: int = 0
    keys: Collection[Hashable] = ()


class CommandQueue(Generic[C, A]):
    """A bounded queue that gives a writer all that waits, up to `batch_limit`.

    Where `keys_of` says which rows a command locks, a batch never has a command whose rows a batch
    in flight has locked: it would only wait for the other's end, with everything else in it. Such
    commands keep their place, and so does whatever comes after them for the same rows. The first
    batch in flight begins with one command; another `beside` it only with so many, since a
    transaction costs as much as a few dozen commands in it.

    Writers sleep on a lock each, which costs the callers' loop a fifth of what a Condition does.
    """

    def __init__(
        self,
        *,
        limit: int,
        batch_limit: int,
        keys_of: Callable[[C], Collection[Hashable]] | None = None,
        beside: int = 1,
    ) -> None:
        self._limit = limit
        self._batch_limit = batch_limit
        self._keys_of = keys_of
        self._beside = beside
        self._queue: deque[Waiting[C, A]] = deque()
        self._gate = threading.Lock()
        self._sleepers: list[_Sleeper] = []
        self._busy: set[Hashable] = set()
        self._in_flight = 0
        self._open = True

    @property
    def open(self) -> bool:
        """False once `close` was called."""
        return self._open

    def depth(self) -> int:
        """Return how many commands wait now."""
        return len(self._queue)

    def put(self, waiting: Sequence[Waiting[C, A]]) -> int:
        """Queue as many as fit, from the first on, and return how many; 0 when closed."""
        with self._gate:  # so that nothing is put behind the end that `close` marks
            if not self._open:
                return 0
            fitting = min(len(waiting), max(0, self._limit - len(self._queue)))
            if self._keys_of is not None:
                for each in waiting[:fitting]:
                    each.keys = self._keys_of(each.submission.command)
            self._queue.extend(waiting[:fitting])
            if self._sleepers and len(self._queue) >= self._sleepers[-1].wanted:
                self._sleepers.pop().bell.release()
            return fitting

    def take(
        self, enough: int = 1, linger_seconds: float = 0.0
    ) -> tuple[list[Waiting[C, A]], bool]:
        """Block until commands wait, and return them and whether the taker's end was reached.

        Once one waits, `linger_seconds` at most are given to others, until there are `enough`. Of
        several takers one may come away with nothing. Whoever got some tells `done` of them.
        """
        with self._gate:
            if self._open and len(self._queue) < self._least():
                self._sleep(_Sleeper(self._least()), -1)
            if self._open and linger_seconds and 0 < len(self._queue) < enough:
                self._sleep(_Sleeper(enough), linger_seconds)
            batch = self._free() if len(self._queue) >= self._least() or not self._open else []
            if batch:
                self._in_flight += 1
                for each in batch:
                    self._busy.update(each.keys)
                self._count_anew()
            elif self._open and self._queue:
                self._sleep(_Sleeper(len(self._queue) + self._beside, found_blocked=True), -1)
            if len(self._queue) >= self._least() and self._sleepers:
                self._sleepers.pop().bell.release()
            # What is left at the end waits for a batch in flight, whose taker comes back for it.
            return batch, not self._open and not (batch and self._queue)

    def done(self, batch: Sequence[Waiting[C, A]]) -> None:
        """Note that a batch is no longer in flight; its taker comes back for what waited for it."""
        with self._gate:
            self._in_flight -= 1
            for each in batch:
                self._busy.difference_update(each.keys)

    def close(self) -> None:
        """Accept nothing more; each taker reaches its end once the queue is empty."""
        with self._gate:
            self._open = False
            while self._sleepers:
                self._sleepers.pop().bell.release()

    def _least(self) -> int:
        """How many must wait for a batch to begin."""
        return self._beside if self._in_flight else 1

    def _free(self) -> list[Waiting[C, A]]:
        """Take what waits and may run now, in order; looks at twice a batch at most."""
        if not self._busy:
            count = min(len(self._queue), self._batch_limit)
            return [self._queue.popleft() for _ in range(count)]
        blocked = set(self._busy)
        free: list[Waiting[C, A]] = []
        left: list[Waiting[C, A]] = []
        for _ in range(min(len(self._queue), 2 * self._batch_limit)):
            each = self._queue.popleft()
            keys = each.keys
            if blocked.isdisjoint(keys):
                free.append(each)
                if len(free) == self._batch_limit:
                    break
            else:
                blocked.update(keys)
                left.append(each)
        self._queue.extendleft(reversed(left))
        return free

    def _count_anew(self) -> None:
        """Let those that found only what was blocked count from what is left of it."""
        for sleeper in self._sleepers:
            if sleeper.found_blocked:
                sleeper.wanted = min(sleeper.wanted, len(self._queue) + self._beside)
        self._order_sleepers()

    def _order_sleepers(self) -> None:
        """Whoever wants most is woken last."""
        self._sleepers.sort(key=lambda each: -each.wanted)

    def _sleep(self, sleeper: _Sleeper, seconds: float) -> None:
        """Wait for the bell with the gate open."""
        self._sleepers.append(sleeper)
        self._order_sleepers()
        self._gate.release()
        rung = sleeper.bell.acquire(timeout=seconds)
        self._gate.acquire()
        if not rung and sleeper in self._sleepers:
            self._sleepers.remove(sleeper)


class _Sleeper:
    """A taker that waits for `wanted` commands; its bell is a lock that is held until then.

    One that `found_blocked` commands only wants so many more than it found.
    """

    __slots__ = ("bell", "found_blocked", "wanted")

    def __init__(self, wanted: int, *, found_blocked: bool = False) -> None:
        self.wanted = wanted
        self.found_blocked = found_blocked
        self.bell = threading.Lock()
        self.bell.acquire()


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
