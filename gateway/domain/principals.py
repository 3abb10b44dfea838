"""Who is calling: a key of a merchant at one of its terminals, and what the key may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.domain.checkouts import Till


@dataclass(frozen=True, slots=True)
class KeyAtTerminal:
    """What the database knows of a key and a terminal named together.

    `till` is None when the terminal is not one of the key's merchant.
    """

    key_id: str
    secret_sha256: bytes
    merchant_id: UUID
    scopes: frozenset[int]
    expires_at: datetime | None
    revoked: bool
    category: int
    accepts_stored_value: bool
    sells_stored_value: bool
    till: Till | None = None
    time_zone: str = ""

    def works_at(self, now: datetime) -> bool:
        """Whether the key is neither revoked nor past its end."""
        return not self.revoked and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated merchant at a till."""

    merchant_id: UUID
    scopes: frozenset[int]
    category: int
    accepts_stored_value: bool
    sells_stored_value: bool
    till: Till
    time_zone: str
