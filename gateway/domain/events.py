"""What the gateway tells the world; versions count per member without gaps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.domain.checkouts import Till


@dataclass(frozen=True, slots=True)
class CheckoutOpened:
    """Something was set aside for a purchase; `held` is encoded."""

    member_id: UUID
    version: int
    checkout_id: UUID
    till: Till
    held: bytes
    opened_at: datetime
    commit_by: datetime


@dataclass(frozen=True, slots=True)
class CheckoutCommitted:
    """A purchase happened; `receipt` is encoded."""

    member_id: UUID
    version: int
    checkout_id: UUID
    till: Till
    receipt: bytes
    committed_at: datetime


@dataclass(frozen=True, slots=True)
class CheckoutCancelled:
    """A purchase that had been opened did not happen."""

    member_id: UUID
    version: int
    checkout_id: UUID
    till: Till
    reason: str
    cancelled_at: datetime


@dataclass(frozen=True, slots=True)
class CheckoutRefunded:
    """A purchase was undone, by whole or by part; `refund` is encoded."""

    member_id: UUID
    version: int
    checkout_id: UUID
    till: Till
    refund: bytes


Event = CheckoutOpened | CheckoutCommitted | CheckoutCancelled | CheckoutRefunded
