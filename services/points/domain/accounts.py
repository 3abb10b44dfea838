"""Accounts: a member's balances of three assets and the open lots behind them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from services.points.domain.assets import Asset
from services.points.domain.lots import Lot, NextExpiry, next_expiry_of
from services.points.domain.pending import PendingKey, PendingPoints, order
from services.points.domain.pins import Hold, Pin

CURRENCY = "CNY"
_SPEND_ORDER = attrgetter("order")


@dataclass(slots=True)
class Account:
    """One member's account of one asset, as far as it is loaded.

    `open_lots` is None where no lots are loaded: then only earning may happen. Loaded, it is the
    beginning of the lots with a free part, in spend order, long enough for all that the batch may
    take and one more, besides single lots that a reversal or a hold needs. `balance` is always the
    whole; `held` of it is pinned by `holds`, which are the member's open ones. `incoming`, if there
    is any, tells what settling at an instant will add that can be spent.
    """

    asset: Asset
    balance: int = 0
    next_expiry: NextExpiry | None = None
    open_lots: list[Lot] | None = None
    held: int = 0
    holds: Mapping[UUID, Hold] = field(default_factory=dict, repr=False)
    incoming: Callable[[datetime], int] | None = field(default=None, repr=False)

    def due_amount(self, now: datetime) -> int:
        """How much of the balance has reached its end at `now` and is about to be taken out.

        That includes what holds that have timed out give back to lots whose end has come.
        """
        due = sum([pin.amount for pin in self._timed_out_pins(now) if pin.lot.due(now)])
        if self.next_expiry is None or self.next_expiry.expires_at > now:
            return due
        return due + sum([lot.remaining - lot.held for lot in self.due_lots(now)])

    def due_of(self, lot: Lot, now: datetime) -> int:
        """How much of one of its lots has reached its end at `now` and is about to be taken out."""
        return self.free_at(lot, now) if lot.due(now) else 0

    def free_at(self, lot: Lot, now: datetime) -> int:
        """What of one of its lots no hold has at `now`, whether or not timeouts were noted."""
        return lot.free + sum([pin.amount for pin in self._timed_out_pins(now) if pin.lot is lot])

    def first_parts(self, amount: int, now: datetime) -> list[tuple[Lot, int]]:
        """What `take` would take once all that is due at `now` is settled; changes nothing."""
        assert self.open_lots is not None, "lots are looked at that were not loaded"
        lots = {lot.number: lot for lot in self.open_lots}
        lots |= {pin.lot.number: pin.lot for pin in self._timed_out_pins(now)}
        parts = []
        for lot in sorted(lots.values(), key=_SPEND_ORDER):
            part = 0 if lot.due(now) else min(self.free_at(lot, now), amount)
            if part:
                parts.append((lot, part))
                amount -= part
        return parts

    def held_at(self, now: datetime) -> int:
        """What holds have set aside at `now`: those whose timeout has come have nothing."""
        return self.held - sum([pin.amount for pin in self._timed_out_pins(now)])

    def available(self, now: datetime) -> int:
        """What can be spent at `now`: without what is due to expire or held, with what matures."""
        available = self.balance - self.due_amount(now) - self.held_at(now)
        return available if self.incoming is None else available + self.incoming(now)

    def _timed_out_pins(self, now: datetime) -> list[Pin]:
        if not self.held:
            return []
        return [
            pin
            for hold in self.holds.values()
            if hold.timed_out(now)
            for pin in hold.pinned()
            if pin.lot.asset is self.asset
        ]

    def due_lots(self, now: datetime) -> list[Lot]:
        """The lots whose end has come and that have a free part, in spend order."""
        if self.next_expiry is None or self.next_expiry.expires_at > now:
            return []
        assert self.open_lots is not None, "an account with due lots was loaded without them"
        return [lot for lot in self.open_lots if lot.due(now)]

    def add(self, lot: Lot) -> None:
        """Put a lot that has a free part among the open ones; the balance is the caller's."""
        if self.open_lots is not None:
            insort(self.open_lots, lot, key=_SPEND_ORDER)
            self.next_expiry = next_expiry_of(self.open_lots[0])
        elif lot.expires_at is not None:
            first = self.next_expiry
            if first is None or (lot.expires_at, lot.earned_at) < first[:2]:
                self.next_expiry = NextExpiry(lot.expires_at, lot.earned_at, lot.free)

    def put_back(self, lot: Lot, amount: int) -> None:
        """Give `amount` back to a lot whose end has not come; the balance is the caller's."""
        was_open = lot.free > 0
        lot.remaining += amount
        self._freed(lot, was_open)

    def _freed(self, lot: Lot, was_open: bool) -> None:
        """Note that a lot has a larger free part than before."""
        if not was_open:
            self.add(lot)
        elif self.open_lots and self.open_lots[0] is lot:
            self.next_expiry = next_expiry_of(lot)

    def extend(self, lots: Iterable[Lot], expires_at: datetime) -> None:
        """Let lots of it end later; of those with a free part all that may come first are loaded.

        Open lots that are not loaded come after `expires_at`, so the order of the others decides.
        """
        for lot in lots:
            assert not lot.free or self.open_lots is not None, "a lot is moved among unknown ones"
            lot.extend(expires_at)
        if self.open_lots:
            self.open_lots.sort(key=_SPEND_ORDER)
            self.next_expiry = next_expiry_of(self.open_lots[0])

    def take(self, amount: int) -> list[tuple[Lot, int]]:
        """Take `amount` out of the free parts of lots in spend order; returns each with its part.

        The balance is the caller's. There must be enough: the domain has checked it before.
        """
        parts = self._next_free(amount)
        for lot, part in parts:
            lot.remaining -= part
        self._leave(parts)
        return parts

    def pin(self, amount: int) -> list[tuple[Lot, int]]:
        """Set `amount` aside in the very parts that `take` would take; returns them."""
        parts = self._next_free(amount)
        for lot, part in parts:
            lot.held += part
        self.held += amount
        self._leave(parts)
        return parts

    def unpin(self, lot: Lot, amount: int) -> None:
        """Give a pinned part back to its lot, which goes among the open ones even if it is due."""
        assert self.open_lots is not None, "a hold is resolved without its account's lots"
        assert lot.held >= amount, "no more is given back than was pinned"
        was_open = lot.free > 0
        lot.held -= amount
        self.held -= amount
        self._freed(lot, was_open)

    def take_pinned(self, lot: Lot, amount: int) -> None:
        """Take a pinned part out of its lot; the balance is the caller's."""
        assert lot.held >= amount, "no more is captured than was pinned"
        lot.held -= amount
        lot.remaining -= amount
        self.held -= amount

    def _next_free(self, amount: int) -> list[tuple[Lot, int]]:
        """The free parts that make up `amount`, in spend order; the lots are as they were."""
        lots = self.open_lots
        assert lots is not None, "lots are spent that were not loaded"
        parts = []
        for lot in lots:
            if not amount:
                break
            part = min(lot.remaining - lot.held, amount)
            amount -= part
            parts.append((lot, part))
        assert not amount, "the balance is not covered by the open lots"
        return parts

    def _leave(self, parts: list[tuple[Lot, int]]) -> None:
        """Drop from the open lots the first ones, of which `parts` has left nothing free."""
        lots = self.open_lots
        assert lots is not None
        if parts:
            last = parts[-1][0]
            del lots[: len(parts) - (last.remaining > last.held)]
        self.next_expiry = next_expiry_of(lots[0]) if lots else None

    def take_from(self, lot: Lot, amount: int) -> None:
        """Take `amount` out of the free part of one open lot, out of its turn."""
        assert self.open_lots is not None
        assert lot.free >= amount, "a lot never goes below what holds have pinned of it"
        lot.remaining -= amount
        if not lot.free:
            self.open_lots.remove(lot)
        self.next_expiry = next_expiry_of(self.open_lots[0]) if self.open_lots else None


