"""Holds: setting value aside, giving it back, and finding the hold that a command names."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.points.domain import errors
from services.points.domain.accounts import Member
from services.points.domain.answers import AuthorizeAnswer, ReleaseAnswer
from services.points.domain.books import Books
from services.points.domain.commands import AuthorizeHold, PostCheckout, ReleaseHold
from services.points.domain.dues import settle_due
from services.points.domain.events import Event, HoldAuthorized
from services.points.domain.journal import next_version
from services.points.domain.pins import NOTHING, Amounts, Hold, HoldState, Pin
from services.points.domain.programme import SpendOrder
from services.points.domain.records import CheckoutState
from services.points.domain.resolving import release_hold
from services.points.domain.tenders import split_stored_value

OPEN_HOLDS_MAX = 100
"""How many holds of one member may be open, so that its books stay small."""


def authorize(
    books: Books, command: AuthorizeHold, now: datetime
) -> tuple[AuthorizeAnswer, list[Event]]:
    """Pin the very lots that spending the same amounts now would take.

    Refuses HOLD_EXISTS, HOLD_RELEASED, CHECKOUT_EXISTS, CHECKOUT_CANCELLED, CHECKOUT_HAS_HOLD,
    CURRENCY_MISMATCH, TOO_MANY_HOLDS, INSUFFICIENT_POINTS, INSUFFICIENT_STORED_VALUE.
    """
    member = books.members[command.member_id]
    _check_ids(books, command)
    if command.currency != member.currency:
        raise errors.currency_mismatch(member.currency)
    if sum(not hold.timed_out(now) for hold in member.holds.values()) >= OPEN_HOLDS_MAX:
        raise errors.too_many_holds(OPEN_HOLDS_MAX)
    spend_order = books.programmes.valid_at(now).stored_value.spend_order
    parts = _parts_to_hold(member, command, spend_order, now)

    # From here on nothing is refused.
    events: list[Event] = settle_due(books, member, now)
    timeout_at = None if command.timeout is None else now + command.timeout
    hold = Hold(
        command.hold_id,
        member.member_id,
        HoldState.OPEN,
        command.currency,
        parts,
        command.checkout_id,
        now,
        timeout_at,
        _pin(books, member, parts),
        merchant_id=command.place.merchant_id,
    )
    member.holds[hold.hold_id] = books.holds[hold.hold_id] = hold
    if hold.checkout_id is not None:
        books.checkout_holds[hold.checkout_id] = hold
    books.changes.new_holds[hold.hold_id] = hold
    hold.version = next_version(member, now)
    answer = AuthorizeAnswer(hold.hold_id, now, timeout_at, parts, member.balances())
    events.append(
        HoldAuthorized(member.member_id, command.place, hold.checkout_id, command.currency, answer)
    )
    return answer, events


def release(books: Books, command: ReleaseHold, now: datetime) -> tuple[ReleaseAnswer, list[Event]]:
    """Give an open hold back, or make sure that the id is never authorised.

    Refuses HOLD_NOT_FOUND for one of another member, and the state of one resolved before.
    """
    member = books.members[command.member_id]
    if command.hold_id not in books.holds:
        return _fence(books, member, command.hold_id, now)
    hold = open_hold(books, member, command.hold_id, now)

    # From here on nothing is refused.
    events: list[Event] = settle_due(books, member, now)
    events += release_hold(books, member, hold, now)
    return ReleaseAnswer(hold.hold_id, now, hold.held, member.balances()), events


def open_hold(books: Books, member: Member, hold_id: UUID, now: datetime) -> Hold:
    """The member's hold of this id, which is open at `now`.

    Refuses HOLD_NOT_FOUND, HOLD_CAPTURED, HOLD_RELEASED, HOLD_EXPIRED.
    """
    hold = books.holds.get(hold_id)
    if hold is None or hold.member_id != member.member_id:
        raise errors.hold_not_found(hold_id)
    state = hold.state_at(now)
    if state is HoldState.CAPTURED:
        raise errors.hold_captured(hold_id)
    if state is HoldState.RELEASED:
        raise errors.hold_released(hold_id)
    if state is HoldState.EXPIRED:
        assert hold.timeout_at is not None, "only a hold with a timeout expires"
        raise errors.hold_expired(hold_id, hold.timeout_at)
    return hold


def hold_to_post_with(
    books: Books, member: Member, command: PostCheckout, now: datetime
) -> Hold | None:
    """The hold that a purchase is paid out of, None where it is paid out of what is free.

    A hold that carries a checkout id fits that checkout only, and a checkout that has an open hold
    of the member must name it: it would never end otherwise. Refuses as `open_hold` does,
    HOLD_OF_CHECKOUT and CHECKOUT_HAS_HOLD.
    """
    hold = None
    if command.hold_id is not None:
        hold = open_hold(books, member, command.hold_id, now)
        if hold.checkout_id is not None and hold.checkout_id != command.checkout_id:
            raise errors.hold_of_checkout(hold.hold_id, hold.checkout_id)
    own = books.checkout_holds.get(command.checkout_id)
    if own is not None and own is not hold and own.member_id == member.member_id:
        raise errors.checkout_has_hold(command.checkout_id, own.hold_id)
    return hold


def _check_ids(books: Books, command: AuthorizeHold) -> None:
    """Refuse a hold id that was used or fenced, and a checkout that can have no hold any more."""
    known = books.holds.get(command.hold_id)
    if known is not None:
        if known.state is HoldState.RELEASED and known.member_id == command.member_id:
            raise errors.hold_released(command.hold_id)
        raise errors.hold_exists(command.hold_id)
    if command.checkout_id is None:
        if command.hold_id in books.checkouts:
            raise errors.hold_exists(command.hold_id)
        return
    checkout = books.checkouts.get(command.checkout_id)
    if checkout is not None:
        if checkout.state is CheckoutState.CANCELLED and checkout.member_id == command.member_id:
            raise errors.checkout_cancelled(command.checkout_id)
        raise errors.checkout_exists(command.checkout_id)
    other = books.checkout_holds.get(command.checkout_id)
    if other is not None:
        raise errors.checkout_has_hold(command.checkout_id, other.hold_id)


def _parts_to_hold(
    member: Member, command: AuthorizeHold, spend_order: SpendOrder, now: datetime
) -> Amounts:
    available = member.points.available(now)
    if command.points > available:
        raise errors.insufficient_points(available)
    cash, bonus = member.cash.available(now), member.bonus.available(now)
    if command.stored_value_minor > cash + bonus:
        raise errors.insufficient_stored_value(cash + bonus)
    split = split_stored_value(command.stored_value_minor, cash, bonus, spend_order)
    return Amounts(command.points, *split)


def _pin(books: Books, member: Member, parts: Amounts) -> list[Pin]:
    pins = []
    for account in member.accounts():
        if amount := parts.of(account.asset):
            for lot, part in account.pin(amount):
                pins.append(Pin(lot, part))
                books.changes.touch(member, lot)
    return pins


def _fence(
    books: Books, member: Member, hold_id: UUID, now: datetime
) -> tuple[ReleaseAnswer, list[Event]]:
    """Leave a tombstone: whoever authorises this id later comes too late."""
    events: list[Event] = settle_due(books, member, now)
    fence = Hold(hold_id, member.member_id, HoldState.RELEASED, resolved_at=now)
    books.holds[hold_id] = books.changes.new_holds[hold_id] = fence
    return ReleaseAnswer(hold_id, now, NOTHING, member.balances()), events
