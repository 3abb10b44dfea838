"""Random ledgers as plain rows, put into a database for one transaction that is never kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from chassis.storage import sets

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 200
MEMBERS = sorted(uuid4() for _ in range(3))
MERCHANTS = sorted(uuid4() for _ in range(2))
GIVING = [
    ("ISSUED", "ISSUER", "BASE"),
    ("ISSUED", "ISSUER", "BONUS"),
    ("FUNDING", "MERCHANT", "GOLD"),
]
SPENDING = ["REDEEMED", "EXPIRED", "ISSUED"]


class Posting(NamedTuple):
    member_id: UUID
    version: int
    line: int
    asset: str
    house: str
    funder: str | None
    lot_number: int
    amount: int
    balance_after: int
    posted_at: datetime
    merchant_id: UUID | None
    rule: str


class Lot(NamedTuple):
    member_id: UUID
    lot_number: int
    asset: str
    amount: int
    remaining: int
    expired: int
    earned_at: datetime
    expires_at: datetime | None


class Ledger(NamedTuple):
    postings: list[Posting]
    lots: list[Lot]


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    """Lots that one to three sources gave, and what became of them, a day an entry."""
    postings: list[Posting] = []
    lots: list[Lot] = []
    for member in MEMBERS:
        day, version, balance = 0, 0, 0
        remaining: dict[int, int] = {}
        for number in range(1, draw(st.integers(0, 4)) + 1):
            version += 1
            day += draw(st.integers(0, 40))
            at = BEGIN + timedelta(days=day)
            sources = draw(st.lists(st.sampled_from(GIVING), min_size=1, max_size=3))
            merchant = draw(st.sampled_from(MERCHANTS))
            for line, (house, funder, rule) in enumerate(sources, 1):
                amount = draw(st.integers(1, 50))
                balance += amount
                remaining[number] = remaining.get(number, 0) + amount
                postings.append(
                    Posting(member, version, line, "POINTS", house, funder, number, amount, balance,
                            at, merchant, rule)
                )  # fmt: skip
            given, gone_by_expiry = remaining[number], 0
            for _ in range(draw(st.integers(0, 3))):
                amount = draw(st.integers(0, remaining[number]))
                if not amount:
                    continue
                version += 1
                day += draw(st.integers(0, 20))
                balance -= amount
                remaining[number] -= amount
                house = draw(st.sampled_from(SPENDING))
                gone_by_expiry += amount if house == "EXPIRED" else 0
                postings.append(
                    Posting(member, version, 1, "POINTS", house, None, number, -amount, balance,
                            BEGIN + timedelta(days=day), None, "")
                )  # fmt: skip
            expires_at = at + timedelta(days=100) if draw(st.booleans()) else None
            lots.append(
                Lot(member, number, "POINTS", given, remaining[number], gone_by_expiry, at,
                    expires_at)
            )  # fmt: skip
    return Ledger(postings, lots)


instants = st.integers(-1, DAYS).map(lambda day: BEGIN + timedelta(days=day))


@contextmanager
def put_into(engine: Engine, ledger: Ledger) -> Iterator[Connection]:
    """A transaction in which the ledger is all there is; rolled back at the end."""
    with engine.connect() as connection:
        driver = sets.driver(connection)
        with driver.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO postings VALUES (%s, %s, %s, 'CHECKOUT', %s, %s, %s, %s, %s, %s, 0, "
                "%s, gen_random_uuid(), %s, 1, %s)",
                [(*each[:9], *each[9:]) for each in ledger.postings],
            )
            cursor.executemany(
                "INSERT INTO lots VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [(*each[:3], each.remaining > 0, *each[3:]) for each in ledger.lots],
            )
        yield connection
        connection.rollback()


def sum_of(ledger: Ledger, which: Callable[[Posting], bool]) -> int:
    return sum(posting.amount for posting in ledger.postings if which(posting))
