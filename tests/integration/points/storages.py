"""The two storages of the ledger, as the contract of both sees them, and commands for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg

from chassis.clock import ManualClock
from chassis.storage.contracts import Repository
from chassis.storage.engine import create_engine
from chassis.storage.transactions import PostgresTransactions, Transaction, Transactions
from services.points.domain.books import Books
from services.points.domain.commands import (
    Command,
    PostCheckout,
    ReverseCheckout,
    TopUpStoredValue,
)
from services.points.domain.ledger import decide
from services.points.domain.lots import Lot
from services.points.domain.programme import Programme
from services.points.domain.publishing import Shelf
from services.points.storage.programmes import ProgrammeRepository
from services.points.storage.repository import PointsRepository
from tests.points_memory.repository import MemoryRepository
from tests.points_memory.tables import Tables
from tests.unit.points.worlds import PLACE, START, purchase

MEMORY, POSTGRESQL = "memory", "postgresql"


def nothing() -> None:
    """What saves at the commit, where the repository has saved already."""


@dataclass
class Storage:
    """One of the two, with what the tests ask of it besides."""

    transactions: Transactions
    repository: Repository[Command, Books]
    clock: ManualClock
    publish: Callable[[Programme], None]
    outbox: Callable[[], list[tuple[UUID, int]]]

    def do(self, *commands: Command) -> list[Any]:
        """Run commands in one transaction of their own; returns their answers."""
        with self.transactions.begin() as transaction:
            books, answers = self.decided(transaction, *commands)
            self.repository.save(transaction.connection, books)
            transaction.commit(nothing, [], [], [], self.clock.now())
        return answers

    def decided(self, transaction: Transaction, *commands: Command) -> tuple[Books, list[Any]]:
        """Lock, load and decide, but save nothing."""
        books = self.loaded(transaction, *commands)
        return books, [decide(books, each, self.clock.now()).answer for each in commands]

    def loaded(self, transaction: Transaction, *commands: Command) -> Books:
        books = self.repository.lock(transaction.connection, commands)
        self.repository.load(transaction.connection, books, commands)
        return books

    def look(self, *commands: Command) -> Books:
        """The books that the commands would be decided on."""
        with self.transactions.begin() as transaction:
            return self.loaded(transaction, *commands)


def in_memory(clock: ManualClock) -> Storage:
    tables = Tables()

    def publish(version: Programme) -> None:
        number = len(tables.programmes) + 2
        tables.programmes.append(replace(version, version=number))

    def outbox() -> list[tuple[UUID, int]]:
        return [(event.key, event.version) for event in tables.outbox]

    return Storage(tables, MemoryRepository(clock), clock, publish, outbox)


def on_postgresql(clock: ManualClock, url: str) -> Storage:
    engine = create_engine(url, application_name="test", pool_size=2, index_plans=True)
    numbers = iter(range(2, 1000))

    def publish(version: Programme) -> None:
        shelf = Shelf(0, None, [replace(version, version=next(numbers))])
        with engine.begin() as connection:
            ProgrammeRepository(clock).save(connection, shelf)

    def outbox() -> list[tuple[UUID, int]]:
        with psycopg.connect(url) as connection:
            rows = connection.execute("SELECT aggregateid, version FROM outbox ORDER BY seq")
            return list(rows.fetchall())

    transactions = PostgresTransactions(engine, "points")
    return Storage(transactions, PointsRepository(clock), clock, publish, outbox)


def buy(member: UUID, amount: int, at: datetime = START, **more: Any) -> PostCheckout:
    return PostCheckout(uuid4(), purchase(member, amount, occurred_at=at, **more))


def top_up(member: UUID, amount: int = 50_000, id_: UUID | None = None) -> TopUpStoredValue:
    return TopUpStoredValue(member, id_ or uuid4(), PLACE, amount, "CNY")


def reverse(command: PostCheckout, id_: UUID | None = None) -> ReverseCheckout:
    return ReverseCheckout(command.member_id, command.checkout_id, id_ or uuid4(), PLACE)


def shape(lot: Lot) -> tuple[object, ...]:
    return (lot.number, lot.asset, lot.amount, lot.remaining, lot.expired, lot.order)
