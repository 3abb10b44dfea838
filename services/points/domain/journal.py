"""The journal: entries of a member's statement and the immutable postings they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.points.domain.accounts import Account, Member
from services.points.domain.assets import Asset, EntryKind, Funder, House
from services.points.domain.lots import Lot


@dataclass(slots=True)
class Posting:
    """One fact: a member's account moved by `amount` against a house account.

    `lot_number` is the lot that moved, None where debt is recorded without one. `rule`, `funder`
    and `basis_minor` (the amount the rule was computed on) are those of earned points and of what
    undoes them. `balance_after` is the account's.
    """

    asset: Asset
    amount: int
    house: House
    lot_number: int | None
    balance_after: int
    rule: str = ""
    funder: Funder | None = None
    basis_minor: int = 0


@dataclass(slots=True)
class Entry:
    """What one event did to a member's accounts; (member id, version) names it for ever.

    `reference_id` is the checkout, top-up or reversal, `merchant_id` whose house accounts are
    meant; both None for expiry. `programme_version` is 0 where no rule decided.
    """

    member_id: UUID
    version: int
    kind: EntryKind
    posted_at: datetime
    reference_id: UUID | None = None
    merchant_id: UUID | None = None
    programme_version: int = 0
    postings: list[Posting] = field(default_factory=list)

    def post(
        self,
        account: Account,
        amount: int,
        house: House,
        lot: Lot | None,
        rule: str = "",
        funder: Funder | None = None,
        basis_minor: int = 0,
    ) -> None:
        """Move `account` by `amount`, which is not 0; the lot itself is the caller's."""
        account.balance += amount
        assert account.balance >= 0, "a balance never goes below zero"
        self.postings.append(
            Posting(
                account.asset,
                amount,
                house,
                lot.number if lot else None,
                account.balance,
                rule,
                funder,
                basis_minor,
            )
        )


def next_version(member: Member, now: datetime) -> int:
    """Count the member's next version: that of an entry, or of an event that posts nothing."""
    member.version += 1
    member.last_posted_at = now
    return member.version


def open_entry(
    member: Member,
    kind: EntryKind,
    now: datetime,
    reference_id: UUID | None = None,
    merchant_id: UUID | None = None,
    programme_version: int = 0,
) -> Entry:
    """Start the entry of the member's next version; its event carries the same version."""
    return Entry(
        member.member_id,
        next_version(member, now),
        kind,
        now,
        reference_id,
        merchant_id,
        programme_version,
    )
