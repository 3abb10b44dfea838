"""Books in memory with everything loaded, and the values tests build commands from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from chassis.kernel import Decision, Refusal
from services.points.domain.accounts import Account, Member
from services.points.domain.answers import Answer
from services.points.domain.assets import Asset, Category, Channel, Funder
from services.points.domain.books import Books, Changes
from services.points.domain.commands import Command, PostCheckout
from services.points.domain.events import Event
from services.points.domain.journal import Entry
from services.points.domain.ledger import decide
from services.points.domain.programme import (
    Condition,
    EarningRule,
    Programme,
    Programmes,
    Redemption,
    SpendOrder,
    StackingClass,
    StoredValueTerms,
    TopUpTier,
)
from services.points.domain.purchases import Facts, Line, Place, Purchase, Stay

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 3, 10, 4, tzinfo=UTC)
PLACE = Place(uuid4(), uuid4(), uuid4(), "SHA01", SHANGHAI)

ROOM_BASE = EarningRule(
    "BASE_ROOM",
    StackingClass.BASE,
    1000,
    Funder.ISSUER,
    Condition(
        categories=frozenset({Category.ROOM}),
        channels=frozenset({Channel.DIRECT, Channel.CORPORATE}),
    ),
)
OUTLET_BASE = EarningRule(
    "BASE_OUTLETS",
    StackingClass.BASE,
    1000,
    Funder.ISSUER,
    Condition(categories=frozenset(Category) - {Category.ROOM}),
)
GOLD = EarningRule(
    "TIER_GOLD",
    StackingClass.BEST_OF,
    1500,
    Funder.MERCHANT,
    Condition(tiers=frozenset({"GOLD"})),
)
TERMS = StoredValueTerms(
    (TopUpTier(50_000, 3_000), TopUpTier(100_000, 10_000)),
    500_000,
    500_000,
    SpendOrder.PROPORTIONAL,
    24,
)


def programme(
    *rules: EarningRule,
    redemption: Redemption | None = None,
    terms: StoredValueTerms = TERMS,
    months: int = 24,
    **more: Any,
) -> Programme:
    """A programme that was always valid; the default rules where none are given."""
    return Programme(
        1,
        datetime(2000, 1, 1, tzinfo=UTC),
        rules or (ROOM_BASE, OUTLET_BASE, GOLD),
        redemption or Redemption(),
        terms,
        months,
        **more,
    )


def purchase(
    member_id: UUID,
    *amounts: int,
    points: int = 0,
    stored: int = 0,
    tier: str = "CLASSIC",
    category: Category = Category.DINING,
    occurred_at: datetime = START,
    stay: Stay | None = None,
    **facts: Any,
) -> Purchase:
    """A purchase of one line per amount."""
    lines = tuple(Line(category, amount) for amount in amounts)
    return Purchase(
        member_id, PLACE, "CNY", occurred_at, Facts(tier, **facts), lines, points, stored, stay
    )


@dataclass
class World:
    """One member's books; everything decided so far is in `entries` and `events`."""

    programme: Programme = field(default_factory=programme)
    member_id: UUID = field(default_factory=uuid4)
    now: datetime = START
    entries: list[Entry] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        accounts = [Account(asset, open_lots=[]) for asset in Asset]
        self.member = Member(
            self.member_id, points=accounts[0], cash=accounts[1], bonus=accounts[2]
        )
        self.books = Books({self.member_id: self.member}, Programmes([self.programme]))

    def do(self, command: Command) -> Any:
        """Decide a command and keep what it did; returns its answer."""
        decision: Decision[Answer, Event] = decide(self.books, command, self.now)
        self.entries += self.books.changes.entries
        self.events += decision.events
        self.books.changes = Changes()
        return decision.answer

    def refusal(self, command: Command) -> Refusal:
        """The refusal of a command, which must have changed nothing."""
        before = repr(self.member)
        try:
            decide(self.books, command, self.now)
        except Refusal as refusal:
            assert repr(self.member) == before
            assert not self.books.changes.entries
            return refusal
        raise AssertionError("the command was not refused")

    def buy(self, *amounts: int, checkout_id: UUID | None = None, **more: Any) -> Any:
        """Post a purchase made now; returns what was posted."""
        bought = purchase(self.member_id, *amounts, **{"occurred_at": self.now, **more})
        return self.do(PostCheckout(checkout_id or uuid4(), bought)).posted
