"""Reversals: undoing a posted checkout by whole or by part, lot by lot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.points.domain import errors
from services.points.domain.accounts import CURRENCY, Member
from services.points.domain.answers import Posted, ReverseAnswer
from services.points.domain.assets import Asset, EntryKind, House
from services.points.domain.books import Books
from services.points.domain.cancelling import cancel_claimed, without_waiting
from services.points.domain.clawback import Claim, claims_on, missing_points, take_back, told
from services.points.domain.commands import ReverseCheckout
from services.points.domain.dues import settle_due
from services.points.domain.events import CheckoutReversed, Event
from services.points.domain.expiry import post_expired
from services.points.domain.journal import Entry, open_entry
from services.points.domain.lots import Lot
from services.points.domain.parts import Parts, Returned, returned_after
from services.points.domain.programme import Clawback
from services.points.domain.records import Checkout, CheckoutState, Reversal


@dataclass(frozen=True, slots=True)
class _Restored:
    """What goes back to one lot, against which house account."""

    lot: Lot
    amount: int
    house: House


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a reversal will do: all that is back after it, what of it is new, lots and claims."""

    after: Returned
    now_back: Returned
    left_minor: int
    restored: list[_Restored]
    claims: list[Claim]


def reverse(
    books: Books, command: ReverseCheckout, now: datetime
) -> tuple[ReverseAnswer, list[Event]]:
    """Undo a posted checkout, or `amount_minor` of its bill.

    Spent value returns to its lots with their expiry, the last spent first, so that what stays
    spent is what a smaller purchase would have taken; what returns to an expired lot expires in an
    entry of its own right after. Then earned points are taken back. Refuses CHECKOUT_NOT_FOUND,
    ALREADY_REVERSED, REVERSAL_EXCEEDS_CHECKOUT, REVERSAL_EXISTS, EARNED_POINTS_SPENT (never where
    no till was told of the checkout).
    """
    member = books.members[command.member_id]
    checkout = _reversible(books, command)
    plan = _plan(member, checkout, command.amount_minor, now)
    original = checkout.entry
    assert original is not None, "a checkout to be reversed was loaded without its entry"
    if not command.untold:
        _check_clawback(books, member, original, plan, now)

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
    expired = _restore(books, member, entry, plan.restored, now)
    claims = _claims(member, checkout, plan.after, now)  # again: what was pending may have matured
    give_back_given(books, checkout, claims)
    pending_cancelled, claims = cancel_claimed(books, member, entry, original.version, claims)
    taken_back, debt = take_back(books, member, entry, checkout, claims)
    if original.kind is EntryKind.CHECKOUT and not plan.left_minor:
        member.purchases -= 1
    books.changes.entries.append(entry)
    answer = _answer(command, member, replace(plan, claims=claims), taken_back, debt, now)
    answer = answer._replace(pending_cancelled=pending_cancelled)
    events.append(
        CheckoutReversed(command.member_id, command.checkout_id, command.place, CURRENCY, answer)
    )
    _record(books, command, checkout, entry, plan, answer)
    if expired:
        events.append(post_expired(books, member, expired, now))
        answer = answer._replace(balances=member.balances())
    return answer, events


def paid_with(posted: Posted) -> Returned:
    """All that reversals of a posted checkout can give back."""
    parts = Parts(
        posted.points_value_minor,
        posted.cash_paid_minor,
        posted.bonus_paid_minor,
        posted.to_pay_minor,
    )
    return Returned(parts, posted.points_redeemed)


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


def _plan(member: Member, checkout: Checkout, amount_minor: int | None, now: datetime) -> _Plan:
    """Work out what a reversal does; changes nothing. Refuses REVERSAL_EXCEEDS_CHECKOUT."""
    assert checkout.answer is not None, "a checkout to be reversed was loaded without its answer"
    paid, before = paid_with(checkout.answer.posted), checkout.returned
    bill = paid.parts.amount_minor
    left = bill - before.parts.amount_minor
    amount = left if amount_minor is None else amount_minor
    if amount > left:
        raise errors.reversal_exceeds_checkout(left)
    after = returned_after(paid, before, amount)
    now_back = after.less(before)
    claims = _claims(member, checkout, after, now)
    return _Plan(after, now_back, left - amount, _lots(member, checkout, now_back), claims)


def _claims(member: Member, checkout: Checkout, after: Returned, now: datetime) -> list[Claim]:
    """What is claimed of the earned points when `after` is back in all."""
    assert checkout.answer is not None, "a checkout to be reversed was loaded without its answer"
    bill = paid_with(checkout.answer.posted).parts.amount_minor
    return claims_on(member, checkout, after.parts.amount_minor, bill, now)


