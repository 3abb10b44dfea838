"""What a guest has: lots in a list, everything else counted from them again and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

POINTS, CASH, BONUS = "POINTS", "CASH", "BONUS"
OPEN, CAPTURED, RELEASED, EXPIRED = "OPEN", "CAPTURED", "RELEASED", "EXPIRED"
FOREVER = datetime.max.replace(tzinfo=UTC)
Facts = dict[str, Any]


class Refused(Exception):
    """A refusal: its reason, and what its metadata must say, where that is looked at."""

    def __init__(self, reason: str, **metadata: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.metadata = {name: str(value) for name, value in metadata.items()}


@dataclass(eq=False)
class Lot:
    """Part of a balance. `left` is still there, `held` of it by holds; `gone` has expired.

    `by_hand` is what staff have taken out of it.
    """

    number: int
    asset: str
    amount: int
    left: int
    earned: datetime
    ends: datetime | None
    gone: int = 0
    held: int = 0
    by_hand: int = 0

    @property
    def free(self) -> int:
        return self.left - self.held

    @property
    def place(self) -> tuple[datetime, datetime, int]:
        """Where it stands among the lots of its asset: what is spent first comes first."""
        return self.ends or FOREVER, self.earned, self.number

    def over(self, now: datetime) -> bool:
        return self.ends is not None and self.ends <= now


@dataclass(eq=False)
class Hold:
    """One hold id for ever; `pins` are the parts of lots that only it can spend."""

    hold_id: str
    member_id: str
    state: str
    held: dict[str, int]
    checkout_id: str = ""
    timeout_at: datetime | None = None
    pins: list[tuple[Lot, int]] = field(default_factory=list)

    def amounts(self) -> Facts:
        held = self.held
        return {"points": held[POINTS], "cash_minor": held[CASH], "bonus_minor": held[BONUS]}


@dataclass(eq=False)
class Gift:
    """What one rule gave in one checkout: in `lot`, or waiting until it matures."""

    facts: Facts
    points: int
    checkout_id: str
    merchant_id: str
    earned: datetime
    ends: datetime | None
    programme_version: int = 0
    waits_until: datetime | None = None
    lot: Lot | None = None
    cancelled: int = 0

    @property
    def waiting(self) -> int:
        """What will mature."""
        return self.points - self.cancelled if self.waits_until and self.lot is None else 0


@dataclass
class Event:
    """A fact told to the world: the name of its message, and fields that the message must have."""

    kind: str
    version: int
    facts: Facts


@dataclass
class Guest:
    """`holds` are the open ones, `gifts` those that have waited; `purchases` counts what stands."""

    member_id: str
    lots: list[Lot] = field(default_factory=list)
    debt: int = 0
    purchases: int = 0
    gifts: list[Gift] = field(default_factory=list)
    holds: dict[str, Hold] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    warned: set[tuple[str, date, int]] = field(default_factory=set)

    @property
    def version(self) -> int:
        return len(self.events)

    def balance(self, asset: str) -> int:
        return sum(lot.left for lot in self.lots if lot.asset == asset)

    def held(self, asset: str) -> int:
        return sum(lot.held for lot in self.lots if lot.asset == asset)

    def usable(self, asset: str, now: datetime) -> int:
        return sum(lot.free for lot in self.lots if lot.asset == asset and not lot.over(now))

    def in_spend_order(self, asset: str) -> list[Lot]:
        """By expiry, date of earning and number, soonest first; those with something free."""
        lots = [lot for lot in self.lots if lot.asset == asset and lot.free]
        return sorted(lots, key=lambda lot: lot.place)

    def put(self, asset: str, amount: int, earned: datetime, ends: datetime | None) -> Lot:
        lot = Lot(len(self.lots) + 1, asset, amount, amount, earned, ends)
        self.lots.append(lot)
        return lot

    def pin(self, asset: str, amount: int) -> list[tuple[Lot, int]]:
        """Set `amount` aside, soonest expiry first; says what came from where."""
        pinned = []
        for lot in self.in_spend_order(asset):
            part = min(lot.free, amount)
            if part:
                lot.held += part
                amount -= part
                pinned.append((lot, part))
        assert not amount, "more was taken than there is"
        return pinned

    def take(self, asset: str, amount: int) -> list[tuple[Lot, int]]:
        """Take `amount` out of what a hold would pin."""
        taken = self.pin(asset, amount)
        for lot, part in taken:
            lot.held -= part
            lot.left -= part
        return taken

    def settle(self, now: datetime) -> None:
        """What time has done, before anything else: holds end, gifts mature, value expires."""
        late = [each for each in self.holds.values() if each.timeout_at and each.timeout_at <= now]
        for hold in sorted(late, key=lambda each: (each.timeout_at, UUID(each.hold_id))):
            self._end(hold, EXPIRED)
            facts = {"hold_id": hold.hold_id, "timeout_at": hold.timeout_at, "expired_at": now}
            self.tell(now, "HoldExpired", {**facts, **hold.amounts()}, over_too=True)
        self._mature(now)
        self.expire(now)

    def _mature(self, now: datetime) -> None:
        """Gifts of one checkout that wait for the same instant become one lot."""
        due = [
            each
            for each in self.gifts
            if each.waiting and each.waits_until and each.waits_until <= now
        ]
        order = {gift: at for at, gift in enumerate(self.gifts)}
        while due:
            first = min(due, key=lambda gift: (gift.waits_until, order[gift]))
            same = [
                each
                for each in due
                if (each.waits_until, each.checkout_id) == (first.waits_until, first.checkout_id)
            ]
            due = [each for each in due if each not in same]
            points = sum(each.waiting for each in same)
            by_rule = [
                {**each.facts, "points": each.waiting, "pending_until": None} for each in same
            ]
            lot, collected = self.earn(points, first.earned, first.ends)
            for each in same:
                each.lot = lot
            facts = {
                "checkout_id": first.checkout_id,
                "merchant_id": first.merchant_id,
                "matured_at": now,
                "points": points,
                "debt_collected": collected,
                "earned_by": by_rule,
                "programme_version": first.programme_version,
                "expires_at": first.ends,
            }
            self.tell(now, "PointsMatured", facts, over_too=True)

    def extend(self, now: datetime, until: datetime, checkout_id: str, version: int) -> None:
        """Points that are not over, and would be before `until`, live until then."""
        lots = [
            lot
            for lot in self.lots
            if lot.asset == POINTS and lot.left and lot.ends and now < lot.ends < until
        ]
        for lot in lots:
            lot.ends = until
        if lots:
            facts = {
                "extended_at": now,
                "checkout_id": checkout_id,
                "points": sum(lot.left for lot in lots),
                "expires_at": until,
                "programme_version": version,
            }
            self.tell(now, "PointsExtended", facts)

    def earn(self, points: int, earned: datetime, ends: datetime | None) -> tuple[Lot, int]:
        """Put points into a lot; an open debt takes its part at once."""
        lot = self.put(POINTS, points, earned, ends)
        collected = min(points, self.debt)
        lot.left -= collected
        self.debt -= collected
        return lot, collected

    def give_back(self, hold: Hold, state: str, now: datetime) -> None:
        """End a hold on somebody's word; what it held in lots that are over expires."""
        self._end(hold, state)
        facts = {"hold_id": hold.hold_id, "released_at": now, "checkout_id": hold.checkout_id}
        self.tell(now, "HoldReleased", {**facts, **hold.amounts()}, over_too=True)
        self.expire(now)

    def _end(self, hold: Hold, state: str) -> None:
        hold.state = state
        for lot, part in hold.pins:
            lot.held -= part
        del self.holds[hold.hold_id]

    def expire(self, now: datetime) -> None:
        """What is over goes, unless a hold has it; the world is told if there was anything."""
        gone = dict.fromkeys((POINTS, CASH, BONUS), 0)
        for lot in self.lots:
            if lot.over(now):
                gone[lot.asset] += lot.free
                lot.gone += lot.free
                lot.left = lot.held
        if any(gone.values()):
            facts = {"expired_at": now, "points": gone[POINTS], "bonus_minor": gone[BONUS]}
            self.tell(now, "ValueExpired", facts)

    def tell(self, now: datetime, kind: str, facts: Facts, *, over_too: bool = False) -> Facts:
        """Tell of a change under the next version; returns the balances that it carries.

        Some carry them where the contract has them: in `posted` or `withdrawal`, as answers do.
        """
        event = Event(kind, self.version + 1, {"member_id": self.member_id, **facts})
        self.events.append(event)
        balances = self.balances(now, over_too=over_too)
        carrier = facts.get("posted") or facts.get("withdrawal") or event.facts
        carrier["balances"] = balances
        return balances

    def balances(self, now: datetime, *, over_too: bool = False) -> Facts:
        """What there is.

        What a reversal has returned to a lot that is over expires right after and is not next;
        what a hold gives back to one is (`over_too`).
        """
        ahead = [lot for lot in self.in_spend_order(POINTS) if over_too or not lot.over(now)]
        expiring = [lot for lot in ahead[:1] if lot.ends is not None]
        return {
            "points": self.balance(POINTS),
            "cash_minor": self.balance(CASH),
            "bonus_minor": self.balance(BONUS),
            "points_debt": self.debt,
            "member_version": self.version,
            "next_expiring_points": sum(lot.free for lot in expiring),
            "next_expiry": expiring[0].ends if expiring else None,
            "points_held": self.held(POINTS),
            "cash_held_minor": self.held(CASH),
            "bonus_held_minor": self.held(BONUS),
            "points_pending": sum(gift.waiting for gift in self.gifts),
        }

    def remember(self) -> tuple[Any, ...]:
        """How things stand, for `forget`."""
        lots = [(lot.left, lot.gone, lot.held) for lot in self.lots]
        holds = [(hold, hold.state) for hold in self.holds.values()]
        return lots, holds, [gift.lot for gift in self.gifts], self.debt, self.version

    def forget(self, stood: tuple[Any, ...]) -> None:
        """Put back what `settle` did for a request that was refused in the end."""
        lots, holds, matured, self.debt, version = stood
        del self.lots[len(lots) :]
        for lot, (left, gone, held) in zip(self.lots, lots, strict=True):
            lot.left, lot.gone, lot.held = left, gone, held
        self.holds = {hold.hold_id: hold for hold, _ in holds}
        for hold, state in holds:
            hold.state = state
        for gift, lot in zip(self.gifts, matured, strict=True):
            gift.lot = lot
        del self.events[version:]
