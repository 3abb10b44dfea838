"""Pending points: earned, but no part of the balance until they mature.

They stand with the checkout that earned them. Maturing makes them a lot, by an entry of its own;
a reversal before that cancels of them what it claims back, so that nothing is owed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.points.domain.assets import Funder
from services.points.domain.earning import EarnedBy
from services.points.domain.purchases import Purchase
from services.points.domain.rules import EarningRule, RuleBook


class PendingState(StrEnum):
    """Where pending points stand; MATURED and CANCELLED are final."""

    PENDING = "PENDING"
    MATURED = "MATURED"
    CANCELLED = "CANCELLED"


class PendingKey(NamedTuple):
    """The entry of the checkout that earned, and the place among what it earned, from 1."""

    version: int
    line: int


@dataclass(slots=True, eq=False)
class PendingPoints:
    """What one rule gave in one checkout to be spent later; it equals only itself.

    Of `points` so many were `cancelled` by reversals before they matured. `earned_at` and
    `expires_at` are those of the lot to be. `resolved_version` is the entry that matured it or
    cancelled the last of it, `lot_number` the lot it became.
    """

    key: PendingKey
    checkout_id: UUID
    merchant_id: UUID
    programme_version: int
    rule: str
    funder: Funder
    points: int
    basis_minor: int
    earned_at: datetime
    matures_at: datetime
    expires_at: datetime | None
    state: PendingState = PendingState.PENDING
    resolved_version: int | None = None
    lot_number: int | None = None
    cancelled: int = 0

    @property
    def left(self) -> int:
        """What matures, or has matured."""
        return self.points - self.cancelled

    @property
    def open(self) -> bool:
        return self.state is PendingState.PENDING

    def due(self, now: datetime) -> bool:
        """Whether it is to mature at `now`."""
        return self.open and self.matures_at <= now


def with_waiting(
    rules: RuleBook, purchase: Purchase, earned: Sequence[EarnedBy], now: datetime
) -> list[EarnedBy]:
    """`earned`, with the instant until which each rule's points wait, if that lies ahead."""
    waiting = []
    for by in earned:
        rule = rules.waiting.get(by.rule)
        until = matures_at(rule, purchase, now) if rule else now
        waiting.append(by._replace(pending_until=until) if until > now else by)
    return waiting


def matures_at(rule: EarningRule, purchase: Purchase, now: datetime) -> datetime:
    """When points of `rule` can be spent: days from the purchase on, or the stay's end if later."""
    bought_at = min(purchase.occurred_at, now)
    until = bought_at + timedelta(days=rule.pending.days)
    stay = purchase.stay
    if rule.pending.until_stay_ends and stay is not None and stay.ends_at is not None:
        until = max(until, stay.ends_at)
    return until


def order(pending: PendingPoints) -> tuple[datetime, PendingKey]:
    """The order in which pending points mature."""
    return pending.matures_at, pending.key