def give_back_given(books: Books, checkout: Checkout, claims: Sequence[Claim]) -> None:
    """Give back to caps and budgets what is claimed of what their rules had given."""
    original = checkout.entry
    assert original is not None, "a checkout to be reversed was loaded without its entry"
    limited = books.programmes.get(original.programme_version).rules.limited
    if not limited or checkout.day is None:
        return
    for claim in claims:
        rule = limited.get(claim.earned.rule)
        if rule is not None:
            books.limits.take(rule, checkout.member_id, checkout.day, -claim.points)


def _lots(member: Member, checkout: Checkout, now_back: Returned) -> list[_Restored]:
    """Which lots get what back: the last spent first, after what earlier reversals gave back."""
    assert checkout.entry is not None, "a checkout to be reversed was loaded without its entry"
    before = checkout.returned
    skip = _by_asset(before)
    wanted = _by_asset(now_back)
    restored = []
    for spent in reversed(checkout.entry.postings):
        if spent.house not in {House.REDEEMED, House.SETTLEMENT}:
            continue
        assert spent.lot_number is not None, "what was spent came from a lot"
        asset = spent.asset
        skipped = min(-spent.amount, skip[asset])
        amount = min(-spent.amount - skipped, wanted[asset])
        skip[asset] -= skipped
        wanted[asset] -= amount
        if amount:
            restored.append(_Restored(member.lots[spent.lot_number], amount, spent.house))
    assert not any(wanted.values()), "no more is given back than was spent"
    return restored


def _by_asset(returned: Returned) -> dict[Asset, int]:
    return {
        Asset.POINTS: returned.points,
        Asset.CASH: returned.parts.cash_minor,
        Asset.BONUS: returned.parts.bonus_minor,
    }


def _check_clawback(
    books: Books, member: Member, original: Entry, plan: _Plan, now: datetime
) -> None:
    """Refuse where points are missing and the programme the guest bought under says REFUSE."""
    programme = books.programmes.get(original.programme_version)
    if programme.clawback is not Clawback.REFUSE:
        return
    spendable = sum(
        part.amount
        for part in plan.restored
        if part.lot.asset is Asset.POINTS and not part.lot.due(now)
    )
    claims = without_waiting(member, original.version, plan.claims, now)
    missing = missing_points(member, claims, spendable, now)
    if missing:
        raise errors.earned_points_spent(missing)


def _restore(
    books: Books, member: Member, entry: Entry, restored: Sequence[_Restored], now: datetime
) -> list[tuple[Lot, int]]:
    """Give what was spent back to its lots; returns the parts whose lots' end has come."""
    expired = []
    for part in restored:
        lot, amount = part.lot, part.amount
        account = member.account(lot.asset)
        if lot.due(now):
            expired.append((lot, amount))
        else:
            account.put_back(lot, amount)
        entry.post(account, amount, part.house, lot)
        books.changes.touch(member, lot)
    return expired


def _answer(
    command: ReverseCheckout,
    member: Member,
    plan: _Plan,
    taken_back: int,
    debt: int,
    now: datetime,
) -> ReverseAnswer:
    parts = plan.now_back.parts
    return ReverseAnswer(
        reversal_id=command.reversal_id,
        reversed_at=now,
        points_restored=plan.now_back.points,
        cash_restored_minor=parts.cash_minor,
        bonus_restored_minor=parts.bonus_minor,
        points_taken_back=taken_back,
        debt_recorded=debt,
        balances=member.balances(),
        amount_minor=parts.amount_minor,
        points_value_minor=parts.points_value_minor,
        money_minor=parts.money_minor,
        left_minor=plan.left_minor,
        whole=not plan.left_minor,
        taken_back_by=told(plan.claims),
    )


def _record(
    books: Books,
    command: ReverseCheckout,
    checkout: Checkout,
    entry: Entry,
    plan: _Plan,
    answer: ReverseAnswer,
) -> None:
    checkout.returned = plan.after
    if answer.whole:
        checkout.state = CheckoutState.REVERSED
        checkout.resolved_at = answer.reversed_at
    books.reversal_ids.add(command.reversal_id)
    books.changes.reversed.append(
        Reversal(command.member_id, command.checkout_id, command.place, entry.version, answer)
    )
    books.changes.reversed_checkouts[command.checkout_id] = checkout
