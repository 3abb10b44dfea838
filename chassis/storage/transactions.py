"""The transaction of one batch: what the repository does not do of it, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, Engine

from chassis.failpoints import failpoint
from chassis.storage import outbox, requests, sets
from chassis.storage.failures import give_back
from chassis.storage.outbox import OutboxEvent


class Transaction(Protocol):
    """One open transaction; `connection` is what the repository is handed."""

    @property
    def connection(self) -> Connection: ...

    def together(self) -> AbstractContextManager[None]:
        """Send the questions of a block in one round trip."""
        ...

    def remembered(self, keys: Sequence[requests.Key]) -> requests.Recollection:
        """Ask what is remembered under `keys`, which are without duplicates."""
        ...

    def commit(
        self,
        save: Callable[[], None],
        events: Sequence[OutboxEvent],
        traceparents: Sequence[str],
        outcomes: Sequence[requests.ToRemember],
        now: datetime,
    ) -> None:
        """Call `save`, publish `events`, remember `outcomes` and commit, all or nothing."""
        ...


class Transactions(Protocol):
    """Where a batch gets its transaction."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """Open one; an error inside the block, of `commit` too, rolls it back and is raised."""
        ...


@dataclass(frozen=True, slots=True)
class PostgresTransactions:
    """READ COMMITTED transactions of `engine`; `name` prefixes the failpoints around COMMIT."""

    engine: Engine
    name: str

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        connection = self.engine.connect()
        try:
            connection.begin()
            yield _PostgresTransaction(connection, self.name)
        except BaseException as error:
            give_back(self.engine, connection, error)
            raise
        connection.close()


@dataclass(frozen=True, slots=True)
class _PostgresTransaction:
    connection: Connection
    name: str

    def together(self) -> AbstractContextManager[None]:
        return sets.pipelined(self.connection)

    def remembered(self, keys: Sequence[requests.Key]) -> requests.Recollection:
        return requests.ask(self.connection, keys)

    def commit(
        self,
        save: Callable[[], None],
        events: Sequence[OutboxEvent],
        traceparents: Sequence[str],
        outcomes: Sequence[requests.ToRemember],
        now: datetime,
    ) -> None:
        with sets.pipelined(self.connection):  # the last statements and COMMIT in one round trip
            save()
            outbox.append(self.connection, events, traceparents)
            requests.remember(self.connection, outcomes, now)
            failpoint(f"{self.name}.executor.before_commit")
            end = sets.commit(self.connection)
        assert end.tag == "COMMIT", "a repository hid a failed statement"
        transaction = self.connection.get_transaction()
        assert transaction is not None, "the batch's transaction is open"
        transaction.commit()  # tells SQLAlchemy; sends nothing more
        failpoint(f"{self.name}.executor.after_commit")
