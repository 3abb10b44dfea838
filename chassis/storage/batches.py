"""One batch in one transaction: lock, read, decide, save, remember, publish, commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar, cast

import psycopg
from sqlalchemy import Connection

from chassis.clock import Clock
from chassis.kernel.decisions import Decision
from chassis.kernel.refusals import Category, FieldViolation, Refusal
from chassis.storage import requests
from chassis.storage.answers import decode_outcome, encode_answer, encode_refusal
from chassis.storage.contracts import (
    AnswerCodec,
    Executed,
    HearsOfCommits,
    LocksLater,
    Repository,
    Submission,
)
from chassis.storage.failures import BlamedError
from chassis.storage.outbox import OutboxEvent
from chassis.storage.transactions import Transaction, Transactions

A = TypeVar("A")
C = TypeVar("C")
E = TypeVar("E")
S = TypeVar("S")
T = TypeVar("T")


@dataclass(slots=True)
class _Effects(Generic[A]):
    """What deciding a batch has come to so far; outcomes by index into the batch."""

    now: datetime
    first_of: dict[requests.Key, int]
    remembered: Mapping[requests.Key, requests.Remembered] = field(default_factory=dict)
    outcomes: dict[int, Executed[A] | Refusal] = field(default_factory=dict)
    encoded: dict[int, bytes] = field(default_factory=dict)
    events: list[OutboxEvent] = field(default_factory=list)
    traceparents: list[str] = field(default_factory=list)

    def to_remember(self, batch: Sequence[Submission[C]]) -> list[requests.ToRemember]:
        return [
            requests.ToRemember(each.caller, each.request_id, each.fingerprint, outcome)
            for each, outcome in ((batch[index], done) for index, done in self.encoded.items())
            if each.fingerprint is not None
        ]


@dataclass(slots=True)
class BatchRunner(Generic[C, S, A, E]):
    """Runs a batch of commands in one transaction of its own.

    Keeps nothing between runs: a rerun after any failure loads everything again.
    """

    transactions: Transactions
    repository: Repository[C, S]
    decide: Callable[[S, C, datetime], Decision[A, E]]
    answer_codec: AnswerCodec[A]
    encode_event: Callable[[E, datetime], OutboxEvent]
    clock: Clock
    _locks: LocksLater[C, S] | None = field(init=False)
    _hears: HearsOfCommits[S] | None = field(init=False)

    def __post_init__(self) -> None:
        """Ask the repository once what it can: to ask a protocol takes longer than a command."""
        self._locks = self.repository if isinstance(self.repository, LocksLater) else None
        self._hears = self.repository if isinstance(self.repository, HearsOfCommits) else None

    def run(self, batch: Sequence[Submission[C]]) -> list[Executed[A] | Refusal]:
        """Return each command's outcome after the commit.

        Raises BlamedError where one command is known to be at fault, else what went wrong; then
        nothing was saved, unless the error came from the commit itself.
        """
        try:
            with self.transactions.begin() as transaction:
                effects, state = self._run_in(transaction, batch)
                save = _nothing if state is None else partial(self._save, transaction, state)
                if not getattr(self.repository, "saves_blindly", False):
                    save()
                    save = _nothing
                transaction.commit(
                    save,
                    effects.events,
                    effects.traceparents,
                    effects.to_remember(batch),
                    effects.now,
                )
        except psycopg.errors.UniqueViolation as error:
            if taken_meanwhile(error, self.repository):
                raise psycopg.errors.SerializationFailure("an id was taken meanwhile") from error
            raise
        if state is not None and self._hears is not None:
            self._hears.committed(state)
        if len(effects.first_of) == len(batch):  # no request came twice, as nearly always
            outcomes = effects.outcomes
            return [outcomes[index] for index in range(len(batch))]
        return [self._outcome(batch, index, effects) for index in range(len(batch))]

    def _save(self, transaction: Transaction, state: S) -> None:
        self.repository.save(transaction.connection, state)

    def _run_in(
        self, transaction: Transaction, batch: Sequence[Submission[C]]
    ) -> tuple[_Effects[A], S | None]:
        """Lock, read and decide; returns what that came to, and the state if it is to be saved."""
        connection = transaction.connection
        first_of = _first_of_each_request(batch)
        asked = [key for key, index in first_of.items() if batch[index].fingerprint is not None]
        commands = [batch[index].command for index in first_of.values()]
        state, remembered = self._locked(transaction, commands, asked)
        effects: _Effects[A] = _Effects(self._now(state), first_of, remembered)
        fresh = []
        for key, index in first_of.items():
            if key in effects.remembered:
                outcome = self._blaming(index, self._replay, batch[index], effects.remembered[key])
                effects.outcomes[index] = outcome
            else:
                fresh.append(index)
        if not fresh:
            return effects, None
        self._decide_all(connection, state, batch, fresh, effects)
        return effects, state

    def _locked(
        self, transaction: Transaction, commands: Sequence[C], asked: Sequence[requests.Key]
    ) -> tuple[S, Mapping[requests.Key, requests.Remembered]]:
        """Lock what the commands touch, and look up in later statements what is remembered."""
        connection = transaction.connection
        if self._locks is None:
            return self.repository.lock(connection, commands), transaction.remembered(asked)()
        with transaction.together():
            locked = self._locks.lock_later(connection, commands)
            remembered = transaction.remembered(asked)
        return locked(), remembered()

    def _now(self, state: S) -> datetime:
        """Take the time after the locks, never before a locked member's last posting."""
        now = self.clock.now()
        not_before = cast("datetime | None", getattr(state, "not_before", None))
        return now if not_before is None else max(now, not_before)

    def _decide_all(
        self,
        connection: Connection,
        state: S,
        batch: Sequence[Submission[C]],
        fresh: Sequence[int],
        effects: _Effects[A],
    ) -> None:
        self.repository.load(connection, state, [batch[index].command for index in fresh])
        for index in fresh:
            self._blaming(index, self._decide_one, state, batch[index], index, effects)

    def _decide_one(
        self, state: S, submission: Submission[C], index: int, effects: _Effects[A]
    ) -> None:
        try:
            decision = self.decide(state, submission.command, effects.now)
        except Refusal as refusal:
            effects.outcomes[index] = refusal
            if submission.fingerprint is not None and not refusal.passing:
                effects.encoded[index] = encode_refusal(refusal)
            return
        if decision.refusal is not None:
            effects.outcomes[index] = decision.refusal
            if submission.fingerprint is not None:
                effects.encoded[index] = encode_refusal(decision.refusal)
        else:
            answer = cast("A", decision.answer)
            effects.outcomes[index] = Executed(answer, replayed=False)
            if submission.fingerprint is not None:
                effects.encoded[index] = encode_answer(self.answer_codec, answer)
        for event in decision.events:
            effects.events.append(self.encode_event(event, effects.now))
            effects.traceparents.append(submission.traceparent)

    def _replay(
        self, submission: Submission[C], remembered: requests.Remembered
    ) -> Executed[A] | Refusal:
        reused = _reused(submission, remembered.method, remembered.field_macs)
        return reused or self._again(remembered.outcome)

    def _again(self, outcome: bytes) -> Executed[A] | Refusal:
        """Give a remembered outcome as it is replayed: what the codec leaves out stays out."""
        decoded = decode_outcome(self.answer_codec, outcome)
        return decoded if isinstance(decoded, Refusal) else Executed(decoded, replayed=True)

    def _outcome(
        self,
        batch: Sequence[Submission[C]],
        index: int,
        effects: _Effects[A],
    ) -> Executed[A] | Refusal:
        submission = batch[index]
        key = _key(index, submission)
        first = effects.first_of[key]
        if index != first and key in effects.remembered:  # the batch's first may be a reuse itself
            return self._replay(submission, effects.remembered[key])
        outcome = effects.outcomes[first]
        model = batch[first].fingerprint
        if index == first or model is None:
            return outcome
        reused = _reused(submission, model.method, model.field_macs)
        if reused is not None:
            return reused
        if first in effects.encoded:
            return self._again(effects.encoded[first])
        return outcome.copy() if isinstance(outcome, Refusal) else outcome

    @staticmethod
    def _blaming(index: int, step: Callable[..., T], *args: object) -> T:
        """Run one command's step and say whose fault an unexpected error is."""
        try:
            return step(*args)
        except Exception as error:
            raise BlamedError(index, error) from error


