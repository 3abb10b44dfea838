"""Writing the books: one statement a table and batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection

from chassis.storage import sets
from services.points.domain.accounts import Member
from services.points.domain.assets import EntryKind
from services.points.domain.journal import Entry
from services.points.domain.lots import Lot
from services.points.domain.purchases import Place
from services.points.domain.records import (
    Checkout,
    CheckoutState,
    PostedCheckout,
    Reversal,
    TopUp,
)
from services.points.storage import purchase_facts, tables

_columns = tables.columns_of


def insert_postings(connection: Connection, entries: Sequence[Entry]) -> None:
    rows = [
        (
            entry.member_id,
            entry.version,
            line,
            entry.kind,
            posting.asset,
            posting.house,
            posting.funder,
            posting.lot_number,
            posting.amount,
            posting.balance_after,
            posting.basis_minor,
            entry.posted_at,
            entry.reference_id,
            entry.merchant_id,
            entry.programme_version,
            posting.rule,
        )
        for entry in entries
        for line, posting in enumerate(entry.postings, 1)
    ]
    sets.insert_columns(connection, "postings", _columns(tables.POSTINGS, rows))


def insert_lots(connection: Connection, lots: Sequence[tuple[UUID, Lot]]) -> None:
    rows = [
        (
            member_id,
            lot.number,
            lot.asset,
            lot.amount,
            lot.earned_at,
            lot.expires_at,
            lot.remaining > 0,
            lot.remaining,
            lot.expired,
            lot.held,
        )
        for member_id, lot in lots
    ]
    sets.insert_columns(connection, "lots", _columns(tables.LOTS, rows))


def update_lots(connection: Connection, lots: Mapping[tuple[UUID, int], Lot]) -> None:
    """Save what is left of stored lots; a lot leaves the open index only when it is exhausted."""
    rows = [(lot.remaining > 0, lot.remaining, lot.expired, lot.held) for lot in lots.values()]
    sets.update_from_columns(
        connection,
        "lots",
        keys=_columns({"member_id": "uuid", "lot_number": "integer"}, list(lots)),
        values=_columns(tables.LOT_STATE, rows),
    )


def update_members(connection: Connection, members: Sequence[Member], *, holds: bool) -> None:
    """Save the accounts; what is held too, where the batch has changed `holds`."""
    types, rows = tables.MEMBER_BALANCES, [_balances(member) for member in members]
    if holds:
        types = {**types, **tables.MEMBER_HOLDS}
        rows = [(*row, *_held(member)) for row, member in zip(rows, members, strict=True)]
    sets.update_from_columns(
        connection,
        "members",
        keys={"member_id": ("uuid", [member.member_id for member in members])},
        values=_columns(types, rows),
    )


def _held(member: Member) -> Sequence[object]:
    timeouts = [hold.timeout_at for hold in member.holds.values() if hold.timeout_at is not None]
    return (
        member.points.held,
        member.cash.held,
        member.bonus.held,
        len(member.holds),
        min(timeouts, default=None),
    )


def _balances(member: Member) -> Sequence[object]:
    points, bonus = member.points.next_expiry, member.bonus.next_expiry
    return (
        member.version,
        member.last_posted_at,
        member.points.balance,
        member.cash.balance,
        member.bonus.balance,
        member.points_debt,
        *(points or (None, None, None)),
        bonus.expires_at if bonus else None,
        member.last_lot_number,
        member.purchases,
        member.points_pending,
        member.next_maturing_at,
    )


def insert_posted(connection: Connection, posted: Sequence[PostedCheckout]) -> None:
    """Save checkouts; what few have to do with holds takes columns that the others leave out."""
    plain, holding = [], []
    for each in posted:
        row, held = _checkout(each), _holds_after(each)
        if held is None:
            plain.append(row)
        else:
            holding.append((*row, *held))
    sets.insert_columns(connection, "checkouts", _columns(tables.CHECKOUTS, plain))
    types = {**tables.CHECKOUTS, **tables.CHECKOUT_HOLDS}
    sets.insert_columns(connection, "checkouts", _columns(types, holding))


def _holds_after(record: PostedCheckout) -> Sequence[object] | None:
    """What a checkout has to do with holds: it is a capture, or something was held after it."""
    entry, answer = record.checkout.entry, record.checkout.answer
    assert entry is not None, "a checkout is posted with its entry"
    assert answer is not None, "a checkout is posted with its answer"
    after = answer.posted.balances
    held = (after.points_held, after.cash_held_minor, after.bonus_held_minor)
    if entry.kind is EntryKind.CHECKOUT and not any(held):
        return None
    return (entry.kind, *held)


def _checkout(record: PostedCheckout) -> Sequence[object]:
    checkout = record.checkout
    assert checkout.answer is not None, "a checkout is posted with its answer"
    assert checkout.entry is not None, "a checkout is posted with its entry"
    posted = checkout.answer.posted
    after = posted.balances
    return (
        checkout.checkout_id,
        checkout.member_id,
        CheckoutState.POSTED,
        checkout.entry.version,
        checkout.answer.posted_at,
        record.occurred_at,
        record.currency,
        *_place(record.place),
        posted.programme_version,
        record.bill_minor,
        posted.points_value_minor,
        posted.to_pay_minor,
        after.points,
        after.cash_minor,
        after.bonus_minor,
        after.points_debt,
        after.next_expiring_points,
        after.next_expiry,
        after.points_pending,
        purchase_facts.encode(record.facts, posted.rule_faults) if record.facts else None,
    )


def insert_fences(connection: Connection, fenced: Sequence[Checkout]) -> None:
    rows = [
        (checkout.checkout_id, checkout.member_id, checkout.state, checkout.resolved_at)
        for checkout in fenced
    ]
    sets.insert_columns(connection, "checkouts", _columns(tables.FENCES, rows))


def insert_reversals(connection: Connection, reversals: Sequence[Reversal]) -> None:
    rows = [
        (
            reversal.answer.reversal_id,
            reversal.checkout_id,
            reversal.member_id,
            reversal.version,
            reversal.answer.reversed_at,
            *_place(reversal.place),
            reversal.answer.amount_minor,
            reversal.answer.points_value_minor,
            reversal.answer.points_restored,
            reversal.answer.cash_restored_minor,
            reversal.answer.bonus_restored_minor,
            reversal.answer.money_minor,
            reversal.answer.points_taken_back,
            reversal.answer.debt_recorded,
            reversal.answer.pending_cancelled,
        )
        for reversal in reversals
    ]
    sets.insert_columns(connection, "reversals", _columns(tables.REVERSALS, rows))


def update_reversed(connection: Connection, checkouts: Mapping[UUID, Checkout]) -> None:
    """Save what reversals have left of their checkouts, which are in the table by now."""
    rows = [(each.state, each.resolved_at, *_returned(each)) for each in checkouts.values()]
    sets.update_from_columns(
        connection,
        "checkouts",
        keys={"checkout_id": ("uuid", list(checkouts))},
        values=_columns(tables.REVERSED_CHECKOUTS, rows),
    )


def _returned(checkout: Checkout) -> Sequence[object]:
    parts, points = checkout.returned
    return (
        parts.amount_minor,
        points,
        parts.points_value_minor,
        parts.cash_minor,
        parts.bonus_minor,
    )


def insert_top_ups(connection: Connection, top_ups: Sequence[TopUp]) -> None:
    rows = [
        (
            top_up.answer.top_up_id,
            top_up.member_id,
            top_up.version,
            top_up.answer.posted_at,
            top_up.currency,
            *_place(top_up.place),
            top_up.answer.cash_added_minor,
            top_up.answer.bonus_added_minor,
            top_up.cash_lot_number,
            top_up.bonus_lot_number,
            top_up.tender,
        )
        for top_up in top_ups
    ]
    sets.insert_columns(connection, "top_ups", _columns(tables.TOP_UPS, rows))


def _place(place: Place) -> Sequence[object]:
    return (place.merchant_id, place.outlet_id, place.terminal_id, place.property_code)
