"""Statements: a member's postings in a period, with the balances at both its ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.points.domain.assets import Asset, EntryKind, House


class StatementLine(NamedTuple):
    """One posting as a statement shows it."""

    version: int
    line: int
    kind: EntryKind
    posted_at: datetime
    asset: Asset
    amount: int
    balance_after: int
    house: House
    rule: str
    merchant_id: UUID | None
    reference_id: UUID | None


@dataclass(frozen=True, slots=True)
class StatementFrame:
    """What a statement is fixed to before its lines are read, which may take a while.

    Its lines are those of the versions from `first` to `last` in the period from `since` to
    `before`, excluded; None for an open end. Postings never change and later ones have later
    versions, so reading them page by page sees what one snapshot would.
    """

    member_id: UUID
    since: datetime | None
    before: datetime | None
    first: int
    last: int
    opening: Mapping[Asset, int]
    closing: Mapping[Asset, int]
