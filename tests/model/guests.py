"""What a guest has: lots in a list, everything else counted from them again and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

POINTS, CASH, BONUS = "POINTS", "CASH", "BONUS"
FOREVER = datetime.max.replace(tzinfo=UTC)
Facts = dict[str, Any]


class Refused(Exception):
    """A refusal: its reason, and the field it names where a test should look at that."""

    def __init__(self, reason: str, named: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.named = named


@dataclass(eq=False)
class Lot:
    """Part of a balance. `left` is still there, `gone` is what has expired of it."""

    number: int
    asset: str
    amount: int
    left: int
    earned: datetime
    ends: datetime | None
    gone: int = 0

    def over(self, now: datetime) -> bool:
        return self.ends is not None and self.ends <= now


@dataclass
class Event:
    """A fact told to the world: the name of its message, and fields that the message must have."""

    kind: str
    version: int
    facts: Facts


@dataclass
class Guest:
    member_id: str
    lots: list[Lot] = field(default_factory=list)
    debt: int = 0
    events: list[Event] = field(default_factory=list)
    warned: set[tuple[str, date, int]] = field(default_factory=set)

    @property
    def version(self) -> int:
        return len(self.events)

    def balance(self, asset: str) -> int:
        return sum(lot.left for lot in self.lots if lot.asset == asset)

    def usable(self, asset: str, now: datetime) -> int:
        return sum(lot.left for lot in self.lots if lot.asset == asset and not lot.over(now))

    def in_spend_order(self, asset: str) -> list[Lot]:
        """By expiry, date of earning and number, soonest first; those with something in them."""
        lots = [lot for lot in self.lots if lot.asset == asset and lot.left]
        return sorted(lots, key=lambda lot: (lot.ends or FOREVER, lot.earned, lot.number))

    def put(self, asset: str, amount: int, earned: datetime, ends: datetime | None) -> Lot:
        lot = Lot(len(self.lots) + 1, asset, amount, amount, earned, ends)
        self.lots.append(lot)
        return lot

    def take(self, asset: str, amount: int) -> list[tuple[Lot, int]]:
        """Take `amount`, soonest expiry first; says what came from where."""
        taken = []
        for lot in self.in_spend_order(asset):
            part = min(lot.left, amount)
            if part:
                lot.left -= part
                amount -= part
                taken.append((lot, part))
        assert not amount, "more was taken than there is"
        return taken

    def expire(self, now: datetime) -> None:
        """What is over goes, and the world is told if there was anything."""
        gone = dict.fromkeys((POINTS, CASH, BONUS), 0)
        for lot in self.lots:
            if lot.over(now):
                gone[lot.asset] += lot.left
                lot.gone += lot.left
                lot.left = 0
        if any(gone.values()):
            facts = {"expired_at": now, "points": gone[POINTS], "bonus_minor": gone[BONUS]}
            self.tell(now, "ValueExpired", facts)

    def tell(self, now: datetime, kind: str, facts: Facts) -> Facts:
        """Tell of a change under the next version; returns the balances that it carries.

        A purchase carries them where the contract has them: in `posted`, as its answer does.
        """
        event = Event(kind, self.version + 1, {"member_id": self.member_id, **facts})
        self.events.append(event)
        balances = self.balances(now)
        carrier = event.facts["posted"] if "posted" in facts else event.facts
        carrier["balances"] = balances
        return balances

    def balances(self, now: datetime) -> Facts:
        """What there is; what is over and still there expires right after, so it is not next."""
        ahead = [lot for lot in self.in_spend_order(POINTS) if not lot.over(now)]
        expiring = [lot for lot in ahead[:1] if lot.ends is not None]
        return {
            "points": self.balance(POINTS),
            "cash_minor": self.balance(CASH),
            "bonus_minor": self.balance(BONUS),
            "points_debt": self.debt,
            "member_version": self.version,
            "next_expiring_points": sum(lot.left for lot in expiring),
            "next_expiry": expiring[0].ends if expiring else None,
        }
