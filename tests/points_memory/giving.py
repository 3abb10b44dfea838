"""Pending points, and what capped and budgeted rules have given, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from datetime import datetime
from uuid import UUID

from services.points.domain.books import Books
from services.points.domain.commands import Command, ReverseCheckout
from services.points.domain.limits import Limits, counters_of
from services.points.domain.pending import PendingKey, PendingPoints
from services.points.storage import limits as real
from tests.points_memory.tables import MemoryTransaction, Tables, not_null


def load_pending(tables: Tables, books: Books, commands: Sequence[Command], now: datetime) -> None:
    """Open ones where something is due or may be cancelled, and all of checkouts to be undone."""
    reverses = [each for each in commands if isinstance(each, ReverseCheckout)]
    reversing = {each.member_id for each in reverses}
    found = [books.checkouts.get(each.checkout_id) for each in reverses]
    entries = {(each.member_id, each.entry.version) for each in found if each and each.entry}
    for member in books.members.values():
        due = member.next_maturing_at is not None and (
            member.next_maturing_at <= now or member.member_id in reversing
        )
        for key, pending in tables.pending.get(member.member_id, {}).items():
            if (due and pending.open) or (member.member_id, key.version) in entries:
                member.load_pending(copy(pending))


def load_limits(tables: Tables, books: Books, commands: Sequence[Command]) -> None:
    """Counters and budgets that the commands may ask for or change."""
    for command in commands:
        asked = real._asked(books, command)
        if asked is not None:
            rules, member_id, day = asked
            for counter in counters_of(rules, member_id, day):
                if counter in tables.rule_usage:
                    books.limits.given[counter] = tables.rule_usage[counter]
            for code in rules.budgeted:
                books.limits.budgets[code] = copy(tables.rule_budgets[code])


def write_new(transaction: MemoryTransaction, new: Sequence[tuple[UUID, PendingPoints]]) -> None:
    for member_id, pending in new:
        assert pending.key not in transaction.tables.pending.get(member_id, {}), "pending_pkey"
        _write(transaction, member_id, pending)


def write_touched(
    transaction: MemoryTransaction, touched: Mapping[tuple[UUID, PendingKey], PendingPoints]
) -> None:
    for (member_id, key), pending in touched.items():
        stored = transaction.tables.pending.get(member_id, {}).get(key)
        assert stored is None or stored.open, "what has matured or was cancelled is final"
        _write(transaction, member_id, pending)


def _write(transaction: MemoryTransaction, member_id: UUID, pending: PendingPoints) -> None:
    not_null(pending, "expires_at", "resolved_version", "lot_number")
    assert 0 <= pending.cancelled <= pending.points, "pending_cancelled_within"
    assert pending.open == (pending.resolved_version is None), "pending_resolved"
    table, row = transaction.tables.pending, copy(pending)
    transaction.writes.append(lambda: table.setdefault(member_id, {}).update({row.key: row}))


def write_limits(transaction: MemoryTransaction, limits: Limits) -> None:
    for counter in limits.touched:
        transaction.put(transaction.tables.rule_usage, counter, limits.given[counter])
    for code in limits.touched_budgets:
        budget = limits.budgets[code]
        assert 0 <= budget.given_points <= budget.budget_points, "rule_budgets_never_overshot"
        transaction.put(transaction.tables.rule_budgets, code, copy(budget))
