"""Reversals: undoing a posted checkout, lot by lot."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.points.domain import errors
from services.points.domain.accounts import CURRENCY, Member
from services.points.domain.answers import ReverseAnswer
from services.points.domain.assets import Asset, EntryKind, House
from services.points.domain.books import Books
from services.points.domain.commands import ReverseCheckout
from services.points.domain.dues import settle_due
from services.points.domain.events import CheckoutReversed, Event
from services.points.domain.expiry import post_expired
from services.points.domain.journal import Entry, Posting, open_entry
from services.points.domain.lots import Lot
from services.points.domain.maturing import cancel_pending, matured_postings, pending_of
from services.points.domain.records import Checkout, CheckoutState, Reversal


@dataclass(slots=True)
class _Restored:
    """What went back to its lots; `expired` parts lie in lots whose end has come."""

    amounts: dict[Asset, int] = field(default_factory=lambda: dict.fromkeys(Asset, 0))
    expired: list[tuple[Lot, int]] = field(default_factory=list)


def reverse(
    books: Books, command: ReverseCheckout, now: datetime
) -> tuple[ReverseAnswer, list[Event]]:
    """Undo a posted checkout wholly.

    Spent value returns to its lots with their expiry; what returns to an expired lot expires in an
    entry of its own right after. Then earned points are taken back: out of the very lots they were
    earned into, then out of other open lots in spend order; the rest becomes a debt. Points of
    theirs that have expired meanwhile are gone already and are neither taken nor owed.
    """
    member = books.members[command.member_id]
    checkout = _reversible(books, command)
    original = checkout.entry
    assert original is not None, "a checkout to be reversed was loaded without its entry"

    # From here on nothing is refused.
    events: list[Event] = settle_due(books, member, now)
    entry = open_entry(
        member,
        EntryKind.REVERSAL,
        now,
        command.reversal_id,
        original.merchant_id,
        original.programme_version,
    )
    restored = _restore(books, member, entry, original, now)
    pending_cancelled = cancel_pending(books, member, original.version, entry.version)
    taken_back, debt = _take_back(books, member, entry, original)
    give_back_given(books, member, checkout)
    member.purchases -= 1
    books.changes.entries.append(entry)
    answer = ReverseAnswer(
        command.reversal_id,
        now,
        restored.amounts[Asset.POINTS],
        restored.amounts[Asset.CASH],
        restored.amounts[Asset.BONUS],
        taken_back,
        debt,
        member.balances(),
        pending_cancelled,
    )
    events.append(
        CheckoutReversed(command.member_id, command.checkout_id, command.place, CURRENCY, answer)
    )
    _record(books, command, checkout, entry, answer)
    if restored.expired:
        events.append(post_expired(books, member, restored.expired, now))
        answer = answer._replace(balances=member.balances())
    return answer, events


def _reversible(books: Books, command: ReverseCheckout) -> Checkout:
    checkout = books.checkouts.get(command.checkout_id)
    if checkout is None or checkout.member_id != command.member_id:
        raise errors.checkout_not_found(command.checkout_id)
    if checkout.state is CheckoutState.CANCELLED:
        raise errors.checkout_not_found(command.checkout_id)
    if checkout.state is CheckoutState.REVERSED:
        raise errors.already_reversed(command.checkout_id)
    if command.reversal_id in books.reversal_ids:
        raise errors.reversal_exists(command.reversal_id)
    return checkout


def _restore(
    books: Books, member: Member, entry: Entry, original: Entry, now: datetime
) -> _Restored:
    """Give what was spent back to the lots it came from."""
    restored = _Restored()
    for spent in original.postings:
        if spent.house not in {House.REDEEMED, House.SETTLEMENT}:
            continue
        assert spent.lot_number is not None, "what was spent came from a lot"
        lot, amount = member.lots[spent.lot_number], -spent.amount
        account = member.account(lot.asset)
        if lot.due(now):
            restored.expired.append((lot, amount))
        elif lot.remaining:
            lot.remaining += amount
            account.refresh(lot)
        else:
            lot.remaining = amount
            account.add(lot)
        entry.post(account, amount, spent.house, lot)
        restored.amounts[spent.asset] += amount
        books.changes.touch(member, lot)
    return restored


def _take_back(books: Books, member: Member, entry: Entry, original: Entry) -> tuple[int, int]:
    """Take earned points back; returns how many came from lots and how many are owed."""
    earned = [by for by in original.postings if by.house in {House.ISSUED, House.FUNDING}]
    earned += matured_postings(member, original.version)
    owed_by_lot: dict[int, int] = {}
    for by in earned:
        assert by.lot_number is not None, "what was earned went into a lot"
        owed_by_lot[by.lot_number] = owed_by_lot.get(by.lot_number, 0) + by.amount
    owed_by_lot = {
        number: max(0, amount - member.lots[number].expired)
        for number, amount in owed_by_lot.items()
    }
    owed = sum(owed_by_lot.values())
    parts = _collect(member, owed_by_lot)
    taken = sum(part for _, part in parts)
    _post_taken(books, member, entry, earned, parts, owed - taken)
    return taken, owed - taken


def give_back_given(books: Books, member: Member, checkout: Checkout) -> None:
    """Give back to caps and budgets what a reversed checkout's rules had given."""
    original = checkout.entry
    assert original is not None, "a checkout to be reversed was loaded without its entry"
    limited = books.programmes.get(original.programme_version).rules.limited
    if not limited or checkout.day is None:
        return
    given = [(by.rule, by.amount) for by in original.postings if by.funder is not None]
    given += [(each.rule, each.points) for each in pending_of(member, original)]
    for code, points in given:
        if code in limited:
            books.limits.take(limited[code], member.member_id, checkout.day, -points)


