"""Books of several members in memory, with everything loaded, and checks of all of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from chassis.kernel import Refusal
from services.points.domain.accounts import Account, Member
from services.points.domain.assets import Asset, Tender
from services.points.domain.books import Books, Changes
from services.points.domain.commands import Command, PostCheckout, TopUpStoredValue
from services.points.domain.events import CheckoutPosted, Event
from services.points.domain.journal import Entry
from services.points.domain.ledger import decide
from services.points.domain.movement_commands import PutTransferGroup
from services.points.domain.programme import Programme, Programmes, SpendOrder, TopUpTier
from tests.unit.points.worlds import PLACE, START, TERMS, programme, purchase


class Decided(NamedTuple):
    """What one command did."""

    answer: Any
    changes: Changes
    events: list[Event]


@dataclass
class Family:
    """Members' books; everything decided so far is in `entries` and `events`."""

    size: int = 2
    programme: Programme = field(default_factory=programme)
    now: datetime = START
    group_id: UUID = field(default_factory=uuid4)
    entries: list[Entry] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ids = sorted(uuid4() for _ in range(self.size))
        members = {each: _member(each) for each in self.ids}
        self.books = Books(members, Programmes([self.programme]))

    def members(self) -> list[Member]:
        return [self.books.members[each] for each in self.ids]

    def do(self, command: Command) -> Any:
        """Decide a command and keep what it did; returns its answer."""
        return self.decided(command).answer

    def decided(self, command: Command) -> Decided:
        """Decide a command; everything it did."""
        events = len(self.events)
        decision = decide(self.books, command, self.now)
        changes, self.books.changes = self.books.changes, Changes()
        self.entries += changes.entries
        self.events += decision.events
        return Decided(decision.answer, changes, self.events[events:])

    def refusal(self, command: Command) -> Refusal:
        """The refusal of a command, which must have changed nothing."""
        before = repr(self.books)
        try:
            decide(self.books, command, self.now)
        except Refusal as refusal:
            assert repr(self.books) == before
            return refusal
        raise AssertionError("the command was not refused")

    def unite(self, *ids: UUID, revision: int = 0) -> Any:
        """Put members, all by default, into the group."""
        return self.do(PutTransferGroup(self.group_id, tuple(sorted(ids or self.ids)), revision))

    def buy(self, member_id: UUID, *amounts: int, **more: Any) -> Any:
        """Post a purchase made now; the answer."""
        bought = purchase(member_id, *amounts, **{"occurred_at": self.now, **more})
        return self.do(PostCheckout(uuid4(), bought))

    def top_up(
        self, member_id: UUID, amount: int, tender: Tender | None = Tender.BANK_CARD
    ) -> UUID:
        """Sell stored value; the top-up's id."""
        top_up_id = uuid4()
        self.do(TopUpStoredValue(member_id, top_up_id, PLACE, amount, "CNY", tender))
        return top_up_id

    def check(self) -> None:
        """Balance = open lots = postings for everybody, versions without a gap, zero sums."""
        houses: dict[tuple[Asset, str], int] = defaultdict(int)
        for entry in self.entries:
            for posting in entry.postings:
                houses[posting.asset, posting.house] -= posting.amount
        for asset in Asset:
            held = sum(member.account(asset).balance for member in self.members())
            assert held + sum(sum_ for key, sum_ in houses.items() if key[0] == asset) == 0
        assert houses[Asset.POINTS, "TRANSFER"] == 0
        for member in self.members():
            self._check(member)

    def _check(self, member: Member) -> None:
        entries = [each for each in self.entries if each.member_id == member.member_id]
        told = [version_of(each) for each in self.events if each.member_id == member.member_id]
        assert told == list(range(1, member.version + 1))
        versions = [entry.version for entry in entries]
        assert versions == sorted(set(versions) & set(told))
        by_lot: dict[int | None, int] = defaultdict(int)
        for entry in entries:
            for posting in entry.postings:
                by_lot[posting.lot_number] += posting.amount
        assert by_lot.pop(None, 0) == 0
        assert by_lot == {number: lot.remaining for number, lot in member.lots.items()}
        for account in member.accounts():
            lots = [each for each in member.lots.values() if each.asset == account.asset]
            still = sorted((each for each in lots if each.free), key=lambda each: each.order)
            assert account.open_lots == still
            assert account.balance == sum(each.remaining for each in lots)
            assert account.held == sum(each.held for each in lots)
            following = account.next_expiry
            assert (still[0].expires_at if still else None) == (following and following.expires_at)


def version_of(event: Any) -> int:
    """The member version that an event carries."""
    if isinstance(event, CheckoutPosted):
        return event.answer.posted.balances.member_version
    balances = event.answer.balances if hasattr(event, "answer") else event.balances
    return int(balances.member_version)


def _member(member_id: UUID) -> Member:
    points, cash, bonus = (Account(asset, open_lots=[]) for asset in Asset)
    return Member(member_id, points=points, cash=cash, bonus=bonus)


def card(order: SpendOrder = SpendOrder.PROPORTIONAL, *tiers: TopUpTier) -> Family:
    """A guest of a programme with this spend order."""
    terms = replace(TERMS, spend_order=order, top_up_tiers=tiers or TERMS.top_up_tiers)
    return Family(1, programme(terms=terms))


def spend(home: Family, stored: int) -> Any:
    """The first member buys something and pays all of it with stored value."""
    return home.buy(home.ids[0], stored, stored=stored)
