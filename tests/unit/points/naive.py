"""The ledger again, written from the rules alone: slow, plain, and sharing no code with it."""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor
from zoneinfo import ZoneInfo

GIFTS = [(100_000, 10_000), (50_000, 3_000)]
CARD_LIMIT = 500_000
PARTS = ("POINTS", "CASH", "BONUS", "MONEY")
"""What pays a bill; a point is worth a fen."""


class NaiveRefusal(Exception):
    """A refusal by its reason."""


@dataclass
class NaiveLot:
    asset: str
    left: int
    earned: datetime
    ends: datetime | None
    born: int
    gone: int = 0


@dataclass
class NaiveCheckout:
    spent: list[tuple[NaiveLot, int]]
    earned: int
    lot: NaiveLot | None
    paid: dict[str, int]
    back: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    claimed: int = 0
    reversed: bool = False

    @property
    def bill(self) -> int:
        return sum(self.paid.values())

    @property
    def left(self) -> int:
        return self.bill - sum(self.back.values())


@dataclass
class NaiveReversal:
    """What one reversal did."""

    back: dict[str, int]
    left: int
    taken: int
    owed: int


@dataclass
class NaiveHold:
    pins: list[tuple[NaiveLot, int]]
    ends: datetime | None
    checkout: object = None
    state: str = "OPEN"

    def state_at(self, now: datetime) -> str:
        late = self.ends is not None and self.ends <= now
        return "EXPIRED" if self.state == "OPEN" and late else self.state

    def has(self, asset: str) -> int:
        return sum(amount for lot, amount in self.pins if lot.asset == asset)