class Balances(NamedTuple):
    """A member's balances after an event, and the version of that event.

    What is held is part of the balances; of the lot that expires next only the free part counts.
    """

    points: int
    cash_minor: int
    bonus_minor: int
    points_debt: int
    member_version: int
    next_expiring_points: int
    next_expiry: datetime | None
    points_held: int = 0
    cash_held_minor: int = 0
    bonus_held_minor: int = 0
    points_pending: int = 0


@dataclass(slots=True)
class Member:
    """What the ledger knows of one member: three accounts, a debt, the last version and lot.

    `lots` holds every lot that is loaded or was made, exhausted ones too, by number. `holds` are
    the open ones by id, in the order they were authorised; a loader that finds
    `stored_holds` of them loads them all. `pending` are the pending points that are loaded: all
    open ones where something is due or may be cancelled. `purchases` counts the posted checkouts
    that are not reversed.
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
    holds: dict[UUID, Hold] = field(default_factory=dict)
    stored_holds: int = 0
    purchases: int = 0
    points_pending: int = 0
    next_maturing_at: datetime | None = None
    pending: dict[PendingKey, PendingPoints] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for account in (self.points, self.cash, self.bonus):
            account.holds = self.holds

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

    def debt_at(self, now: datetime) -> int:
        """What is owed at `now`, when what is to mature then has served it."""
        due = sum([each.left for each in self.pending.values() if each.due(now)])
        return max(0, self.points_debt - due)

    def gone_at_once(self, version: int, now: datetime) -> int:
        """What the checkout of entry `version` has pending that matures at `now` only to expire."""
        coming = self._coming(now)
        return sum([left for each, left, gone in coming if gone and each.key.version == version])

    def _incoming(self, now: datetime) -> int:
        """What maturing at `now` leaves to be spent."""
        return sum([left for _, left, gone in self._coming(now) if not gone])

    def _coming(self, now: datetime) -> Iterator[tuple[PendingPoints, int, bool]]:
        """What matures at `now` beyond the debt, served first in order; and if it is over too."""
        debt = self.points_debt
        for each in sorted(self.pending.values(), key=order):
            if each.due(now):
                served = min(debt, each.left)
                debt -= served
                gone = each.expires_at is not None and each.expires_at <= now
                yield each, each.left - served, gone

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
            self.points.held,
            self.cash.held,
            self.bonus.held,
            self.points_pending,
        )
