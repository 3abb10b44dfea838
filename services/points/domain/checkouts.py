"""Checkouts: booking a purchase, and settling one that is in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.points.domain import errors
from services.points.domain.accounts import Member
from services.points.domain.activity import extend_points
from services.points.domain.answers import CancelAnswer, PostAnswer, Posted
from services.points.domain.assets import EntryKind, House
from services.points.domain.books import Books
from services.points.domain.commands import CancelPost, PostCheckout
from services.points.domain.crediting import hold_back, put_earned
from services.points.domain.dues import settle_due
from services.points.domain.earning import EarnedBy, earned_points
from services.points.domain.events import CheckoutPosted, Event, PointsExtended
from services.points.domain.holds import hold_to_post_with
from services.points.domain.inquiry import Inquiry, RuleFault
from services.points.domain.journal import Entry, open_entry
from services.points.domain.pending import with_waiting
from services.points.domain.pins import Amounts, Hold, Pin
from services.points.domain.programme import Programme
from services.points.domain.purchases import Purchase, check_occurred_at
from services.points.domain.records import (
    Checkout,
    CheckoutState,
    KeptFacts,
    PostedCheckout,
)
from services.points.domain.resolving import release_hold, release_rest, spend_pins
from services.points.domain.tenders import Tenders, plan_tenders


def post(books: Books, command: PostCheckout, now: datetime) -> tuple[PostAnswer, list[Event]]:
    """Book a purchase: redeem points, pay with stored value, earn; all or, refused, nothing.

    `Quote` runs this very function on a state that is thrown away.
    """
    purchase = command.purchase
    _check_checkout_id(books, command)
    check_occurred_at(purchase, now)
    programme = books.programmes.valid_at(purchase.occurred_at)
    member = books.members[purchase.member_id]
    if purchase.currency != member.currency:
        raise errors.currency_mismatch(member.currency)
    hold = hold_to_post_with(books, member, command, now)
    tenders = _tenders(member, command, programme, now, hold)
    not_earning = tenders.points_value_minor + tenders.bonus_minor
    inquiry = open_inquiry(books, member, purchase)
    earned = plan_earning(programme, inquiry, not_earning, now)

    # From here on nothing is refused.
    events: list[Event] = settle_due(books, member, now)
    if earned or tenders.to_pay_minor < purchase.bill_minor:
        events += _extend(books, command, programme, now)
    captured = Amounts(tenders.points, tenders.cash_minor, tenders.bonus_minor)
    pins: list[Pin] = []
    if hold is not None:
        pins, expired = release_rest(books, member, hold, captured, now)
        events += expired
    entry = open_entry(
        member,
        EntryKind.CHECKOUT,
        now,
        command.checkout_id,
        purchase.place.merchant_id,
        programme.version,
    )
    if hold is None:
        _spend(books, member, entry, tenders)
    else:
        spend_pins(books, member, entry, hold, captured, pins)
    debt_collected = _earn(books, member, entry, purchase, programme, earned)
    books.changes.entries.append(entry)
    count_given(books, programme, inquiry, earned)
    member.purchases += 1
    posted = _posted(member, tenders, earned, debt_collected, programme, inquiry.faults)
    answer = PostAnswer(command.checkout_id, now, posted)
    _record(books, inquiry, not_earning, entry, answer)
    events.append(
        CheckoutPosted(
            member.member_id,
            purchase.place,
            purchase.currency,
            purchase.bill_minor,
            answer,
            command.hold_id,
        )
    )
    return answer, events


def _tenders(
    member: Member, command: PostCheckout, programme: Programme, now: datetime, hold: Hold | None
) -> Tenders:
    """What is tendered, checked, and as much left to pay as is expected; changes nothing."""
    order = programme.stored_value.spend_order
    tenders = plan_tenders(member, command.purchase, programme.redemption, order, now, hold)
    if command.expected_to_pay_minor not in {None, tenders.to_pay_minor}:
        raise errors.to_pay_differs(tenders.to_pay_minor)
    return tenders


def open_inquiry(books: Books, member: Member, purchase: Purchase) -> Inquiry:
    """What rules may ask of a purchase: it is the first if the ledger knows none of the member.

    A reversed purchase is none, so the next one after it is the first again.
    """
    first = not member.purchases and not purchase.facts.purchased_before
    return Inquiry(purchase, first_purchase=first, limits=books.limits)


def plan_earning(
    programme: Programme, inquiry: Inquiry, not_earning_minor: int, now: datetime
) -> list[EarnedBy]:
    """What the purchase earns, within caps and budgets, and what of it waits; changes nothing."""
    rules, purchase = programme.rules, inquiry.purchase
    earned = earned_points(rules, purchase, not_earning_minor, inquiry)
    return with_waiting(rules, purchase, earned, now) if rules.waiting else earned


def count_given(
    books: Books, programme: Programme, inquiry: Inquiry, earned: list[EarnedBy]
) -> None:
    """Count what was given against its rules' caps and budgets."""
    limited = programme.rules.limited
    if not limited:
        return
    for by in earned:
        if by.rule in limited:
            member_id, day = inquiry.purchase.member_id, inquiry.local.date()
            books.limits.take(limited[by.rule], member_id, day, by.points)


