"""Drives the stays through the gateway, many at a time, each of them safe to drive again."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.gateway.v1 import checkout_pb2
from huitouke.gateway.v1 import partner_service_pb2 as partner
from huitouke.gateway.v1.partner_service_pb2_grpc import PartnerServiceStub
from huitouke.type.v1 import language_pb2

from cli.clients import CALL_TIMEOUT_SECONDS, Refused, partner_credentials
from cli.endpoints import Endpoints
from cli.replay.bookings import Stay
from cli.replay.merchants import FrontDesk

TRIES_MAX = 20
BACK_OFF_SECONDS = 0.25
PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
}
"""After these the same request is simply sent again: its request_id makes that safe."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What identifies a replay: the file's digest, the rate, and how many calls run at once."""

    digest: str
    fen_per_euro: Decimal
    concurrency: int

    def request_id(self, stay: Stay, what: str) -> str:
        return f"replay/{self.digest[:16]}/{stay.line}/{what}"

    def mobile(self, stay: Stay) -> str:
        """A synthetic number: three digits that stand for the file, five for the line."""
        return f"+86199{int(self.digest[:8], 16) % 1000:03d}{stay.line % 100_000:05d}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one stay.

    `checkout_id` is empty where the amount isn't positive; `failure` says why it stopped short,
    and is empty otherwise.
    """

    stay: Stay
    amount_fen: int
    member_id: str = ""
    checkout_id: str = ""
    points_earned: int = 0
    gross_fen: int = 0
    failure: str = ""


async def replay_stays(
    endpoints: Endpoints,
    plan: Plan,
    desks: dict[str, FrontDesk],
    stays: Iterable[Stay],
    progress: Callable[[Outcome], None],
) -> list[Outcome]:
    """Enrol a guest and book a checkout for each stay; one that fails stops no other."""
    waiting = iter(stays)
    outcomes: list[Outcome] = []
    async with grpc.aio.secure_channel(
        endpoints.partner, partner_credentials(endpoints)
    ) as channel:
        stub = PartnerServiceStub(channel)

        async def work() -> None:
            for stay in waiting:
                outcome = await _drive(stub, plan, desks[stay.property_code], stay)
                outcomes.append(outcome)
                progress(outcome)

        await asyncio.gather(*(work() for _ in range(plan.concurrency)))
    return sorted(outcomes, key=lambda outcome: outcome.stay.line)


async def _drive(stub: Any, plan: Plan, desk: FrontDesk, stay: Stay) -> Outcome:
    amount = stay.amount_fen(plan.fen_per_euro)
    try:
        member_id = await _enrol(stub, plan, desk, stay)
        if amount <= 0:
            return Outcome(stay, amount, member_id)
        request = checkout_request(plan, stay, member_id, amount)
        answer = await _persist(stub.Checkout, request, desk)
    except Refused as refusal:
        return Outcome(stay, amount, failure=str(refusal))
    receipt = answer.checkout.receipt
    return Outcome(
        stay,
        amount,
        member_id,
        answer.checkout.checkout_id,
        receipt.points_earned,
        receipt.gross_minor,
    )


async def _enrol(stub: Any, plan: Plan, desk: FrontDesk, stay: Stay) -> str:
    request = partner.EnrolMemberRequest(
        request_id=plan.request_id(stay, "enrol"),
        name=f"Guest {stay.line}",
        mobile=plan.mobile(stay),
        language=language_pb2.LANGUAGE_EN,
        vouched_by_staff="REPLAY",
    )
    try:
        answer = await _persist(stub.EnrolMember, request, desk)
    except Refused as refusal:
        if refusal.reason == "ALREADY_ENROLLED":
            return refusal.metadata["member_id"]
        raise
    return str(answer.member.member_id)


def checkout_request(
    plan: Plan, stay: Stay, member_id: str, amount_fen: int
) -> partner.CheckoutRequest:
    """The stay as a ROOM checkout: one line of adr × nights, dated the morning the guest left."""
    left_at = Timestamp()
    left_at.FromDatetime(stay.left_at)
    purchase = checkout_pb2.Purchase(
        member=checkout_pb2.MemberIdentifier(member_id=member_id),
        lines=[checkout_pb2.PurchaseLine(quantity=stay.nights, amount_minor=amount_fen)],
        currency="CNY",
        stay=checkout_pb2.Stay(channel=stay.channel, nights=stay.nights),
        occurred_at=left_at,
    )
    return partner.CheckoutRequest(request_id=plan.request_id(stay, "checkout"), purchase=purchase)


async def _persist(method: Any, request: Any, desk: FrontDesk) -> Any:
    """Call until it is answered for good; only passing troubles are tried again, with back-off."""
    for attempt in range(1, TRIES_MAX + 1):
        try:
            return await method(request, timeout=CALL_TIMEOUT_SECONDS, metadata=desk.metadata)
        except grpc.RpcError as error:
            refusal = Refused(error)
            if refusal.code not in PASSING or attempt == TRIES_MAX:
                raise refusal from error
            await asyncio.sleep(BACK_OFF_SECONDS * min(attempt, 8))
    raise AssertionError("the last try returns or raises")
