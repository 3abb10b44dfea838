"""Synthetic guests with something to spend, and the purchases they make."""

from __future__ import annotations

from dataclasses import dataclass

from huitouke.gateway.v1 import checkout_pb2
from huitouke.type.v1 import booking_channel_pb2

from tests.integration.gateway.till import Till, new_mobile, purchase

STAY_MINOR = 400_000
TOP_UP_MINOR = 100_000


@dataclass(frozen=True, slots=True)
class Guest:
    """One enrolled guest; `card_number` as it is printed on the card."""

    member_id: str
    mobile: str
    card_number: str


def enrolled(front_desk: Till, **fields: object) -> Guest:
    """A new guest who owns nothing yet."""
    mobile = new_mobile()
    answer = front_desk.enrol(mobile=mobile, **fields)
    return Guest(answer.member.member_id, mobile, answer.card_number)


def well_off(front_desk: Till, **fields: object) -> Guest:
    """A new guest with 1,000 CNY, its gift of 100 CNY, and the points of a stay."""
    guest = enrolled(front_desk, **fields)
    front_desk.top_up(guest.member_id, TOP_UP_MINOR)
    front_desk.checkout(stay(guest.member_id))
    return guest


def stay(member_id: str, amount_minor: int = STAY_MINOR) -> checkout_pb2.Purchase:
    """Two nights, booked with the hotel: one point for each CNY."""
    bought = purchase(member_id, amount_minor)
    bought.stay.channel = booking_channel_pb2.BOOKING_CHANNEL_DIRECT
    bought.stay.nights = 2
    return bought


def dinner(member_id: str, *coupons: str) -> checkout_pb2.Purchase:
    """600 CNY, paid with coupons, 1,000 points, 200 CNY of stored value, and money."""
    return purchase(
        member_id, 33_333, 26_667, coupons=coupons, points=1_000, stored_value_minor=20_000
    )
