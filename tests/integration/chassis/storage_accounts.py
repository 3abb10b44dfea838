"""A service in small: accounts with balances, for the tests of the write path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2
from google.protobuf.message import Message
from sqlalchemy import Connection, Engine

from chassis.clock import Clock, SystemClock
from chassis.identifiers import new_id
from chassis.kernel import Category, Decision, Refusal
from chassis.storage import sets
from chassis.storage.engine import create_engine
from chassis.storage.executor import Executed, Executor, ProtoAnswerCodec, RetryPolicy, Submission
from chassis.storage.outbox import OutboxEvent
from chassis.storage.requests import fingerprint
from chassis.storage.tables import CREATE_STATEMENTS

KEY = b"synthetic key of 32 bytes length"
CALLER = "till"
BALANCE_LIMIT = 2**63 - 1
QUICK = RetryPolicy(attempts_max=20, first_pause_seconds=0.001, pause_seconds_max=0.2)

_CREATE = """
CREATE TABLE accounts (
    member_id uuid PRIMARY KEY,
    balance bigint NOT NULL DEFAULT 0 CHECK (balance >= 0),
    wrong_pins bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    posted_at timestamptz
) WITH (fillfactor = 50);
CREATE TABLE journal (
    member_id uuid NOT NULL,
    version bigint NOT NULL,
    amount bigint NOT NULL CHECK (amount <> 666),
    posted_at timestamptz NOT NULL,
    PRIMARY KEY (member_id, version)
);
"""


def _post_request() -> type[Message]:
    """Make a request message without generated code: the chassis knows none."""
    file = descriptor_pb2.FileDescriptorProto(name="accounts.proto", package="accounts.v1")
    file.syntax = "proto3"
    message = file.message_type.add(name="PostRequest")
    kinds = {"request_id": 9, "member_id": 9, "amount": 3, "note": 9, "pin": 9}
    for number, (name, kind) in enumerate(kinds.items(), 1):
        message.field.add(name=name, number=number, type=kind, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("accounts.v1.PostRequest"))


PostRequest: Any = _post_request()


@dataclass(frozen=True, slots=True)
class Post:
    """Add `amount` to the balance; a `pin` must be right."""

    member_id: UUID
    amount: int
    note: str = ""
    pin: str = "right"


@dataclass(frozen=True, slots=True)
class Posted:
    """The balance moved."""

    member_id: UUID
    version: int
    amount: int


@dataclass(slots=True)
class Account:
    member_id: UUID
    balance: int
    wrong_pins: int
    version: int
    posted_at: datetime | None
    entries: list[tuple[int, int, datetime]] = field(default_factory=list)

    def next_entry(self, amount: int, now: datetime) -> Posted:
        self.version += 1
        self.posted_at = now
        self.entries.append((self.version, amount, now))
        return Posted(self.member_id, self.version, amount)


@dataclass(slots=True)
class State:
    accounts: dict[UUID, Account]
    not_before: datetime | None


class Accounts:
    """Repository[Post, State]; `before_save` lets a test interfere."""

    def __init__(self, before_save: Callable[[Connection], None] | None = None) -> None:
        self.before_save = before_save
        self.loaded: list[int] = []

    def lock(self, connection: Connection, commands: Sequence[Post]) -> State:
        ids = sorted({command.member_id for command in commands})
        keys = {"member_id": ("uuid", ids)}
        sets.insert_columns(connection, "accounts", keys, on_conflict="DO NOTHING")
        columns = ("member_id", "balance", "wrong_pins", "version", "posted_at")
        rows = sets.select_by_keys(connection, "accounts", keys, select=columns, lock=True)
        posted = [row[4] for row in rows if row[4] is not None]
        return State({row[0]: Account(*row) for row in rows}, max(posted, default=None))

    def load(self, _connection: Connection, _state: State, commands: Sequence[Post]) -> None:
        self.loaded.append(len(commands))

    def save(self, connection: Connection, state: State) -> None:
        if self.before_save is not None:
            self.before_save(connection)
        with sets.pipelined(connection):
            self._write(connection, [a for a in state.accounts.values() if a.entries])

    def _write(self, connection: Connection, changed: Sequence[Account]) -> None:
        sets.update_from_columns(
            connection,
            "accounts",
            keys={"member_id": ("uuid", [a.member_id for a in changed])},
            values={
                "balance": ("bigint", [a.balance for a in changed]),
                "wrong_pins": ("bigint", [a.wrong_pins for a in changed]),
                "version": ("bigint", [a.version for a in changed]),
                "posted_at": ("timestamptz", [a.posted_at for a in changed]),
            },
        )
        entries = [(a.member_id, *entry) for a in changed for entry in a.entries]
        sets.insert_columns(
            connection,
            "journal",
            {
                "member_id": ("uuid", [entry[0] for entry in entries]),
                "version": ("bigint", [entry[1] for entry in entries]),
                "amount": ("bigint", [entry[2] for entry in entries]),
                "posted_at": ("timestamptz", [entry[3] for entry in entries]),
            },
        )


def decide(state: State, command: Post, now: datetime) -> Decision[Message, Posted]:
    """Post, refuse what would overdraw, count a wrong PIN, stumble over a poisonous note."""
    account = state.accounts[command.member_id]
    if command.note == "poison":
        account.balance += 1_000_000  # a half-done change that must not survive
        raise ZeroDivisionError("poison")
    if command.note == "busy":
        raise Refusal(Category.EXHAUSTED, "BUSY", "passing trouble")
    if command.pin != "right":
        account.wrong_pins += 1
        event = account.next_entry(0, now)
        wrong = Refusal(Category.FORBIDDEN, "WRONG_PIN", "the PIN is wrong")
        return Decision(None, (event,), wrong)
    if account.balance + command.amount < 0:
        raise Refusal(Category.PRECONDITION, "INSUFFICIENT_BALANCE", "not enough on the account")
    account.balance += command.amount
    event = account.next_entry(command.amount, now)
    return Decision(wrappers_pb2.Int64Value(value=account.balance), (event,))


def encode_event(event: Posted, now: datetime) -> OutboxEvent:
    return OutboxEvent(
        key=event.member_id,
        aggregate_type="account",
        type="accounts.v1.Posted",
        payload=wrappers_pb2.Int64Value(value=event.amount).SerializeToString(),
        version=event.version,
        occurred_at=now,
    )


Accounting = Executor[Post, State, Message, Posted]


def accounting(
    engine: Engine,
    *,
    repository: Accounts | None = None,
    clock: Clock | None = None,
    **options: Any,
) -> Accounting:
    """Return an executor of the accounts, not started."""
    options.setdefault("retry", QUICK)
    return Executor(
        engine=engine,
        repository=repository or Accounts(),
        decide=decide,
        answer_codec=ProtoAnswerCodec([wrappers_pb2.Int64Value]),
        encode_event=encode_event,
        clock=clock or SystemClock(),
        name="accounts",
        **options,
    )


def prepared_engine(database_url: str, pool_size: int = 5) -> Engine:
    """Return an engine on a database that has the accounts' and the chassis' tables."""
    engine = create_engine(
        database_url, application_name="accounts", pool_size=pool_size, index_plans=True
    )
    with engine.begin() as connection:
        for statement in (*CREATE_STATEMENTS, *_CREATE.split(";")[:-1]):
            connection.execute(sa.text(statement))
    return engine


def submission(
    member_id: UUID,
    amount: int,
    *,
    request_id: str = "",
    note: str = "",
    pin: str = "right",
    deadline_monotonic: float | None = None,
) -> Submission[Post]:
    """Return a submission as a servicer would make it from a request."""
    request = PostRequest(
        request_id=request_id or str(new_id()), member_id=str(member_id), amount=amount, note=note
    )
    request.pin = pin
    return Submission(
        Post(member_id, amount, note, pin),
        caller=CALLER,
        request_id=request.request_id,
        fingerprint=fingerprint(request, KEY),
        deadline_monotonic=deadline_monotonic,
    )


def balance(engine: Engine, member_id: UUID) -> int:
    """Read a balance from outside; 0 for an account that was never touched."""
    return number(engine, "SELECT balance FROM accounts WHERE member_id = :id", id=member_id)


def number(engine: Engine, sql: str, **parameters: object) -> int:
    """Read one number from outside."""
    with engine.connect() as connection:
        return int(connection.execute(sa.text(sql), parameters).scalar() or 0)


@contextmanager
def started(executor: Accounting) -> Iterator[Accounting]:
    """Start an executor and stop it afterwards."""
    executor.start()
    try:
        yield executor
    finally:
        executor.stop()


def answer_all(
    executor: Accounting, submissions: Sequence[Submission[Post]]
) -> list[Executed[Message] | BaseException]:
    """Submit all at once, each as a caller of its own, and return what each caller got."""

    async def main() -> list[Executed[Message] | BaseException]:
        calls = [executor.execute(each) for each in submissions]
        return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(main())


def answer_in_one_batch(
    executor: Accounting, submissions: Sequence[Submission[Post]]
) -> list[Executed[Message] | BaseException]:
    """Do the same with an executor that is not started yet, and stop it."""

    async def main() -> list[Executed[Message] | BaseException]:
        calls = [asyncio.ensure_future(executor.execute(each)) for each in submissions]
        await asyncio.sleep(0)  # one turn of the loop: every call has put its command in the queue
        executor.start()
        return await asyncio.gather(*calls, return_exceptions=True)

    try:
        return asyncio.run(main())
    finally:
        executor.stop()


def balance_in(outcome: Executed[Message] | BaseException) -> int:
    """Return the balance an answer holds; fails the test for a refusal."""
    assert isinstance(outcome, Executed), outcome
    assert isinstance(outcome.answer, wrappers_pb2.Int64Value)
    return outcome.answer.value


def refusal_in(outcome: Executed[Message] | BaseException) -> Refusal:
    """Return the refusal; fails the test for anything else."""
    assert isinstance(outcome, Refusal), outcome
    return outcome