@dataclass
class NaiveLedger:
    """One member: lots in a list, everything recomputed by going through all of them."""

    zone: ZoneInfo
    lots: list[NaiveLot] = field(default_factory=list)
    checkouts: dict[object, NaiveCheckout | None] = field(default_factory=dict)
    holds: dict[int, NaiveHold] = field(default_factory=dict)
    debt: int = 0
    bonus_first: bool = False

    def pinned(self, lot: NaiveLot, now: datetime) -> int:
        """What holds that are open at `now` have of a lot."""
        open_ones = [hold for hold in self.holds.values() if hold.state_at(now) == "OPEN"]
        return sum(amount for hold in open_ones for of, amount in hold.pins if of is lot)

    def free(self, lot: NaiveLot, now: datetime) -> int:
        return lot.left - self.pinned(lot, now)

    def expire(self, now: datetime) -> None:
        for hold in self.holds.values():
            hold.state = hold.state_at(now)
        for lot in self.lots:
            if lot.ends is not None and lot.ends <= now:
                free = self.free(lot, now)
                lot.gone += free
                lot.left -= free

    def usable(self, asset: str, now: datetime) -> int:
        live = [lot for lot in self.lots if lot.ends is None or lot.ends > now]
        return sum(self.free(lot, now) for lot in live if lot.asset == asset)

    def worth(self, asset: str, now: datetime) -> int:
        """The balance as it will be when all that is due is gone."""
        held = sum(self.pinned(lot, now) for lot in self.lots if lot.asset == asset)
        return self.usable(asset, now) + held

    def top_up(self, amount: int, now: datetime) -> None:
        gift = next((gift for start, gift in GIFTS if amount >= start), 0)
        if amount > CARD_LIMIT:
            raise NaiveRefusal("TOP_UP_LIMIT")
        if self.worth("CASH", now) + self.worth("BONUS", now) + amount + gift > CARD_LIMIT:
            raise NaiveRefusal("BALANCE_LIMIT")
        self.expire(now)
        self.lots.append(NaiveLot("CASH", amount, now, None, len(self.lots)))
        if gift:
            ends = self.month_end(now, 24)
            self.lots.append(NaiveLot("BONUS", gift, now, ends, len(self.lots)))

    def post(
        self,
        key: int,
        bill: int,
        points: int,
        stored: int,
        now: datetime,
        bought: datetime,
        holding: int | None = None,
    ) -> int:
        """Book a one-line purchase of a member without a tier; returns the points earned."""
        if key in self.checkouts:
            cancelled = self.checkouts[key] is None
            raise NaiveRefusal("CHECKOUT_CANCELLED" if cancelled else "CHECKOUT_EXISTS")
        hold = None
        if holding is not None:
            hold = self.open_hold(holding, now)
            if hold.checkout not in (None, key):
                raise NaiveRefusal("HOLD_OF_CHECKOUT")
        if self.hold_of(key) not in (None, hold):
            raise NaiveRefusal("CHECKOUT_HAS_HOLD")
        if points + stored > bill:
            raise NaiveRefusal("TENDER_EXCEEDS_BILL")
        if 0 < points < 100:
            raise NaiveRefusal("REDEMPTION_SHARE")
        if hold is not None:
            spent = self.spend_hold(hold, points, stored, now)
            from_bonus = sum(part for of, part in spent if of.asset == "BONUS")
        else:
            spent, from_bonus = self.take(points, stored, now)
            for source, part in spent:
                source.left -= part
        earned = floor(Fraction(bill - points - from_bonus, 100))
        lot = None
        if earned:
            ends = max(self.month_end(bought, 24), self.month_end(now, 1))
            lot = NaiveLot("POINTS", earned, bought, ends, len(self.lots))
            paid = min(earned, self.debt)
            lot.left -= paid
            self.debt -= paid
            self.lots.append(lot)
        money = bill - points - stored
        by = {"POINTS": points, "CASH": stored - from_bonus, "BONUS": from_bonus, "MONEY": money}
        self.checkouts[key] = NaiveCheckout(spent, earned, lot, by)
        return earned

    def take(
        self, points: int, stored: int, now: datetime
    ) -> tuple[list[tuple[NaiveLot, int]], int]:
        """What spending would take, and how much of it is BONUS; nothing is taken yet."""
        if points > self.usable("POINTS", now):
            raise NaiveRefusal("INSUFFICIENT_POINTS")
        cash, bonus = self.usable("CASH", now), self.usable("BONUS", now)
        if stored > cash + bonus:
            raise NaiveRefusal("INSUFFICIENT_STORED_VALUE")
        self.expire(now)
        from_bonus = floor(Fraction(stored * bonus, cash + bonus)) if stored else 0
        if self.bonus_first:
            from_bonus = min(stored, bonus)
        parts = self.choose("POINTS", points, now) + self.choose("CASH", stored - from_bonus, now)
        return parts + self.choose("BONUS", from_bonus, now), from_bonus

    def spend(self, asset: str, amount: int, now: datetime) -> list[tuple[NaiveLot, int]]:
        """Take what is there; returns the lots and their parts."""
        parts = self.choose(asset, amount, now)
        for lot, part in parts:
            lot.left -= part
        return parts

    def choose(self, asset: str, amount: int, now: datetime) -> list[tuple[NaiveLot, int]]:
        chosen = []
        for lot in sorted(self.lots, key=in_order):
            part = min(self.free(lot, now), amount) if lot.asset == asset else 0
            if part:
                amount -= part
                chosen.append((lot, part))
        assert not amount
        return chosen

    def authorize(
        self,
        key: int,
        points: int,
        stored: int,
        now: datetime,
        lives: timedelta | None,
        checkout: int | None,
    ) -> tuple[int, int, int]:
        """Set value aside; returns POINTS, CASH and BONUS of the hold."""
        if key in self.holds:
            released = self.holds[key].state == "RELEASED"
            raise NaiveRefusal("HOLD_RELEASED" if released else "HOLD_EXISTS")
        if checkout in self.checkouts:
            cancelled = self.checkouts[checkout] is None
            raise NaiveRefusal("CHECKOUT_CANCELLED" if cancelled else "CHECKOUT_EXISTS")
        if checkout is not None and self.hold_of(checkout):
            raise NaiveRefusal("CHECKOUT_HAS_HOLD")
        pins, _ = self.take(points, stored, now)
        hold = NaiveHold(pins, None if lives is None else now + lives, checkout)
        self.holds[key] = hold
        return hold.has("POINTS"), hold.has("CASH"), hold.has("BONUS")

    def capture(self, key: int, points: int, stored: int, now: datetime) -> tuple[int, int, int]:
        """Spend a direct hold; returns what was spent of POINTS, CASH and BONUS."""
        hold = self.open_hold(key, now)
        if hold.checkout is not None:
            raise NaiveRefusal("HOLD_OF_CHECKOUT")
        spent = self.spend_hold(hold, points, stored, now)
        by = dict.fromkeys(PARTS, 0)
        for lot, part in spent:
            by[lot.asset] += part
        self.checkouts["hold", key] = NaiveCheckout(spent, 0, None, by)
        return by["POINTS"], by["CASH"], by["BONUS"]

    def release(self, key: int, now: datetime) -> int:
        """Give a hold back or fence it off; returns the points given back."""
        hold = self.open_hold(key, now) if key in self.holds else NaiveHold([], None)
        self.holds[key] = hold
        hold.state = "RELEASED"
        self.expire(now)
        return hold.has("POINTS")

    def open_hold(self, key: int, now: datetime) -> NaiveHold:
        if key not in self.holds:
            raise NaiveRefusal("HOLD_NOT_FOUND")
        if self.holds[key].state_at(now) != "OPEN":
            raise NaiveRefusal("HOLD_" + self.holds[key].state_at(now))
        return self.holds[key]

    def hold_of(self, checkout: int) -> NaiveHold | None:
        holds = [hold for hold in self.holds.values() if hold.state == "OPEN"]
        return next((hold for hold in holds if hold.checkout == checkout), None)

    def spend_hold(
        self, hold: NaiveHold, points: int, stored: int, now: datetime
    ) -> list[tuple[NaiveLot, int]]:
        cash, bonus = hold.has("CASH"), hold.has("BONUS")
        if points > hold.has("POINTS") or stored > cash + bonus:
            raise NaiveRefusal("CAPTURE_EXCEEDS_HOLD")
        left = {"POINTS": points, "CASH": 0, "BONUS": 0}
        if stored:
            exact = {"CASH": Fraction(stored * cash, cash + bonus)}
            exact["BONUS"] = stored - exact["CASH"]
            left |= {asset: floor(share) for asset, share in exact.items()}
            if left["CASH"] + left["BONUS"] < stored:
                rest = {asset: share % 1 for asset, share in exact.items()}
                left["CASH" if rest["CASH"] >= rest["BONUS"] else "BONUS"] += 1
        spent = []
        for lot, amount in sorted(hold.pins, key=lambda pin: in_order(pin[0])):
            part = min(amount, left[lot.asset])
            left[lot.asset] -= part
            lot.left -= part
            if part:
                spent.append((lot, part))
        hold.state = "CAPTURED"
        self.expire(now)
        return spent

    def reverse(self, key: object, amount: int | None, now: datetime) -> NaiveReversal:
        """Undo a checkout, or `amount` of its bill."""
        checkout = self.checkouts.get(key)
        if checkout is None:
            raise NaiveRefusal("CHECKOUT_NOT_FOUND")
        if checkout.reversed:
            raise NaiveRefusal("ALREADY_REVERSED")
        amount = checkout.left if amount is None else amount
        if amount > checkout.left:
            raise NaiveRefusal("REVERSAL_EXCEEDS_CHECKOUT")
        refunded = checkout.bill - checkout.left + amount
        checkout.reversed = refunded == checkout.bill
        self.expire(now)
        back = self.give_back(checkout, refunded)
        self.expire(now)
        taken, owed = self.claim(checkout, refunded, now)
        return NaiveReversal(back, checkout.left, taken, owed)

    def give_back(self, checkout: NaiveCheckout, refunded: int) -> dict[str, int]:
        """Fen by fen to whoever is furthest below its exact share; never anything back again."""
        exact = {part: Fraction(0) for part in PARTS}
        if checkout.bill:
            exact = {p: Fraction(refunded * checkout.paid[p], checkout.bill) for p in PARTS}
        after = {part: max(checkout.back[part], floor(exact[part])) for part in PARTS}
        while sum(after.values()) < refunded:
            after[max(PARTS, key=lambda part: exact[part] - after[part])] += 1
        while sum(after.values()) > refunded:
            late = [part for part in reversed(PARTS) if after[part] > checkout.back[part]]
            after[min(late, key=lambda part: exact[part] - after[part])] -= 1
        back = {part: after[part] - checkout.back[part] for part in PARTS}
        for asset in ("POINTS", "CASH", "BONUS"):
            skip, more = checkout.back[asset], back[asset]
            for lot, spent in reversed(checkout.spent):
                if lot.asset == asset:
                    skipped = min(spent, skip)
                    part = min(spent - skipped, more)
                    lot.left += part
                    skip, more = skip - skipped, more - part
            assert not more
        checkout.back = after
        return back

    def claim(self, checkout: NaiveCheckout, refunded: int, now: datetime) -> tuple[int, int]:
        """Returns the points taken back and those owed."""
        if checkout.lot is None:
            return 0, 0
        kept = max(0, checkout.earned - checkout.lot.gone)
        due = floor(Fraction(kept * refunded, checkout.bill))
        wanted = max(0, due - checkout.claimed)
        checkout.claimed += wanted
        own = min(self.free(checkout.lot, now), wanted)
        checkout.lot.left -= own
        others = min(wanted - own, self.usable("POINTS", now))
        for lot, part in self.choose("POINTS", others, now):
            lot.left -= part
        self.debt += wanted - own - others
        return own + others, wanted - own - others

    def cancel(self, key: int, now: datetime) -> bool:
        """Whether the checkout is fenced off from now on."""
        if key not in self.checkouts:
            hold = self.hold_of(key)
            if hold is not None:
                hold.state = "RELEASED"
            self.expire(now)
        return self.checkouts.setdefault(key, None) is None

    def month_end(self, instant: datetime, months: int) -> datetime:
        day = instant.astimezone(self.zone).date().replace(day=1)
        for _ in range(months):
            day = (day + timedelta(days=31)).replace(day=1)
        last = calendar.monthrange(day.year, day.month)[1]
        midnight = datetime(day.year, day.month, last, tzinfo=self.zone) + timedelta(days=1)
        return midnight.astimezone(UTC)


def in_order(lot: NaiveLot) -> tuple[datetime, datetime, int]:
    """Spend order."""
    return lot.ends or datetime.max.replace(tzinfo=UTC), lot.earned, lot.born
