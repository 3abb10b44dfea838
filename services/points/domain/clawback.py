"""Clawing back: earned points of a purchase that is reversed are taken back, or owed.

After each reversal the points claimed are floor(earned x refunded / bill), divided over the rules
that gave them by largest remainder; the odd point stays with the guest until the last reversal.
What has expired meanwhile is gone already: only the rest counts as earned. Claims are met out of
the lots the points were earned into, then out of other open lots in spend order; what is missing
becomes a debt, or, where the programme says so, nothing is reversed at all. Claims on points that
are pending still are met by cancelling so many of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.points.domain.accounts import Account, Member
from services.points.domain.answers import TakenBack
from services.points.domain.assets import Asset, House
from services.points.domain.books import Books
from services.points.domain.journal import Entry, Posting
from services.points.domain.lots import Lot
from services.points.domain.maturing import earned_pending, of_checkout
from services.points.domain.records import Checkout
from services.points.domain.shares import allocate_further


class Claim(NamedTuple):
    """What one rule's points are claimed back: the posting that gave them, and how many."""

    earned: Posting
    points: int


def earned_by(entry: Entry) -> list[Posting]:
    """The postings of a checkout's entry that gave points which could be spent at once."""
    return [by for by in entry.postings if by.house in {House.ISSUED, House.FUNDING}]


def claims_on(
    member: Member, checkout: Checkout, refunded_minor: int, bill_minor: int, now: datetime
) -> list[Claim]:
    """What is claimed back, rule by rule, when `refunded_minor` of the bill is refunded in all."""
    assert checkout.entry is not None, "a checkout to be reversed was loaded without its entry"
    version = checkout.entry.version
    earned = [*earned_by(checkout.entry), *earned_pending(member, version)]
    cancelled = {each.rule: each.cancelled for each in of_checkout(member, version)}
    taken = [checkout.taken_back.get(by.rule, 0) + cancelled.get(by.rule, 0) for by in earned]
    total = sum(by.amount for by in earned)
    gone = _gone(member, earned, now) + member.gone_at_once(version, now)
    left = total - min(total, gone)
    due = left * refunded_minor // bill_minor if bill_minor else left
    after = max(due, sum(taken))
    shares = allocate_further(after, [by.amount for by in earned], taken)
    return [
        Claim(by, share - before)
        for by, share, before in zip(earned, shares, taken, strict=True)
        if share > before
    ]


def missing_points(member: Member, claims: Sequence[Claim], restored: int, now: datetime) -> int:
    """How many claimed points the member can't give, with `restored` more to spend than now."""
    claimed = sum(claim.points for claim in claims)
    return max(0, claimed - restored - member.points.available(now)) if claimed else 0


def take_back(
    books: Books, member: Member, entry: Entry, checkout: Checkout, claims: Sequence[Claim]
) -> tuple[int, int]:
    """Meet the claims; returns how many points came from lots and how many are owed."""
    claimed = sum(claim.points for claim in claims)
    if not claimed:
        return 0, 0
    own = _own_lots(member, [claim.earned for claim in claims])
    parts = _collect(member.points, own, claimed)
    taken = sum(part for _, part in parts)
    _post_taken(books, member, entry, claims, parts, claimed - taken)
    for claim in claims:
        rule = claim.earned.rule
        checkout.taken_back[rule] = checkout.taken_back.get(rule, 0) + claim.points
    return taken, claimed - taken


def told(claims: Sequence[Claim]) -> tuple[TakenBack, ...]:
    """The claims as they are answered."""
    taken = []
    for claim in claims:
        assert claim.earned.funder is not None, "what was earned names who funds it"
        taken.append(TakenBack(claim.earned.rule, claim.points, claim.earned.funder))
    return tuple(taken)


def _own_lots(member: Member, earned: Sequence[Posting]) -> list[Lot]:
    numbers = dict.fromkeys(by.lot_number for by in earned)
    return [member.lots[number] for number in numbers if number is not None]


def _gone(member: Member, earned: Sequence[Posting], now: datetime) -> int:
    """How much of what was earned has expired by `now`, or is about to."""
    return sum(lot.expired + member.points.due_of(lot, now) for lot in _own_lots(member, earned))


def _collect(account: Account, own: Sequence[Lot], claimed: int) -> list[tuple[Lot, int]]:
    """Take up to `claimed` out of the own lots, then out of the others in spend order."""
    parts = []
    for lot in own:
        if part := min(lot.free, claimed):
            account.take_from(lot, part)
            parts.append((lot, part))
            claimed -= part
    rest = min(claimed, sum(lot.free for lot in account.open_lots or ()))
    return parts + account.take(rest)


def _post_taken(
    books: Books,
    member: Member,
    entry: Entry,
    claims: Sequence[Claim],
    parts: list[tuple[Lot, int]],
    debt: int,
) -> None:
    """Post what was taken against the house accounts that had given it, rule by rule.

    A debt is posted as what the house lends (DEBT) and the member gives back at once, so that
    the issuing account sees the whole return and no balance goes below zero.
    """
    account = member.account(Asset.POINTS)
    member.points_debt += debt
    if debt:
        entry.post(account, debt, House.DEBT, None)
    sources: list[tuple[Lot | None, int]] = [*parts, (None, debt)]
    at = 0
    for by, claimed in claims:
        left = claimed
        while left:
            lot, available = sources[at]
            part = min(left, available)
            if part:
                entry.post(account, -part, by.house, lot, by.rule, by.funder, by.basis_minor)
                if lot is not None:
                    books.changes.touch(member, lot)
            left -= part
            sources[at] = (lot, available - part)
            at += sources[at][1] == 0
