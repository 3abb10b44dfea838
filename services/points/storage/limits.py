"""Counters of caps and budgets of rules: loaded only where a batch's programme has any.

Counters stand under their members' locks. A budget is one row, locked once a batch, in the order of
the rules' codes, after all members: a programme with budgets lets its batches pass one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection, text

from chassis.kernel import Refusal
from chassis.storage import sets
from services.points.domain.books import Books
from services.points.domain.commands import Command, PostCheckout, ReverseCheckout
from services.points.domain.limits import WHOLE_LIFE, Budget, Counter, Limits, counters_of
from services.points.domain.rules import RuleBook

_ON_CONFLICT = """
(member_id, rule, period) DO UPDATE SET points = EXCLUDED.points, changed_at = now()
"""
_PURGE_DAYS = text("""
DELETE FROM rule_usage WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM rule_usage WHERE changed_at < :before AND period <> :life
    LIMIT :limit FOR UPDATE SKIP LOCKED))
""")


def load(connection: Connection, books: Books, commands: Sequence[Command], *, lock: bool) -> None:
    """Read what capped and budgeted rules have given so far; budgets are locked if asked."""
    counters: set[Counter] = set()
    budgets: set[str] = set()
    for command in commands:
        found = _asked(books, command)
        if found is not None:
            rules, member_id, day = found
            counters.update(counters_of(rules, member_id, day))
            budgets.update(rules.budgeted)
    _load_counters(connection, books.limits, sorted(counters))
    _load_budgets(connection, books.limits, sorted(budgets), lock=lock)


def _asked(books: Books, command: Command) -> tuple[RuleBook, UUID, date] | None:
    """The rules, member and day whose limits a command may touch; None where there are none."""
    try:
        if isinstance(command, PostCheckout):
            purchase = command.purchase
            rules = books.programmes.valid_at(purchase.occurred_at).rules
            if rules.limited:
                local = purchase.occurred_at.astimezone(purchase.place.zone)
                return rules, command.member_id, local.date()
        elif isinstance(command, ReverseCheckout):
            checkout = books.checkouts.get(command.checkout_id)
            if checkout is not None and checkout.entry is not None and checkout.day is not None:
                rules = books.programmes.get(checkout.entry.programme_version).rules
                return (rules, checkout.member_id, checkout.day) if rules.limited else None
    except Refusal:
        return None  # deciding will say so
    return None


def _load_counters(connection: Connection, limits: Limits, counters: Sequence[Counter]) -> None:
    rows = sets.select_by_keys(
        connection,
        "rule_usage",
        {
            "member_id": ("uuid", [each.member_id for each in counters]),
            "rule": ("text", [each.rule for each in counters]),
            "period": ("text", [each.period for each in counters]),
        },
        select=("member_id", "rule", "period", "points"),
    )
    for member_id, rule, period, points in rows:
        limits.given[Counter(member_id, rule, period)] = points


def _load_budgets(
    connection: Connection, limits: Limits, rules: Sequence[str], *, lock: bool
) -> None:
    rows = sets.select_by_keys(
        connection,
        "rule_budgets",
        {"rule": ("text", rules)},
        select=("rule", "budget_points", "given_points"),
        lock=lock,
    )
    for rule, budget_points, given_points in rows:
        limits.budgets[rule] = Budget(budget_points, given_points)


def save(connection: Connection, limits: Limits) -> None:
    """Write the counters and budgets that changed."""
    touched = sorted(limits.touched)
    sets.insert_columns(
        connection,
        "rule_usage",
        {
            "member_id": ("uuid", [each.member_id for each in touched]),
            "rule": ("text", [each.rule for each in touched]),
            "period": ("text", [each.period for each in touched]),
            "points": ("bigint", [limits.given[each] for each in touched]),
        },
        on_conflict=_ON_CONFLICT,
    )
    rules = sorted(limits.touched_budgets)
    sets.update_from_columns(
        connection,
        "rule_budgets",
        keys={"rule": ("text", rules)},
        values={"given_points": ("bigint", [limits.budgets[each].given_points for each in rules])},
    )


def purge_day_counters(connection: Connection, before: datetime, limit: int) -> int:
    """Delete at most `limit` counters of single days that last changed before an instant.

    Returns how many. Counters of a rule's whole life are kept: no day ends them.
    """
    bounds = {"before": before, "life": WHOLE_LIFE, "limit": limit}
    return connection.execute(_PURGE_DAYS, bounds).rowcount
