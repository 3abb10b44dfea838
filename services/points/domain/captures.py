"""Captures: spending a direct hold; a checkout's hold is captured by posting its checkout."""

from __future__ import annotations

from datetime import datetime

from services.points.domain import errors
from services.points.domain.accounts import Member
from services.points.domain.activity import extend_points
from services.points.domain.answers import CaptureAnswer, PostAnswer, Posted
from services.points.domain.assets import EntryKind
from services.points.domain.books import Books
from services.points.domain.commands import CaptureHold
from services.points.domain.dues import settle_due
from services.points.domain.events import Event, HoldCaptured
from services.points.domain.holds import open_hold
from services.points.domain.journal import Entry, open_entry
from services.points.domain.pins import Hold, parts_to_capture
from services.points.domain.programme import MINOR_PER_UNIT, Programme
from services.points.domain.records import Checkout, CheckoutState, PostedCheckout
from services.points.domain.resolving import release_rest, spend_pins


def capture(books: Books, command: CaptureHold, now: datetime) -> tuple[CaptureAnswer, list[Event]]:
    """Spend all or part of a direct hold, out of its very lots, and release the rest.

    It earns nothing. It is kept as a checkout under the hold's id, so that it can be reversed as
    one. Refuses HOLD_NOT_FOUND, HOLD_CAPTURED, HOLD_RELEASED, HOLD_EXPIRED, HOLD_OF_CHECKOUT,
    CHECKOUT_EXISTS, CURRENCY_MISMATCH, CAPTURE_EXCEEDS_HOLD.
    """
    member = books.members[command.member_id]
    hold = _hold_to_capture(books, member, command, now)
    programme = books.programmes.valid_at(now)
    captured = parts_to_capture(hold, command.points, command.stored_value_minor)

    # From here on nothing is refused.
    events: list[Event] = settle_due(books, member, now)
    zone = command.place.zone
    events += extend_points(books, member, programme, hold.hold_id, now, zone, now)
    pins, expired = release_rest(books, member, hold, captured, now)
    events += expired
    entry = open_entry(
        member,
        EntryKind.CAPTURE,
        now,
        hold.hold_id,
        command.place.merchant_id,
        programme.version,
    )
    spend_pins(books, member, entry, hold, captured, pins)
    books.changes.entries.append(entry)
    answer = CaptureAnswer(
        hold.hold_id, now, captured, hold.held.without(captured), member.balances()
    )
    _record(books, command, hold, programme, entry, answer)
    events.append(HoldCaptured(member.member_id, command.place, hold.currency, answer))
    return answer, events


def _hold_to_capture(books: Books, member: Member, command: CaptureHold, now: datetime) -> Hold:
    hold = open_hold(books, member, command.hold_id, now)
    if hold.checkout_id is not None:
        raise errors.hold_of_checkout(hold.hold_id, hold.checkout_id)
    if hold.hold_id in books.checkouts:
        raise errors.checkout_exists(hold.hold_id)
    if command.currency != hold.currency:
        raise errors.currency_mismatch(hold.currency)
    return hold


def _record(
    books: Books,
    command: CaptureHold,
    hold: Hold,
    programme: Programme,
    entry: Entry,
    answer: CaptureAnswer,
) -> None:
    """Keep the capture as a posted checkout of its own id; its bill is what was captured.

    Points count as the programme would take them at a till, rounded up to whole fen: they are
    never worth nothing.
    """
    captured = answer.captured
    worth = -(-captured.points * MINOR_PER_UNIT // programme.redemption.points_per_unit)
    posted = Posted(
        points_redeemed=captured.points,
        points_value_minor=worth,
        cash_paid_minor=captured.cash_minor,
        bonus_paid_minor=captured.bonus_minor,
        to_pay_minor=0,
        points_earned=0,
        debt_collected=0,
        earned_by=(),
        programme_version=programme.version,
        balances=answer.balances,
    )
    checkout = Checkout(
        hold.hold_id,
        hold.member_id,
        CheckoutState.POSTED,
        entry,
        PostAnswer(hold.hold_id, entry.posted_at, posted),
    )
    books.checkouts[hold.hold_id] = checkout
    books.changes.posted.append(
        PostedCheckout(
            checkout,
            command.place,
            entry.posted_at,
            hold.currency,
            worth + captured.stored_value_minor,
        )
    )
