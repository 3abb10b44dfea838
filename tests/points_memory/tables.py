"""Tables in memory, with what PostgreSQL would refuse, and transactions that are all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import psycopg
from sqlalchemy import Connection

from chassis.storage.outbox import OutboxEvent
from chassis.storage.requests import Key, Recollection, Remembered, ToRemember
from services.points.domain.accounts import Account, Member
from services.points.domain.assets import Asset
from services.points.domain.commands import ImportBalance
from services.points.domain.journal import Entry
from services.points.domain.limits import Budget, Counter
from services.points.domain.lots import Lot, NextExpiry
from services.points.domain.movements import Adjustment, SoldValue, Transfer, TransferGroup
from services.points.domain.pending import PendingKey, PendingPoints
from services.points.domain.pins import Hold, HoldState
from services.points.domain.programme import Programme
from services.points.domain.records import (
    Checkout,
    CheckoutState,
    Extension,
    Reversal,
    TopUp,
    Warned,
)


@dataclass
class Tables:
    """What is committed. Rows are the domain's values, which nobody changes once they are here."""

    members: dict[UUID, Member] = field(default_factory=dict)
    lots: dict[UUID, dict[int, Lot]] = field(default_factory=dict)
    journal: list[Entry] = field(default_factory=list)
    versions: dict[tuple[UUID, int], Entry] = field(default_factory=dict)
    checkouts: dict[UUID, Checkout] = field(default_factory=dict)
    top_ups: dict[UUID, TopUp] = field(default_factory=dict)
    reversals: dict[UUID, Reversal] = field(default_factory=dict)
    extensions: dict[tuple[UUID, int], Extension] = field(default_factory=dict)
    warned: dict[UUID, set[Warned]] = field(default_factory=dict)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    hold_lots: dict[UUID, list[tuple[int, int]]] = field(default_factory=dict)
    sold: dict[UUID, SoldValue] = field(default_factory=dict)
    groups: dict[UUID, TransferGroup] = field(default_factory=dict)
    group_of: dict[UUID, UUID] = field(default_factory=dict)
    transfers: dict[UUID, Transfer] = field(default_factory=dict)
    adjustments: dict[UUID, Adjustment] = field(default_factory=dict)
    withdrawals: set[UUID] = field(default_factory=set)
    refunds: set[UUID] = field(default_factory=set)
    pending: dict[UUID, dict[PendingKey, PendingPoints]] = field(default_factory=dict)
    rule_usage: dict[Counter, int] = field(default_factory=dict)
    rule_budgets: dict[str, Budget] = field(default_factory=dict)
    imported: dict[tuple[UUID, str], ImportBalance] = field(default_factory=dict)
    programmes: list[Programme] = field(default_factory=list)
    requests: dict[Key, Remembered] = field(default_factory=dict)
    outbox: list[OutboxEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        """The last version's number is a budget's."""
        for programme in self.programmes:
            for code, rule in programme.rules.budgeted.items():
                self.rule_budgets[code] = Budget(rule.budget_points, 0)

    @contextmanager
    def begin(self) -> Iterator[MemoryTransaction]:
        """chassis.storage.transactions.Transactions: what is not committed never was."""
        yield MemoryTransaction(self)


@dataclass
class MemoryTransaction:
    """One transaction: it reads what is committed, and writes everything at its end.

    Nobody waits for locks, so two transactions at once are like two under READ COMMITTED whose
    members differ.
    """

    tables: Tables
    writes: list[Callable[[], None]] = field(default_factory=list)

    @property
    def connection(self) -> Connection:
        """Itself: the repository in memory knows what it is handed."""
        return cast("Connection", self)

    def together(self) -> AbstractContextManager[None]:
        return nullcontext()

    def remembered(self, keys: Sequence[Key]) -> Recollection:
        known = self.tables.requests
        return lambda: {key: known[key] for key in keys if key in known}

    def commit(
        self,
        save: Callable[[], None],
        events: Sequence[OutboxEvent],
        traceparents: Sequence[str],
        outcomes: Sequence[ToRemember],
        now: datetime,
    ) -> None:
        del traceparents, now  # kept by PostgreSQL, asked for by nobody in the ledger
        save()
        for each in outcomes:
            key = each.caller, each.request_id
            if key in self.tables.requests:
                raise psycopg.errors.UniqueViolation("requests_pkey")
            row = Remembered(each.fingerprint.method, each.fingerprint.field_macs, each.outcome)
            self.put(self.tables.requests, key, row)
        for write in self.writes:
            write()
        self.tables.outbox += events

    def put(self, table: dict[Any, Any], key: object, row: object) -> None:
        """Write a row when the transaction commits."""
        self.writes.append(lambda: table.__setitem__(key, row))


def of(connection: Connection) -> MemoryTransaction:
    """The transaction behind what the executor handed on."""
    return cast("MemoryTransaction", connection)


def member_row(member: Member) -> Member:
    """What a member's row keeps: no lots, of holds their number, of the next BONUS only its end."""
    row = copy(member)
    row.lots, row.holds, row.stored_holds = {}, {}, len(member.holds)
    row.pending = {}
    row.points, row.cash, row.bonus = (copy(account) for account in member.accounts())
    for account in row.accounts():
        account.open_lots, account.holds = None, row.holds
    row.points.incoming = Account(Asset.POINTS).incoming
    if row.bonus.next_expiry is not None:
        ends = row.bonus.next_expiry.expires_at
        row.bonus.next_expiry = NextExpiry(ends, ends, 0)
    return row


def check_member(member: Member) -> None:
    """members_nothing_negative, members_next_expiry_whole."""
    accounts = member.accounts()
    assert all(account.balance >= 0 for account in accounts), "members_nothing_negative"
    assert member.points_debt >= 0, "members_nothing_negative"
    within = all(0 <= account.held <= account.balance for account in accounts)
    assert within, "members_held_within_balance"
    assert member.points_pending >= 0, "members_pending"
    waits = member.next_maturing_at is not None
    assert waits == (member.points_pending > 0), "members_pending"
    held = any(account.held for account in accounts)
    assert held == bool(member.holds), "members_held_by_open_holds"
    first = member.points.next_expiry
    assert first is None or 0 < first.remaining <= member.points.balance, "members_next_expiry"


def check_lot(lot: Lot) -> None:
    """lots_within_amount, lots_cash_never_expires."""
    assert 0 <= lot.remaining <= lot.amount, "lots_within_amount"
    assert lot.amount > 0, "lots_within_amount"
    assert lot.expired >= 0, "lots_within_amount"
    assert 0 <= lot.held <= lot.remaining, "lots_held_within_remaining"
    assert lot.asset != "CASH" or lot.expires_at is None, "lots_cash_never_expires"


def not_null(record: Any, *nullable: str) -> None:
    """What PostgreSQL says of a column that must have a value."""
    names = getattr(record, "_fields", None) or [each.name for each in fields(record)]
    missing = [name for name in names if getattr(record, name) is None and name not in nullable]
    assert not missing, f"{type(record).__name__}: {missing} NOT NULL"


def check_entry(entry: Entry) -> None:
    """postings_move_something, _balance_not_negative, _move_a_lot, _refer."""
    not_null(entry, "reference_id", "merchant_id")
    for posting in entry.postings:
        not_null(posting, "lot_number", "funder")
        assert posting.amount, "postings_move_something"
        assert posting.balance_after >= 0, "postings_balance_not_negative"
        lotless = posting.house in {"DEBT", "ISSUED", "FUNDING"}
        assert lotless or posting.lot_number is not None, "postings_move_a_lot"
    if entry.postings:
        assert entry.kind == "EXPIRY" or entry.reference_id is not None, "postings_refer"


def checkout_row(checkout: Checkout) -> Checkout:
    """A copy that shares nothing that changes."""
    row = copy(checkout)
    row.taken_back = dict(checkout.taken_back)
    return row


def check_checkout(row: Checkout) -> None:
    """checkouts_posted_or_fenced, _resolved, _returned_within_bill, _reversed_when_all_is."""
    posted, reversed_ = row.answer is not None, row.state is CheckoutState.REVERSED
    assert posted == (row.state is not CheckoutState.CANCELLED), "checkouts_posted_or_fenced"
    resolved = row.state is not CheckoutState.POSTED
    assert resolved == (row.resolved_at is not None), "checkouts_resolved"
    if row.answer is None:
        return
    done = row.answer.posted
    not_null(done)
    paid = (done.points_value_minor, done.cash_paid_minor, done.bonus_paid_minor, done.to_pay_minor)
    parts = zip(row.returned.parts, paid, strict=True)
    assert all(0 <= back <= part for back, part in parts), "checkouts_returned_within_bill"
    if sum(paid):
        whole = row.returned.parts.amount_minor == sum(paid)
        assert reversed_ == whole, "checkouts_reversed_when_all_is"


def check_hold(hold: Hold) -> None:
    """holds_set_something_aside, _open_or_resolved, _told, _captured_within, _end_by_timeout."""
    given, is_open = hold.authorized_at is not None, hold.state is HoldState.OPEN
    assert given == any(hold.held), "holds_set_something_aside"
    assert is_open == (hold.resolved_at is None), "holds_open_or_resolved"
    assert given == (hold.version is not None), "holds_told"
    assert (given and not is_open) == (hold.resolved_version is not None), "holds_told"
    parts = zip(hold.captured, hold.held, strict=True)
    assert all(0 <= captured <= held for captured, held in parts), "holds_captured_within"
    assert hold.state is HoldState.CAPTURED or not any(hold.captured), "holds_captured_within"
    assert not given or (hold.checkout_id is None) != (hold.timeout_at is None), "holds_authorised"
    if hold.timeout_at is not None and hold.resolved_at is not None:
        timed_out = hold.state is HoldState.EXPIRED
        assert timed_out == (hold.resolved_at == hold.timeout_at), "holds_end_by_their_timeout"
        assert hold.resolved_at <= hold.timeout_at, "holds_end_by_their_timeout"
