"""Random ledgers as plain rows, put into a database for one transaction that is never kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
    reference_id: UUID
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


class Transfer(NamedTuple):
    transfer_id: UUID
    giver: UUID
    giver_version: int
    receiver: UUID
    receiver_version: int
    at: datetime
    points: int


class Ledger(NamedTuple):
    postings: list[Posting]
    lots: list[Lot]
    transfers: list[Transfer]


@dataclass
class Guest:
    """A member while a ledger is drawn: a day an entry."""

    member: UUID
    day: int = 0
    version: int = 0
    balance: int = 0
    lots: list[Lot] = field(default_factory=list)

    @property
    def at(self) -> datetime:
        return BEGIN + timedelta(days=self.day)

    def enter(self, days: int) -> None:
        """Begin the next entry, so many days after the last."""
        self.version += 1
        self.day += days


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    """Lots that one to three sources gave, passed on or not, and what became of them."""
    guests = [Guest(member) for member in MEMBERS]
    ledger = Ledger([], [], [])
    for _ in range(draw(st.integers(0, 9))):
        _earn(draw, ledger, draw(st.sampled_from(guests)))
        for _ in range(draw(st.integers(0, 2))):
            _spend(draw, ledger, draw(st.sampled_from(guests)))
        if draw(st.booleans()):
            giver, receiver = draw(st.permutations(guests))[:2]
            _pass_on(draw, ledger, giver, receiver)
    ledger.lots.extend(lot for guest in guests for lot in guest.lots)
    return ledger


def _earn(draw: st.DrawFn, ledger: Ledger, guest: Guest) -> None:
    guest.enter(draw(st.integers(0, 40)))
    sources = draw(st.lists(st.sampled_from(GIVING), min_size=1, max_size=3))
    merchant = draw(st.sampled_from(MERCHANTS))
    number, given = len(guest.lots) + 1, 0
    for line, (house, funder, rule) in enumerate(sources, 1):
        amount = draw(st.integers(1, 50))
        given += amount
        _post(ledger, guest, line, house, number, amount, funder, merchant, rule)
    expires_at = guest.at + timedelta(days=100) if draw(st.booleans()) else None
    guest.lots.append(Lot(guest.member, number, "POINTS", given, given, 0, guest.at, expires_at))


def _spend(draw: st.DrawFn, ledger: Ledger, guest: Guest) -> None:
    lot = _some_lot(draw, guest)
    if lot is None:
        return
    guest.enter(draw(st.integers(0, 20)))
    amount = draw(st.integers(1, lot.remaining))
    house = draw(st.sampled_from(SPENDING))
    _post(ledger, guest, 1, house, lot.lot_number, -amount)
    expired = amount if house == "EXPIRED" else 0
    _change(guest, lot, -amount, expired)


def _pass_on(draw: st.DrawFn, ledger: Ledger, giver: Guest, receiver: Guest) -> None:
    """One or two parts of the giver's lots, each a lot of the receiver's own."""
    parts = [lot for lot in giver.lots if lot.remaining][: draw(st.integers(0, 2))]
    if not parts:
        return
    giver.enter(draw(st.integers(0, 20)))
    receiver.enter(0)
    giver.day = receiver.day = max(giver.day, receiver.day)
    id_, points = uuid4(), 0
    for line, lot in enumerate(parts, 1):
        amount = draw(st.integers(1, lot.remaining))
        number, points = len(receiver.lots) + 1, points + amount
        _post(ledger, giver, line, "TRANSFER", lot.lot_number, -amount, reference=id_)
        _post(ledger, receiver, line, "TRANSFER", number, amount, reference=id_)
        _change(giver, lot, -amount, 0)
        receiver.lots.append(
            Lot(receiver.member, number, "POINTS", amount, amount, 0, *lot[6:])
        )  # fmt: skip
    ledger.transfers.append(
        Transfer(
            id_, giver.member, giver.version, receiver.member, receiver.version, giver.at, points
        )
    )


def _some_lot(draw: st.DrawFn, guest: Guest) -> Lot | None:
    lots = [lot for lot in guest.lots if lot.remaining]
    return draw(st.sampled_from(lots)) if lots else None


def _change(guest: Guest, lot: Lot, remaining: int, expired: int) -> None:
    guest.lots[lot.lot_number - 1] = lot._replace(
        remaining=lot.remaining + remaining, expired=lot.expired + expired
    )


def _post(
    ledger: Ledger,
    guest: Guest,
    line: int,
    house: str,
    number: int,
    amount: int,
    funder: str | None = None,
    merchant: UUID | None = None,
    rule: str = "",
    reference: UUID | None = None,
) -> None:
    guest.balance += amount
    ledger.postings.append(
        Posting(guest.member, guest.version, line, "POINTS", house, funder, number, amount,
                guest.balance, guest.at, reference or uuid4(), merchant, rule)
    )  # fmt: skip


instants = st.integers(-1, DAYS).map(lambda day: BEGIN + timedelta(days=day))


@contextmanager
def put_into(engine: Engine, ledger: Ledger) -> Iterator[Connection]:
    """A transaction in which the ledger is all there is; rolled back at the end."""
    with engine.connect() as connection:
        driver = sets.driver(connection)
        with driver.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO postings VALUES (%s, %s, %s, 'CHECKOUT', %s, %s, %s, %s, %s, %s, 0, "
                "%s, %s, %s, 1, %s)",
                ledger.postings,
            )
            cursor.executemany(
                "INSERT INTO transfers VALUES (%s, gen_random_uuid(), %s, %s, %s, %s, %s, now(), "
                "%s, '')",
                ledger.transfers,
            )
            cursor.executemany(
                "INSERT INTO lots VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [(*each[:3], each.remaining > 0, *each[3:]) for each in ledger.lots],
            )
        yield connection
        connection.rollback()


def sum_of(ledger: Ledger, which: Callable[[Posting], bool]) -> int:
    return sum(posting.amount for posting in ledger.postings if which(posting))
