"""Dinners as requests: serialized beforehand, one a call or many in a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random
from uuid import UUID

from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1 import purchase_pb2
from huitouke.type.v1 import merchant_category_pb2, place_pb2

from chassis.identifiers import new_id

TIERS = ("CLASSIC", "CLASSIC", "CLASSIC", "SILVER", "GOLD", "PLATINUM")
DINNER_MINOR = 30_000
PLACE = place_pb2.Place(
    merchant_id=str(new_id()),
    outlet_id=str(new_id()),
    terminal_id=str(new_id()),
    property_code="SHA01",
    time_zone="Asia/Shanghai",
)


def dinner(member: UUID, tier: str, amount: int, points: int) -> pb.PostRequest:
    """One dinner now, a part of it paid with points."""
    request = pb.PostRequest(
        request_id=new_id().hex,
        checkout_id=str(new_id()),
        purchase=purchase_pb2.Purchase(
            member_id=str(member),
            place=PLACE,
            currency="CNY",
            member=purchase_pb2.MemberFacts(tier=tier),
            lines=[
                purchase_pb2.Line(
                    category=merchant_category_pb2.MERCHANT_CATEGORY_DINING, amount_minor=amount
                )
            ],
            redeem_points=points,
        ),
    )
    request.purchase.occurred_at.GetCurrentTime()
    return request


def dinners(members: Sequence[UUID], random: Random, points: int) -> Iterator[pb.PostRequest]:
    """Dinners of random members without end, each redeeming so many points; half have a tier."""
    while True:
        at = random.randrange(len(members))
        amount = DINNER_MINOR + random.randrange(997)
        yield dinner(members[at], TIERS[at % len(TIERS)], amount, points)


def singles(stream: Iterator[pb.PostRequest], count: int) -> list[bytes]:
    """`count` serialized requests of Post."""
    return [request.SerializeToString() for request in islice(stream, count)]


def batches(stream: Iterator[pb.PostRequest], count: int, size: int) -> list[bytes]:
    """`count` serialized requests of BatchPost, `size` items each."""
    return [
        pb.BatchPostRequest(
            items=[pb.BatchPostItem(request=request) for request in islice(stream, size)]
        ).SerializeToString()
        for _ in range(count)
    ]


def check_batches(answers: Sequence[bytes]) -> None:
    """Make sure that every item of every answer was posted, and none from memory."""
    for answer in answers:
        for outcome in pb.BatchPostResponse.FromString(answer).outcomes:
            assert outcome.WhichOneof("result") == "response", outcome.error.message
            assert not outcome.replayed


def check_singles(answers: Sequence[bytes]) -> None:
    """Make sure that every answer is one."""
    for answer in answers:
        assert pb.PostResponse.FromString(answer).checkout_id
