"""Statements and verifications into messages.

The values come from storage, which converters don't know: Protocols name what they need of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Protocol
from uuid import UUID

from huitouke.points.v1 import entry_pb2
from huitouke.points.v1 import points_service_pb2 as pb

from services.points.converters.values import TO_ASSET, TO_ENTRY_KIND, to_stamp
from services.points.domain.assets import Asset, EntryKind

DIFFERING_SHOWN_MAX = 10


class StatementEntry(Protocol):
    """One entry of a statement."""

    @property
    def version(self) -> int: ...
    @property
    def kind(self) -> EntryKind: ...
    @property
    def posted_at(self) -> datetime: ...
    @property
    def points(self) -> int: ...
    @property
    def cash_minor(self) -> int: ...
    @property
    def bonus_minor(self) -> int: ...
    @property
    def merchant_id(self) -> UUID | None: ...
    @property
    def reference_id(self) -> UUID | None: ...


class AssetTotals(Protocol):
    """One asset's books, recomputed."""

    @property
    def asset(self) -> Asset: ...
    @property
    def member_balances(self) -> int: ...
    @property
    def open_lots(self) -> int: ...
    @property
    def member_postings(self) -> int: ...
    @property
    def debt(self) -> int: ...
    @property
    def pending(self) -> int: ...
    @property
    def house_totals(self) -> Mapping[str, int]: ...
    @property
    def differing(self) -> Sequence[UUID]: ...
    @property
    def balanced(self) -> bool: ...


class Verification(Protocol):
    """What recomputing the books has found."""

    @property
    def assets(self) -> Sequence[AssetTotals]: ...
    @property
    def checkouts_posted(self) -> int: ...
    @property
    def checkouts_reversed(self) -> int: ...
    @property
    def checkouts_cancelled(self) -> int: ...


def to_entries(entries: Sequence[StatementEntry]) -> list[entry_pb2.Entry]:
    return [
        entry_pb2.Entry(
            entry_id=str(entry.version),
            kind=TO_ENTRY_KIND[entry.kind],
            posted_at=to_stamp(entry.posted_at),
            points=entry.points,
            cash_minor=entry.cash_minor,
            bonus_minor=entry.bonus_minor,
            merchant_id=str(entry.merchant_id or ""),
            reference_id=str(entry.reference_id or ""),
        )
        for entry in entries
    ]


def to_verification(found: Verification) -> pb.VerifyBooksResponse:
    """The answer; members that differ in several assets are named once."""
    differing = dict.fromkeys(chain.from_iterable(totals.differing for totals in found.assets))
    return pb.VerifyBooksResponse(
        assets=[_totals(totals) for totals in found.assets],
        balanced=all(totals.balanced for totals in found.assets),
        differing_member_ids=[str(each) for each in list(differing)[:DIFFERING_SHOWN_MAX]],
        checkouts_posted=found.checkouts_posted,
        checkouts_reversed=found.checkouts_reversed,
        checkouts_cancelled=found.checkouts_cancelled,
    )


def _totals(totals: AssetTotals) -> entry_pb2.AssetBooks:
    return entry_pb2.AssetBooks(
        asset=TO_ASSET[totals.asset],
        member_balances=totals.member_balances,
        open_lots=totals.open_lots,
        member_postings=totals.member_postings,
        house_totals=[
            entry_pb2.HouseTotal(account=account, balance=balance)
            for account, balance in totals.house_totals.items()
        ],
        members_differing=len(totals.differing),
        debt=totals.debt,
        pending=totals.pending,
    )
