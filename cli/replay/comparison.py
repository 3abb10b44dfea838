"""Holds the ledger against the file: what the file says was computed without asking any service."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from huitouke.gateway.v1 import checkout_pb2
from huitouke.gateway.v1 import partner_service_pb2 as partner
from huitouke.gateway.v1.partner_service_pb2_grpc import PartnerServiceStub
from huitouke.points.v1 import entry_pb2
from huitouke.points.v1 import points_service_pb2 as points
from huitouke.points.v1.points_service_pb2_grpc import PointsServiceStub
from huitouke.type.v1.booking_channel_pb2 import BookingChannel

from cli.clients import CALL_TIMEOUT_SECONDS, operator_credentials, partner_credentials
from cli.endpoints import Endpoints
from cli.replay.merchants import FrontDesk
from cli.replay.runner import Outcome, Plan

FEN_PER_POINT = 100
EARNING_CHANNELS = {
    BookingChannel.BOOKING_CHANNEL_DIRECT,
    BookingChannel.BOOKING_CHANNEL_CORPORATE,
}
"""DOMAIN §3: by default only these stays earn, one point for each whole CNY."""


@dataclass(slots=True)
class Side:
    """One side of the comparison."""

    checkouts: int = 0
    amount_fen: int = 0
    points: int = 0

    def add(self, other: "Side") -> None:
        self.checkouts += other.checkouts
        self.amount_fen += other.amount_fen
        self.points += other.points


@dataclass(slots=True)
class Comparison:
    """Both sides, and what was expected and found on each line of the file that differs."""

    file: Side = field(default_factory=Side)
    ledger: Side = field(default_factory=Side)
    differences: dict[int, str] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        return not self.differences and self.file == self.ledger


def expected_points(outcome: Outcome) -> int:
    """Points that the file alone says a stay earns."""
    if outcome.stay.channel not in EARNING_CHANNELS:
        return 0
    return outcome.amount_fen // FEN_PER_POINT


async def compare(
    endpoints: Endpoints,
    plan: Plan,
    desks: dict[str, FrontDesk],
    outcomes: Sequence[Outcome],
    progress: Callable[[], None],
) -> Comparison:
    """Ask the gateway for each stay's checkout and the ledger for what it earned, and compare.

    A stay that earns nothing moves nothing, so the ledger's statement has no entry of it.
    """
    comparison = Comparison()
    stays = [outcome for outcome in outcomes if outcome.amount_fen > 0]
    for outcome in stays:
        comparison.file.add(Side(1, outcome.amount_fen, expected_points(outcome)))
    waiting = iter(stays)
    async with (
        grpc.aio.secure_channel(endpoints.partner, partner_credentials(endpoints)) as edge,
        grpc.aio.secure_channel(endpoints.points, operator_credentials(endpoints)) as ledger,
    ):
        till, book = PartnerServiceStub(edge), PointsServiceStub(ledger)

        async def work() -> None:
            for outcome in waiting:
                await _compare_one(till, book, plan, desks, outcome, comparison)
                progress()

        await asyncio.gather(*(work() for _ in range(plan.concurrency)))
    return comparison


async def _compare_one(
    till: Any,
    book: Any,
    plan: Plan,
    desks: dict[str, FrontDesk],
    outcome: Outcome,
    comparison: Comparison,
) -> None:
    stay = outcome.stay
    try:
        found = await till.GetCheckout(
            partner.GetCheckoutRequest(checkout_request_id=plan.request_id(stay, "checkout")),
            metadata=desks[stay.property_code].metadata,
            timeout=CALL_TIMEOUT_SECONDS,
        )
        entries = await book.ListEntries(
            points.ListEntriesRequest(member_id=found.checkout.member_id, page_size=200),
            timeout=CALL_TIMEOUT_SECONDS,
        )
    except grpc.RpcError as error:
        comparison.differences[stay.line] = f"{error.code().name} {error.details()}"
        return
    record = found.checkout
    earned = [
        entry.points
        for entry in entries.entries
        if entry.reference_id == record.checkout_id and entry.kind == entry_pb2.ENTRY_KIND_CHECKOUT
    ]
    committed = int(record.state == checkout_pb2.CHECKOUT_STATE_COMMITTED)
    side = Side(committed, record.receipt.gross_minor, sum(earned))
    comparison.ledger.add(side)
    expected = Side(1, outcome.amount_fen, expected_points(outcome))
    if side != expected or len(earned) > 1:
        comparison.differences[stay.line] = (
            f"expected {expected}, found {side}, {len(earned)} entries"
        )
