"""Accounts: a member's balances of three assets and the open lots behind them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from services.points.domain.assets import Asset
from services.points.domain.lots import Lot, NextExpiry, next_expiry_of
from services.points.domain.pending import PendingKey, PendingPoints, order

CURRENCY = "CNY"
_SPEND_ORDER = attrgetter("order")


@dataclass(slots=True)
class Account:
    """One member's account of one asset, as far as it is loaded.

    `open_lots` is None where no lots are loaded: then only earning may happen. Loaded, it is the
    beginning of the open lots in spend order, long enough for all that the batch may take and one
    more, besides single lots that a reversal needs. `balance` is always the whole. `incoming`, if
    there is any, tells what settling at an instant will add that can be spent.
    """

    asset: Asset
    balance: int = 0
    next_expiry: NextExpiry | None = None
    open_lots: list[Lot] | None = None
    incoming: Callable[[datetime], int] | None = field(default=None, repr=False)

    def due_amount(self, now: datetime) -> int:
        """How much of the balance has reached its end at `now` and is about to be taken out."""
        if self.next_expiry is None or self.next_expiry.expires_at > now:
            return 0
        return sum(lot.remaining for lot in self.due_lots(now))

    def available(self, now: datetime) -> int:
        """What can be spent at `now`: without what is due to expire, with what is to mature."""
        available = self.balance - self.due_amount(now)
        return available if self.incoming is None else available + self.incoming(now)

    def due_lots(self, now: datetime) -> list[Lot]:
        """The open lots whose end has come, in spend order."""
        if self.next_expiry is None or self.next_expiry.expires_at > now:
            return []
        assert self.open_lots is not None, "an account with due lots was loaded without them"
        return [lot for lot in self.open_lots if lot.due(now)]

    def add(self, lot: Lot) -> None:
        """Put a lot that holds something among the open ones; the balance is the caller's."""
        if self.open_lots is not None:
            insort(self.open_lots, lot, key=_SPEND_ORDER)
            self.next_expiry = next_expiry_of(self.open_lots[0])
        elif lot.expires_at is not None:
            first = self.next_expiry
            if first is None or (lot.expires_at, lot.earned_at) < first[:2]:
                self.next_expiry = NextExpiry(lot.expires_at, lot.earned_at, lot.remaining)

    def refresh(self, lot: Lot) -> None:
        """Note that an open lot holds more than before."""
        if self.open_lots and self.open_lots[0] is lot:
            self.next_expiry = next_expiry_of(lot)

    def take(self, amount: int) -> list[tuple[Lot, int]]:
        """Take `amount` out of the open lots in spend order; returns each lot and its part.

        The balance is the caller's. There must be enough: the domain has checked it before.
        """
        lots = self.open_lots
        assert lots is not None, "lots are spent that were not loaded"
        parts = []
        exhausted = 0
        for lot in lots:
            if not amount:
                break
            part = min(lot.remaining, amount)
            lot.remaining -= part
            amount -= part
            exhausted += not lot.remaining
            parts.append((lot, part))
        assert not amount, "the balance is not covered by the open lots"
        del lots[:exhausted]
        self.next_expiry = next_expiry_of(lots[0]) if lots else None
        return parts

    def take_from(self, lot: Lot, amount: int) -> None:
        """Take `amount` out of one open lot, out of its turn."""
        assert self.open_lots is not None
        assert lot.remaining >= amount, "a lot never goes below zero"
        lot.remaining -= amount
        if not lot.remaining:
            self.open_lots.remove(lot)
        self.next_expiry = next_expiry_of(self.open_lots[0]) if self.open_lots else None


class Balances(NamedTuple):
    """A member's balances after an event, and the version of that event."""

    points: int
    cash_minor: int
    bonus_minor: int
    points_debt: int
    member_version: int
    next_expiring_points: int
    next_expiry: datetime | None
    points_pending: int = 0


@dataclass(slots=True)
class Member:
    """What the ledger knows of one member: three accounts, a debt, the last version and lot.

    `lots` holds every lot that is loaded or was made, exhausted ones too, by number; `pending` the
    pending points that are: all open ones where something is due or may be cancelled. `purchases`
    counts the posted checkouts that are not reversed.
    """

    member_id: UUID
    version: int = 0
    last_posted_at: datetime | None = None
    currency: str = CURRENCY
    last_lot_number: int = 0
    points_debt: int = 0
    points: Account = field(default_factory=lambda: Account(Asset.POINTS))
    cash: Account = field(default_factory=lambda: Account(Asset.CASH))
    bonus: Account = field(default_factory=lambda: Account(Asset.BONUS))
    lots: dict[int, Lot] = field(default_factory=dict)
    purchases: int = 0
    points_pending: int = 0
    next_maturing_at: datetime | None = None
    pending: dict[PendingKey, PendingPoints] = field(default_factory=dict)

    def account(self, asset: Asset) -> Account:
        if asset is Asset.POINTS:
            return self.points
        return self.cash if asset is Asset.CASH else self.bonus

    def accounts(self) -> tuple[Account, Account, Account]:
        return (self.points, self.cash, self.bonus)

    def load_pending(self, pending: PendingPoints) -> None:
        """Take pending points that are in the books already."""
        self.pending[pending.key] = pending
        self.points.incoming = self._incoming

    def put_pending(self, pending: PendingPoints) -> None:
        """Take pending points that were just earned."""
        self.load_pending(pending)
        self.points_pending += pending.points
        first = self.next_maturing_at
        self.next_maturing_at = min(first, pending.matures_at) if first else pending.matures_at

    def refresh_pending(self) -> None:
        """Note when the next of the open pending points mature, all of which are loaded."""
        following = [each.matures_at for each in self.pending.values() if each.open]
        self.next_maturing_at = min(following, default=None)

    def _incoming(self, now: datetime) -> int:
        """What maturing at `now` leaves to be spent: the debt is served first, in order."""
        debt, incoming = self.points_debt, 0
        for each in sorted(self.pending.values(), key=order):
            if each.due(now):
                served = min(debt, each.left)
                debt -= served
                gone = each.expires_at is not None and each.expires_at <= now
                incoming += 0 if gone else each.left - served
        return incoming

    def balances(self) -> Balances:
        """The balances as they stand now."""
        following = self.points.next_expiry
        return Balances(
            self.points.balance,
            self.cash.balance,
            self.bonus.balance,
            self.points_debt,
            self.version,
            following.remaining if following else 0,
            following.expires_at if following else None,
            self.points_pending,
        )
