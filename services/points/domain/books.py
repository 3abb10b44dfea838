"""The books: the ledger's state for one batch of commands, and what deciding them has changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.points.domain.accounts import Account, Member
from services.points.domain.commands import ImportBalance
from services.points.domain.journal import Entry
from services.points.domain.limits import Limits
from services.points.domain.lots import Lot
from services.points.domain.movements import MovementChanges, Movements
from services.points.domain.pending import PendingKey, PendingPoints
from services.points.domain.pins import Hold
from services.points.domain.programme import Programmes
from services.points.domain.records import (
    Checkout,
    Extension,
    ImportedRow,
    PostedCheckout,
    Reversal,
    TopUp,
    Warned,
)


@dataclass(slots=True)
class Changes:
    """What has to be saved, in the order it came about.

    Members that have an entry, were warned or have a hold in `new_holds` or `resolved_holds` have
    changed; so have the lots in `touched_lots`, by (member id, lot number), and those whose end is
    another one in `extended_lots`. A lot in `new_lots` is in neither of them as well, nor is a hold
    in `new_holds` among the resolved ones.
    """

    entries: list[Entry] = field(default_factory=list)
    new_lots: list[tuple[UUID, Lot]] = field(default_factory=list)
    touched_lots: dict[tuple[UUID, int], Lot] = field(default_factory=dict)
    posted: list[PostedCheckout] = field(default_factory=list)
    fenced: list[Checkout] = field(default_factory=list)
    reversed: list[Reversal] = field(default_factory=list)
    reversed_checkouts: dict[UUID, Checkout] = field(default_factory=dict)
    top_ups: list[TopUp] = field(default_factory=list)
    lots_before: dict[UUID, int] = field(default_factory=dict)
    warned: list[Warned] = field(default_factory=list)
    imported: list[ImportedRow] = field(default_factory=list)
    new_holds: dict[UUID, Hold] = field(default_factory=dict)
    resolved_holds: dict[UUID, Hold] = field(default_factory=dict)
    movements: MovementChanges = field(default_factory=MovementChanges)
    new_pending: list[tuple[UUID, PendingPoints]] = field(default_factory=list)
    touched_pending: dict[tuple[UUID, PendingKey], PendingPoints] = field(default_factory=dict)
    extensions: list[Extension] = field(default_factory=list)
    extended_lots: dict[tuple[UUID, int], Lot] = field(default_factory=dict)

    def touch_pending(self, member: Member, pending: PendingPoints) -> None:
        """Note that pending points have changed; whether they are new ones shows in saving."""
        self.touched_pending[member.member_id, pending.key] = pending

    def touch(self, member: Member, lot: Lot) -> None:
        """Note that a stored lot has changed; of a new one this is known already."""
        if self._stored(member, lot):
            self.touched_lots[member.member_id, lot.number] = lot

    def extend(self, member: Member, lot: Lot) -> None:
        """Note that a stored lot ends later now; of a new one this is known already."""
        if self._stored(member, lot):
            self.extended_lots[member.member_id, lot.number] = lot

    def _stored(self, member: Member, lot: Lot) -> bool:
        before = self.lots_before.get(member.member_id)
        return before is None or lot.number <= before

    def members(self) -> Iterator[UUID]:
        """The ids of all members that have changed, some more than once.

        Those whose points were extended have an entry of the activity as well.
        """
        yield from [entry.member_id for entry in self.entries]
        yield from [warned.member_id for warned in self.warned]
        for holds in (self.new_holds, self.resolved_holds):
            yield from [hold.member_id for hold in holds.values() if hold.authorized_at]

    def resolve(self, hold: Hold) -> None:
        """Note that a stored hold has ended; of a new one this is known already."""
        if hold.hold_id not in self.new_holds:
            self.resolved_holds[hold.hold_id] = hold


@dataclass(slots=True)
class Books:
    """Loaded members, checkouts and taken ids, the programme's versions, and the changes.

    `members` has every member that a command of the batch names. `checkouts` has each checkout id
    of the batch that is known, `warned` what members to be warned were told before, `imported` the
    batch's rows of imports that are in already, by import and reference. `holds` has each hold id
    of the batch that is known and every open hold of a loaded member; `checkout_holds` the open
    ones of checkouts, by checkout. `not_before` is the last posting of any of the members.
    """

    members: dict[UUID, Member]
    programmes: Programmes
    checkouts: dict[UUID, Checkout] = field(default_factory=dict)
    top_up_ids: set[UUID] = field(default_factory=set)
    reversal_ids: set[UUID] = field(default_factory=set)
    warned: set[Warned] = field(default_factory=set)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    checkout_holds: dict[UUID, Hold] = field(default_factory=dict)
    imported: dict[tuple[UUID, str], ImportBalance] = field(default_factory=dict)
    not_before: datetime | None = None
    movements: Movements = field(default_factory=Movements)
    changes: Changes = field(default_factory=Changes)
    limits: Limits = field(default_factory=Limits)

    def put_lot(
        self,
        member: Member,
        account: Account,
        amount: int,
        remaining: int,
        earned_at: datetime,
        expires_at: datetime | None,
    ) -> Lot:
        """Make a lot of `amount`, of which `remaining` stays; the balance is the caller's."""
        self.changes.lots_before.setdefault(member.member_id, member.last_lot_number)
        member.last_lot_number += 1
        lot = Lot(
            member.last_lot_number, account.asset, amount, remaining, 0, earned_at, expires_at
        )
        member.lots[lot.number] = lot
        self.changes.new_lots.append((member.member_id, lot))
        if remaining:
            account.add(lot)
        return lot
