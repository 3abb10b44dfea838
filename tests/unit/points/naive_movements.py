"""Movements again, written from the rules alone on the naive ledgers of several members."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from math import ceil
from zoneinfo import ZoneInfo

from tests.unit.points.naive import CARD_LIMIT, NaiveLedger, NaiveLot, NaiveRefusal

NaiveParts = list[tuple[NaiveLot, int]]
TRANSFER_LIMITS = {"TRANSFER": 20_000, "DAY": 50_000, "MONTH": 200_000}
ALONE_LIMIT = 10_000
REFUND_DAYS = 7


def spend(ledger: NaiveLedger, asset: str, amount: int, now: datetime) -> NaiveParts:
    """Take what is free, in order."""
    parts = ledger.choose(asset, amount, now)
    for lot, part in parts:
        lot.left -= part
    return parts


@dataclass
class NaiveTopUp:
    cash: NaiveLot
    gift: NaiveLot | None
    principal: int
    given: int
    sold: datetime
    withdrawn: int = 0
    taken_back: int = 0
    deducted: int = 0
    by_hand: int = 0
    refunded: bool = False


@dataclass
class NaiveGuest:
    ledger: NaiveLedger
    top_ups: list[NaiveTopUp] = field(default_factory=list)
    given: list[tuple[datetime, int]] = field(default_factory=list)
    adjusted: list[tuple[datetime, str, int]] = field(default_factory=list)


@dataclass
class NaiveFamily:
    """Members by number; those in `united` are one family."""

    zone: ZoneInfo
    size: int
    united: set[int]
    bonus_first: bool = False
    pending: dict[int, tuple[int, str, int]] = field(default_factory=dict)
    decided: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.guests = [
            NaiveGuest(NaiveLedger(self.zone, bonus_first=self.bonus_first))
            for _ in range(self.size)
        ]

    def top_up(self, who: int, amount: int, now: datetime) -> None:
        ledger = self.guests[who].ledger
        before = len(ledger.lots)
        ledger.top_up(amount, now)
        cash, *gift = ledger.lots[before:]
        lot = gift[0] if gift else None
        made = NaiveTopUp(cash, lot, amount, lot.left if lot else 0, now)
        self.guests[who].top_ups.append(made)

    def transfer(self, giver: int, receiver: int, points: int, now: datetime) -> None:
        if giver == receiver:
            raise NaiveRefusal("TRANSFER_TO_SELF")
        if not {giver, receiver} <= self.united:
            raise NaiveRefusal("NOT_IN_ONE_GROUP")
        given = [(at.astimezone(self.zone), each) for at, each in self.guests[giver].given]
        today = now.astimezone(self.zone)
        by_day = sum(each for at, each in given if at.date() == today.date())
        by_month = sum(each for at, each in given if (at.year, at.month) == today.timetuple()[:2])
        used = {"TRANSFER": 0, "DAY": by_day, "MONTH": by_month}
        if any(used[name] + points > limit for name, limit in TRANSFER_LIMITS.items()):
            raise NaiveRefusal("TRANSFER_LIMIT")
        source, target = self.guests[giver].ledger, self.guests[receiver].ledger
        if points > source.usable("POINTS", now) - source.debt:
            raise NaiveRefusal("INSUFFICIENT_POINTS")
        source.expire(now)
        target.expire(now)
        for lot, part in source.spend("POINTS", points, now):
            target.lots.append(NaiveLot("POINTS", part, lot.earned, lot.ends, len(target.lots)))
        self.guests[giver].given.append((now, points))

    def adjust(self, key: int, who: int, asset: str, amount: int, now: datetime) -> bool:
        """Whether it was booked at once."""
        self._possible(who, asset, amount, now)
        guest = self.guests[who]
        guest.ledger.expire(now)
        lately = [
            abs(each)
            for at, of, each in guest.adjusted
            if of == asset and now - at < timedelta(hours=24)
        ]
        if sum(lately) + abs(amount) > ALONE_LIMIT:
            self.pending[key] = (who, asset, amount)
            return False
        guest.adjusted.append((now, asset, amount))
        self._book(who, asset, amount, now)
        return True

    def decide(self, key: int, approve: bool, now: datetime) -> None:
        if key in self.decided:
            raise NaiveRefusal("ADJUSTMENT_DECIDED")
        who, asset, amount = self.pending[key]
        if approve:
            self._possible(who, asset, amount, now)
        self.decided.add(key)
        self.guests[who].ledger.expire(now)
        if approve:
            self._book(who, asset, amount, now)

    def _possible(self, who: int, asset: str, amount: int, now: datetime) -> None:
        ledger = self.guests[who].ledger
        if amount < 0 and -amount > ledger.usable(asset, now):
            short = "POINTS" if asset == "POINTS" else "STORED_VALUE"
            raise NaiveRefusal(f"INSUFFICIENT_{short}")
        stored = ledger.worth("CASH", now) + ledger.worth("BONUS", now)
        if amount > 0 and asset != "POINTS" and stored + amount > CARD_LIMIT:
            raise NaiveRefusal("BALANCE_LIMIT")

    def _book(self, who: int, asset: str, amount: int, now: datetime) -> None:
        ledger = self.guests[who].ledger
        if amount < 0:
            for lot, part in ledger.spend(asset, -amount, now):
                for top_up in self.guests[who].top_ups:
                    top_up.by_hand += part if top_up.gift is lot else 0
        else:
            ends = None if asset == "CASH" else ledger.month_end(now, 24)
            ledger.lots.append(NaiveLot(asset, amount, now, ends, len(ledger.lots)))

    def withdraw(self, who: int, amount: int, now: datetime) -> tuple[int, int]:
        """Pay principal out; returns the money and the gift taken back."""
        available = self.guests[who].ledger.usable("CASH", now)
        if not 0 < amount <= available:
            raise NaiveRefusal("INSUFFICIENT_CASH")
        paid, back = self._withdraw(deepcopy(self.guests[who]), amount, now)
        if paid <= 0:
            raise NaiveRefusal("NOTHING_TO_PAY_OUT")
        assert (paid, back) == self._withdraw(self.guests[who], amount, now)
        return paid, back

    def _withdraw(self, guest: NaiveGuest, amount: int, now: datetime) -> tuple[int, int]:
        """What the guest has had of each gift may be no more than the principal spent earned."""
        guest.ledger.expire(now)
        paid, back = amount, 0
        for lot, part in guest.ledger.spend("CASH", amount, now):
            for top_up in guest.top_ups:
                if top_up.cash is lot and top_up.gift is not None:
                    gift = top_up.gift
                    top_up.withdrawn += part
                    lost = ceil(Fraction(top_up.given * top_up.withdrawn, top_up.principal))
                    returned = top_up.taken_back + top_up.deducted
                    take = min(guest.ledger.free(gift, now), lost - returned)
                    gift.left -= take
                    top_up.taken_back += take
                    away = gift.gone + top_up.by_hand
                    left = guest.ledger.free(gift, now)
                    had = top_up.given - left - away - top_up.taken_back
                    too_much = max(0, had - (top_up.given - lost) - top_up.deducted)
                    top_up.deducted += too_much
                    paid, back = paid - too_much, back + take
        return paid, back

    def refund(self, who: int, number: int, now: datetime) -> tuple[int, int]:
        """Undo a top-up; returns the money and the gift taken back."""
        top_up = self.guests[who].top_ups[number]
        if top_up.refunded:
            raise NaiveRefusal("TOP_UP_REFUNDED")
        if now - top_up.sold > timedelta(days=REFUND_DAYS):
            raise NaiveRefusal("TOP_UP_TOO_OLD")
        gift, ledger = top_up.gift, self.guests[who].ledger
        if ledger.free(top_up.cash, now) < top_up.principal:
            raise NaiveRefusal("TOP_UP_SPENT")
        if gift and ledger.free(gift, now) + gift.gone < top_up.given:
            raise NaiveRefusal("TOP_UP_SPENT")
        ledger.expire(now)
        top_up.refunded = True
        top_up.cash.left = 0
        back = gift.left if gift else 0
        if gift:
            gift.left = 0
        return top_up.principal, back