def _collect(member: Member, owed_by_lot: dict[int, int]) -> list[tuple[Lot, int]]:
    """Take up to what is owed out of each own lot, then out of the others in spend order."""
    account = member.points
    parts = []
    for number, owed in owed_by_lot.items():
        own = member.lots[number]
        if from_own := min(own.remaining, owed):
            account.take_from(own, from_own)
            parts.append((own, from_own))
    rest = sum(owed_by_lot.values()) - sum(part for _, part in parts)
    rest = min(rest, sum(lot.remaining for lot in account.open_lots or ()))
    return parts + account.take(rest)


def _post_taken(
    books: Books,
    member: Member,
    entry: Entry,
    earned: list[Posting],
    parts: list[tuple[Lot, int]],
    debt: int,
) -> None:
    """Post what was taken against the house accounts that had given it, rule by rule.

    A debt is posted as what the house lends (DEBT) and the member gives back at once, so that
    the issuing account sees the whole return and no balance goes below zero.
    """
    account = member.points
    member.points_debt += debt
    if debt:
        entry.post(account, debt, House.DEBT, None)
    sources: list[tuple[Lot | None, int]] = [*parts, (None, debt)]
    at = 0
    for by in earned:
        left = by.amount
        while left and at < len(sources):
            lot, available = sources[at]
            part = min(left, available)
            if part:
                entry.post(account, -part, by.house, lot, by.rule, by.funder, by.basis_minor)
                if lot is not None:
                    books.changes.touch(member, lot)
            left -= part
            sources[at] = (lot, available - part)
            at += sources[at][1] == 0


def _record(
    books: Books,
    command: ReverseCheckout,
    checkout: Checkout,
    entry: Entry,
    answer: ReverseAnswer,
) -> None:
    checkout.state = CheckoutState.REVERSED
    checkout.resolved_at = answer.reversed_at
    books.reversal_ids.add(command.reversal_id)
    books.changes.reversed.append(
        Reversal(command.member_id, command.checkout_id, command.place, entry.version, answer)
    )