def cancel(books: Books, command: CancelPost, now: datetime) -> tuple[CancelAnswer, list[Event]]:
    """Answer what was posted under the checkout id, or make sure that nothing ever will be.

    A checkout that was reversed meanwhile had been posted: the answer is what was posted. One of
    another member is none of this member's, and its id can't be fenced. An open hold of the
    checkout is released with the fence.
    """
    checkout = books.checkouts.get(command.checkout_id)
    if checkout is not None:
        if checkout.member_id != command.member_id:
            raise errors.checkout_not_found(command.checkout_id)
        if checkout.state is not CheckoutState.CANCELLED:
            assert checkout.answer is not None, "a posted checkout was loaded without its answer"
            return CancelAnswer(checkout.answer, None), []
        return CancelAnswer(None, checkout.resolved_at), []
    member = books.members[command.member_id]
    events: list[Event] = settle_due(books, member, now)
    hold = books.checkout_holds.get(command.checkout_id)
    if hold is not None and hold.member_id == command.member_id:
        events += release_hold(books, member, hold, now)
    fenced = Checkout(
        command.checkout_id, command.member_id, CheckoutState.CANCELLED, resolved_at=now
    )
    books.checkouts[command.checkout_id] = fenced
    books.changes.fenced.append(fenced)
    return CancelAnswer(None, now), events


def _check_checkout_id(books: Books, command: PostCheckout) -> None:
    known = books.checkouts.get(command.checkout_id)
    if known is None:
        return
    if known.state is CheckoutState.CANCELLED and known.member_id == command.member_id:
        raise errors.checkout_cancelled(command.checkout_id)
    raise errors.checkout_exists(command.checkout_id)


def _extend(
    books: Books, command: PostCheckout, programme: Programme, now: datetime
) -> list[PointsExtended]:
    """Let the member's points live on as activity at the time of the purchase does."""
    purchase = command.purchase
    member, acted_at = books.members[purchase.member_id], min(purchase.occurred_at, now)
    zone = purchase.place.zone
    return extend_points(books, member, programme, command.checkout_id, acted_at, zone, now)


def _spend(books: Books, member: Member, entry: Entry, tenders: Tenders) -> None:
    """Take what is tendered out of the accounts, soonest expiry first."""
    for account, amount, house in (
        (member.points, tenders.points, House.REDEEMED),
        (member.cash, tenders.cash_minor, House.SETTLEMENT),
        (member.bonus, tenders.bonus_minor, House.SETTLEMENT),
    ):
        if amount:
            for lot, part in account.take(amount):
                entry.post(account, -part, house, lot)
                books.changes.touch(member, lot)


def _earn(
    books: Books,
    member: Member,
    entry: Entry,
    purchase: Purchase,
    programme: Programme,
    earned: list[EarnedBy],
) -> int:
    """Put the earned points into one lot, an open debt first served; returns what served it.

    The lot is dated when the guest bought, or now if the till's clock runs ahead. What is to wait
    is noted as pending.
    """
    if programme.rules.waiting:
        hold_back(books, member, entry, purchase, programme, earned)
        earned = [by for by in earned if by.pending_until is None]
    if not earned:
        return 0
    earned_at = min(purchase.occurred_at, entry.posted_at)
    expires_at = programme.points_expiry(earned_at, entry.posted_at, purchase.place.zone)
    return put_earned(books, member, entry, earned, earned_at, expires_at)


def _posted(
    member: Member,
    tenders: Tenders,
    earned: list[EarnedBy],
    debt_collected: int,
    programme: Programme,
    faults: Sequence[RuleFault],
) -> Posted:
    return Posted(
        tenders.points,
        tenders.points_value_minor,
        tenders.cash_minor,
        tenders.bonus_minor,
        tenders.to_pay_minor,
        sum([by.points for by in earned]),
        debt_collected,
        tuple(earned),
        programme.version,
        member.balances(),
        tuple(faults),
    )


def _record(
    books: Books, inquiry: Inquiry, not_earning_minor: int, entry: Entry, answer: PostAnswer
) -> None:
    purchase = inquiry.purchase
    limited = books.programmes.get(entry.programme_version).rules.limited
    checkout = Checkout(
        answer.checkout_id,
        purchase.member_id,
        CheckoutState.POSTED,
        entry,
        answer,
        day=inquiry.local.date() if limited else None,
    )
    books.checkouts[answer.checkout_id] = checkout
    books.changes.posted.append(
        PostedCheckout(
            checkout,
            purchase.place,
            purchase.occurred_at,
            purchase.currency,
            purchase.bill_minor,
            KeptFacts(purchase, inquiry.first_purchase, not_earning_minor),
        )
    )
