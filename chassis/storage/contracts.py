"""What a service hands to the executor and what it gets back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from sqlalchemy import Connection

from chassis.storage.requests import Fingerprint

A = TypeVar("A")
C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)
S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)
S_contra = TypeVar("S_contra", contravariant=True)


class Repository(Protocol[C_contra, S]):
    """Loads, locks and saves the aggregates of one batch in sets. Called in a writer thread.

    Each method runs inside the batch's transaction and may be run again from `lock` on after a
    failure. When the state has an attribute `not_before: datetime | None` after `lock`, the
    batch's `now` is never earlier (the members' last posting). A repository whose `save` reads no
    answer and handles no error may say so by an attribute `saves_blindly = True`: its statements
    then travel with the transaction's last ones, in one round trip. `unique_for_ever`, if it has
    that, names the constraints of ids that another replica may take between loading and saving:
    the batch then runs again, and finds them taken.
    """

    def lock(self, connection: Connection, commands: Sequence[C_contra]) -> S:
        """Insert missing rows, lock every row the commands touch in order, return the state."""
        ...

    def load(self, connection: Connection, state: S, commands: Sequence[C_contra]) -> None:
        """Read in later statements all else that `commands` (no replays among them) need."""
        ...

    def save(self, connection: Connection, state: S) -> None:
        """Write what changed, set-based; called even if nothing did."""
        ...


@runtime_checkable
class LocksLater(Protocol[C_contra, S_co]):
    """A repository that locks without waiting, so that the batch's first questions travel together.

    Its statements run before those that are sent after it, each on a snapshot of its own: what is
    read after the locks in the same round trip is as fresh as in a later one.
    """

    def lock_later(
        self, connection: Connection, commands: Sequence[C_contra]
    ) -> Callable[[], S_co]:
        """Send what `lock` sends; returns what gives the state once the trip has ended."""
        ...


@runtime_checkable
class HearsOfCommits(Protocol[S_contra]):
    """A repository that wants to know which states have been saved."""

    def committed(self, state: S_contra) -> None:
        """Take note of a batch's state, once, behind its commit; must not raise."""
        ...


class AnswerCodec(Protocol[A]):
    """Turns answers into the bytes that are remembered; a secret must not survive `encode`."""

    def encode(self, answer: A) -> bytes:
        """Return the bytes to remember."""
        ...

    def decode(self, data: bytes) -> A:
        """Return the answer; must read what any earlier release encoded in 30 days."""
        ...


class Submission(NamedTuple, Generic[C]):
    """One command with who sent it and until when an answer is of use.

    `deadline_monotonic` is in seconds of `time.monotonic`; None waits without limit.
    A job or consumer uses its service's name as caller and a deterministic request id. Without a
    `fingerprint` nothing is remembered: the command's own rows make repeating it harmless.
    """

    command: C
    caller: str
    request_id: str
    fingerprint: Fingerprint | None
    deadline_monotonic: float | None = None
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Gathering:
    """How long a writer waits for company under load, and then only.

    A transaction costs as much as a few dozen commands in it. So after a batch of `crowd` commands
    or more that was done less than `patience_seconds` ago, the next one waits for `enough`
    commands, `linger_seconds` at most: for commands that come one by one, each from a caller of
    its own. At low load nobody ever waits.
    """

    crowd: int = 4
    enough: int = 48
    linger_seconds: float = 0.008
    patience_seconds: float = 0.1

    def worth_it(self, last: int, done_at: float) -> bool:
        """Whether to wait after a batch of `last` commands done at this `time.monotonic`."""
        return last >= self.crowd and time.monotonic() - done_at < self.patience_seconds


class Executed(NamedTuple, Generic[A]):
    """An answer; `replayed` when it was remembered from an earlier request with the same id."""

    answer: A
    replayed: bool


class ExecutorObserver(Protocol):
    """Told what the executor does, in its own threads; must be quick and never raise."""

    def batch_committed(self, executor: str, commands: int, seconds: float) -> None:
        """`commands` were answered by one transaction that took `seconds`."""
        ...

    def batch_retried(self, executor: str, cause: str) -> None:
        """A whole batch runs again; `cause` is the database error's class name."""
        ...

    def command_poisoned(self, executor: str, cause: str) -> None:
        """One command failed alone with an unexpected error of class `cause`."""
        ...

    def command_dropped(self, executor: str, reason: str) -> None:
        """A command was not run: DEADLINE_PASSED, OVERLOADED or UNAVAILABLE."""
        ...

    def queue_depth(self, executor: str, depth: int) -> None:
        """`depth` commands were waiting when a writer came for the next batch."""
        ...


class SilentObserver:
    """An observer that keeps nothing."""

    def batch_committed(self, executor: str, commands: int, seconds: float) -> None:
        """Keep nothing."""

    def batch_retried(self, executor: str, cause: str) -> None:
        """Keep nothing."""

    def command_poisoned(self, executor: str, cause: str) -> None:
        """Keep nothing."""

    def command_dropped(self, executor: str, reason: str) -> None:
        """Keep nothing."""

    def queue_depth(self, executor: str, depth: int) -> None:
        """Keep nothing."""