def taken_meanwhile(error: psycopg.errors.UniqueViolation, repository: object) -> bool:
    """Whether another replica took an id of those that are `unique_for_ever` in `repository`."""
    return error.diag.constraint_name in getattr(repository, "unique_for_ever", ())


def _nothing() -> None:
    """Save nothing."""


def _first_of_each_request(batch: Sequence[Submission[C]]) -> dict[requests.Key, int]:
    first_of: dict[requests.Key, int] = {}
    for index, submission in enumerate(batch):
        first_of.setdefault(_key(index, submission), index)
    return first_of


def _key(index: int, submission: Submission[C]) -> requests.Key:
    """Return what a command is known by in its batch; one without memory is never a duplicate."""
    if submission.fingerprint is None:
        return "", str(index)
    return submission.caller, submission.request_id


def _reused(submission: Submission[C], method: str, field_macs: bytes) -> Refusal | None:
    """Refuse a request id that was used for something else, naming the first difference."""
    new = submission.fingerprint
    assert new is not None, "only a remembered request can be reused"
    if new.method != method:
        differing, rule = requests.REQUEST_ID_FIELD, f"was used for {method}; take a new one"
    else:
        name = requests.first_difference(field_macs, new)
        if name is None:
            return None
        differing, rule = name, "differs from the first request with this request_id"
    return Refusal(
        Category.INVALID,
        "REQUEST_ID_REUSED",
        f"request_id was used before with another content: {differing} differs",
        fields=[FieldViolation(differing, rule)],
        metadata={"field": differing},
    )
