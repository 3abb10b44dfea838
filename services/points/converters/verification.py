"""A verification as a message, as JSON and as lines for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from huitouke.points.v1 import books_pb2, entry_pb2
from huitouke.points.v1 import points_service_pb2 as pb

from services.points.converters.values import TO_ASSET
from services.points.domain.assets import House
from services.points.domain.verification import AssetTotals, Difference, Verification

MEMBERS_NAMED_MAX: Final = 10
DIFFERENCES_ANSWERED_MAX: Final = 100


def to_verification(found: Verification) -> pb.VerifyBooksResponse:
    """The answer; members that differ in several assets are named once."""
    return pb.VerifyBooksResponse(
        assets=[_totals(totals) for totals in found.assets],
        balanced=found.balanced,
        differing_member_ids=[str(each) for each in found.differing_members()[:MEMBERS_NAMED_MAX]],
        checkouts_posted=found.checkouts_posted,
        checkouts_reversed=found.checkouts_reversed,
        checkouts_cancelled=found.checkouts_cancelled,
        reversals=found.reversals,
        reversed_minor=found.reversed_minor,
        differences=[_difference(each) for each in found.differences[:DIFFERENCES_ANSWERED_MAX]],
        differences_found=found.differences_found,
    )


def to_json(found: Verification) -> str:
    """One JSON object; amounts are integers, differences as they are told in words."""
    return json.dumps(
        {
            "balanced": found.balanced,
            "looked_at": {
                name: getattr(found.looked, name)
                for name in ("members", "lots", "postings", "records")
            },
            "assets": [
                {
                    "asset": totals.asset,
                    "member_balances": totals.member_balances,
                    "member_postings": totals.member_postings,
                    "open_lots": totals.open_lots,
                    "debt": totals.debt,
                    "held": totals.held,
                    "pending": totals.pending,
                    "house_totals": dict(_houses(totals)),
                }
                for totals in found.assets
            ],
            "differences_found": found.differences_found,
            "differences": [
                {
                    name: value if value is None or isinstance(value, int) else str(value)
                    for name, value in difference._asdict().items()
                }
                for difference in found.differences
            ],
        },
        indent=2,
    )


def to_lines(found: Verification) -> Iterator[str]:
    """What a person reads: the sums of each asset, then each difference, then the verdict."""
    for totals in found.assets:
        houses = ", ".join(f"{house} {total:,}" for house, total in _houses(totals))
        yield (
            f"{totals.asset:<6}  members {totals.member_balances:,}  postings "
            f"{totals.member_postings:,}  open lots {totals.open_lots:,}  house: {houses or 'none'}"
        )
    for difference in found.differences:
        yield _told(difference)
    if found.differences_found > len(found.differences):
        yield f"... and {found.differences_found - len(found.differences):,} more"
    looked = found.looked
    yield (
        f"{'balanced' if found.balanced else 'NOT BALANCED'}: {looked.members:,} members, "
        f"{looked.lots:,} lots, {looked.postings:,} postings, {looked.records:,} records, "
        f"{found.differences_found:,} differences"
    )


def _told(difference: Difference) -> str:
    where = [f"member {difference.member_id}"]
    where += [difference.asset] if difference.asset else []
    where += [f"lot {difference.lot_number}"] if difference.lot_number else []
    where += [f"version {difference.version}"] if difference.version else []
    return (
        f"{difference.kind}: {' '.join(where)}: stored {difference.stored or 'nothing'}, "
        f"recomputed {difference.recomputed or 'nothing'}"
    )


def _difference(difference: Difference) -> books_pb2.BookDifference:
    return books_pb2.BookDifference(
        kind=books_pb2.BookDifferenceKind.Value(f"BOOK_DIFFERENCE_KIND_{difference.kind}"),
        member_id=str(difference.member_id),
        asset=TO_ASSET[difference.asset] if difference.asset else entry_pb2.ASSET_UNSPECIFIED,
        lot_number=difference.lot_number or 0,
        version=difference.version or 0,
        stored=difference.stored,
        recomputed=difference.recomputed,
    )


def _totals(totals: AssetTotals) -> entry_pb2.AssetBooks:
    return entry_pb2.AssetBooks(
        asset=TO_ASSET[totals.asset],
        member_balances=totals.member_balances,
        open_lots=totals.open_lots,
        member_postings=totals.member_postings,
        house_totals=[
            entry_pb2.HouseTotal(account=house, balance=total) for house, total in _houses(totals)
        ],
        members_differing=len(totals.differing),
        debt=totals.debt,
        held=totals.held,
        pending=totals.pending,
    )


def _houses(totals: AssetTotals) -> list[tuple[str, int]]:
    """The house accounts in the order of the type."""
    order = list(House)
    return sorted(totals.house_totals.items(), key=lambda each: order.index(House(each[0])))
