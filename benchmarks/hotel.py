"""A hotel to measure: the suite, a till in its restaurant, and guests who have points."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from huitouke.gateway.v1 import checkout_pb2
from huitouke.gateway.v1 import partner_service_pb2 as partner
from huitouke.type.v1 import language_pb2

from benchmarks.calling import Client, Target
from chassis.identifiers import new_id
from cli.demo.stage import set_stage
from cli.endpoints import Endpoints
from cli.suite import Ports, Suite
from cli.suite.layout import BACKGROUND_NICENESS, SERVICES

GUESTS = 2_000
BANQUET_MINOR, DINNER_MINOR, REDEEMED = 450_000, 30_000, 100
_SERVICE = "/huitouke.gateway.v1.PartnerService/"


@contextmanager
def running_suite(
    without: Sequence[str] = (), *, background_niceness: int = BACKGROUND_NICENESS
) -> Iterator[Suite]:
    """Start all of Huitouke but the services named, in a temporary folder, on free ports."""
    services = [service for service in SERVICES if service not in without]
    with tempfile.TemporaryDirectory(prefix="huitouke-benchmark-") as folder:
        suite = Suite(
            Path(folder),
            ports=Ports.free(),
            services=services,
            background_niceness=background_niceness,
        )
        suite.start()
        try:
            yield suite
        finally:
            suite.stop()


@dataclass(slots=True)
class Hotel:
    """The till where its guests buy, and their card numbers."""

    restaurant: Target
    cards: list[str]
    _number: Iterator[int] = field(default_factory=count)

    def dinners(self, how_many: int) -> list[bytes]:
        """Serialized checkouts of ever other guests: each redeems 100 points and earns some."""
        return [
            _checkout(self._card(), DINNER_MINOR + number % 997, REDEEMED)
            for number in range(how_many)
        ]

    def _card(self) -> str:
        return self.cards[next(self._number) % len(self.cards)]


def open_hotel(endpoints: Endpoints, client: Client, guests: int = GUESTS) -> Hotel:
    """Enrol the guests and let each give a banquet, so that they have points to redeem."""
    stage = set_stage(endpoints, f"{new_id().hex[-8:].upper()}")
    authority = (Path(endpoints.certificates) / "ca.pem").read_bytes()

    def at(metadata: Sequence[tuple[str, str]], method: str) -> Target:
        return Target(endpoints.partner, _SERVICE + method, authority, tuple(metadata))

    desk = stage.front_desk.metadata
    enrolled = client.send(at(desk, "EnrolMember"), [_enrolment(each) for each in range(guests)])
    cards = [partner.EnrolMemberResponse.FromString(each).card_number for each in enrolled.answers]
    hotel = Hotel(at(stage.restaurant.metadata, "Checkout"), cards)
    client.send(hotel.restaurant, [_checkout(card, BANQUET_MINOR, 0) for card in cards])
    return hotel


def check(answers: Sequence[bytes]) -> None:
    """Raise AssertionError unless each answer is a committed checkout that redeemed and earned."""
    for answer in answers:
        checkout = partner.CheckoutResponse.FromString(answer).checkout
        assert checkout.state == checkout_pb2.CHECKOUT_STATE_COMMITTED, checkout.state
        assert checkout.receipt.points_redeemed == REDEEMED, "no points were redeemed"
        assert checkout.receipt.points_earned > 0, "no points were earned"


def _enrolment(number: int) -> bytes:
    return partner.EnrolMemberRequest(
        request_id=f"benchmark/{new_id()}",
        name=f"客{number}",
        mobile=f"+86199{number:08d}",
        language=language_pb2.LANGUAGE_ZH_CN,
        vouched_by_staff="BENCH",
    ).SerializeToString()


def _checkout(card: str, amount_minor: int, redeem_points: int) -> bytes:
    return partner.CheckoutRequest(
        request_id=f"benchmark/{new_id()}",
        purchase=checkout_pb2.Purchase(
            member=checkout_pb2.MemberIdentifier(card_number=card),
            lines=[checkout_pb2.PurchaseLine(quantity=1, amount_minor=amount_minor)],
            currency="CNY",
            redeem_points=redeem_points,
        ),
    ).SerializeToString()
