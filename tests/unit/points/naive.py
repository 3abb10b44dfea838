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
class NaiveLedger:
    """One member: lots in a list, everything recomputed by going through all of them."""

    zone: ZoneInfo
    lots: list[NaiveLot] = field(default_factory=list)
    checkouts: dict[int, NaiveCheckout | None] = field(default_factory=dict)
    debt: int = 0

    def total(self, asset: str) -> int:
        return sum(lot.left for lot in self.lots if lot.asset == asset)

    def expire(self, now: datetime) -> None:
        for lot in self.lots:
            if lot.ends is not None and lot.ends <= now:
                lot.gone += lot.left
                lot.left = 0

    def usable(self, asset: str, now: datetime) -> int:
        live = [lot for lot in self.lots if lot.ends is None or lot.ends > now]
        return sum(lot.left for lot in live if lot.asset == asset)

    def top_up(self, amount: int, now: datetime) -> None:
        gift = next((gift for start, gift in GIFTS if amount >= start), 0)
        if amount > CARD_LIMIT:
            raise NaiveRefusal("TOP_UP_LIMIT")
        if self.usable("CASH", now) + self.usable("BONUS", now) + amount + gift > CARD_LIMIT:
            raise NaiveRefusal("BALANCE_LIMIT")
        self.expire(now)
        self.lots.append(NaiveLot("CASH", amount, now, None, len(self.lots)))
        if gift:
            ends = self.month_end(now, 24)
            self.lots.append(NaiveLot("BONUS", gift, now, ends, len(self.lots)))

    def post(
        self, key: int, bill: int, points: int, stored: int, now: datetime, bought: datetime
    ) -> int:
        """Book a one-line purchase of a member without a tier; returns the points earned."""
        if key in self.checkouts:
            cancelled = self.checkouts[key] is None
            raise NaiveRefusal("CHECKOUT_CANCELLED" if cancelled else "CHECKOUT_EXISTS")
        if points + stored > bill:
            raise NaiveRefusal("TENDER_EXCEEDS_BILL")
        if 0 < points < 100:
            raise NaiveRefusal("REDEMPTION_SHARE")
        if points > self.usable("POINTS", now):
            raise NaiveRefusal("INSUFFICIENT_POINTS")
        cash, bonus = self.usable("CASH", now), self.usable("BONUS", now)
        if stored > cash + bonus:
            raise NaiveRefusal("INSUFFICIENT_STORED_VALUE")
        self.expire(now)
        from_bonus = floor(Fraction(stored * bonus, cash + bonus)) if stored else 0
        spent = self.spend("POINTS", points) + self.spend("CASH", stored - from_bonus)
        spent += self.spend("BONUS", from_bonus)
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

    def spend(self, asset: str, amount: int) -> list[tuple[NaiveLot, int]]:
        spent = []
        far = datetime.max.replace(tzinfo=UTC)
        for lot in sorted(self.lots, key=lambda lot: (lot.ends or far, lot.earned, lot.born)):
            part = min(lot.left, amount) if lot.asset == asset else 0
            if part:
                lot.left -= part
                amount -= part
                spent.append((lot, part))
        assert not amount
        return spent

    def reverse(self, key: int, amount: int | None, now: datetime) -> NaiveReversal:
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
        taken, owed = self.claim(checkout, refunded)
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

    def claim(self, checkout: NaiveCheckout, refunded: int) -> tuple[int, int]:
        """Returns the points taken back and those owed."""
        if checkout.lot is None:
            return 0, 0
        kept = max(0, checkout.earned - checkout.lot.gone)
        due = floor(Fraction(kept * refunded, checkout.bill))
        wanted = max(0, due - checkout.claimed)
        checkout.claimed += wanted
        own = min(checkout.lot.left, wanted)
        checkout.lot.left -= own
        others = min(wanted - own, self.total("POINTS"))
        self.spend("POINTS", others)
        self.debt += wanted - own - others
        return own + others, wanted - own - others

    def cancel(self, key: int) -> bool:
        """Whether the checkout is fenced off from now on."""
        return self.checkouts.setdefault(key, None) is None

    def month_end(self, instant: datetime, months: int) -> datetime:
        day = instant.astimezone(self.zone).date().replace(day=1)
        for _ in range(months):
            day = (day + timedelta(days=31)).replace(day=1)
        last = calendar.monthrange(day.year, day.month)[1]
        midnight = datetime(day.year, day.month, last, tzinfo=self.zone) + timedelta(days=1)
        return midnight.astimezone(UTC)
