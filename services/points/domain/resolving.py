"""Resolving holds: giving pins back, spending them, and the one end that each hold has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.points.domain.accounts import Member
from services.points.domain.assets import Asset, House
from services.points.domain.books import Books
from services.points.domain.events import Event, HoldExpired, HoldReleased
from services.points.domain.expiry import expire_due
from services.points.domain.journal import Entry, next_version
from services.points.domain.pins import Amounts, Hold, HoldState, Pin

_SPENT_AGAINST = {
    Asset.POINTS: House.REDEEMED,
    Asset.CASH: House.SETTLEMENT,
    Asset.BONUS: House.SETTLEMENT,
}


def release_rest(
    books: Books, member: Member, hold: Hold, captured: Amounts, now: datetime
) -> tuple[list[Pin], list[Event]]:
    """Divide a hold's pins, soonest expiry first, into what is captured and what is not.

    The rest is given back; of it, what lay in expired lots expires as its own entry, whose event
    is returned beside the captured pins.
    """
    left = {asset: captured.of(asset) for asset in Asset}
    taken, rest = [], []
    for lot, amount in hold.pinned():
        part = min(amount, left[lot.asset])
        left[lot.asset] -= part
        if part:
            taken.append(Pin(lot, part))
        if part < amount:
            rest.append(Pin(lot, amount - part))
    _unpin(books, member, rest)
    return taken, [*expire_due(books, member, now)]


def spend_pins(
    books: Books, member: Member, entry: Entry, hold: Hold, captured: Amounts, pins: Sequence[Pin]
) -> None:
    """Post what was captured, lot by lot, and close the hold."""
    for lot, amount in pins:
        account = member.account(lot.asset)
        account.take_pinned(lot, amount)
        entry.post(account, -amount, _SPENT_AGAINST[lot.asset], lot)
        books.changes.touch(member, lot)
    hold.captured = captured
    close_hold(books, member, hold, HoldState.CAPTURED, entry.posted_at, entry.version)


def release_hold(books: Books, member: Member, hold: Hold, now: datetime) -> list[Event]:
    """Give all of an open hold back; what lay in expired lots expires as its own entry."""
    _unpin(books, member, hold.pinned())
    close_hold(books, member, hold, HoldState.RELEASED, now, next_version(member, now))
    released = HoldReleased(
        member.member_id, hold.hold_id, hold.checkout_id, now, hold.held, member.balances()
    )
    return [released, *expire_due(books, member, now)]


def expire_holds(books: Books, member: Member, now: datetime) -> list[HoldExpired]:
    """Resolve every hold whose timeout has come, the earliest first.

    What they give back to expired lots is due then, and taken out by whoever expires those next.
    """
    if not member.holds:
        return []
    timed_out = [
        (hold.timeout_at, hold.hold_id, hold)
        for hold in member.holds.values()
        if hold.timeout_at is not None and hold.timed_out(now)
    ]
    events = []
    for timeout_at, _, hold in sorted(timed_out, key=lambda each: each[:2]):
        _unpin(books, member, hold.pinned())
        version = next_version(member, now)
        close_hold(books, member, hold, HoldState.EXPIRED, timeout_at, version)
        events.append(
            HoldExpired(
                member.member_id, hold.hold_id, timeout_at, now, hold.held, member.balances()
            )
        )
    return events


def close_hold(
    books: Books,
    member: Member,
    hold: Hold,
    state: HoldState,
    resolved_at: datetime,
    version: int,
) -> None:
    """Give the hold its one end, told by the event of `version`; its pins are gone."""
    assert hold.state is HoldState.OPEN, "a hold resolves once"
    hold.state, hold.resolved_at, hold.resolved_version = state, resolved_at, version
    hold.pins = []
    del member.holds[hold.hold_id]
    if hold.checkout_id is not None:
        del books.checkout_holds[hold.checkout_id]
    books.changes.resolve(hold)


def _unpin(books: Books, member: Member, pins: Sequence[Pin]) -> None:
    for lot, amount in pins:
        member.account(lot.asset).unpin(lot, amount)
        books.changes.touch(member, lot)
