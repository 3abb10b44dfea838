"""A till's purchase as the ledger gets it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from huitouke.gateway.v1 import checkout_pb2
from huitouke.member.v1 import member_pb2
from huitouke.points.v1 import points_service_pb2
from huitouke.type.v1 import season_pb2

from gateway.converters.purchases import (
    Bill,
    post_request,
    reverse_if_mispriced,
    to_ledger_purchase,
)
from tests.unit.gateway.test_intake import DESK

NOW = datetime(2026, 3, 10, 4, tzinfo=UTC)


def bill(purchase: checkout_pb2.Purchase) -> Bill:
    purchase.lines.add(quantity=1, amount_minor=10_000)
    return Bill(purchase, member_pb2.Resolution(tier="GOLD"), DESK, NOW)


def test_season_and_the_stays_end_reach_the_ledger_as_the_till_states_them() -> None:
    asked = checkout_pb2.Purchase(currency="CNY", season=season_pb2.SEASON_OFF)
    asked.stay.channel, asked.stay.nights = 1, 2  # type: ignore[assignment]
    asked.stay.ends_at.FromDatetime(NOW + timedelta(days=2))
    asked.stay.member_absent = True
    booked = to_ledger_purchase(bill(asked))
    assert booked.stay.member_absent
    assert booked.season == season_pb2.SEASON_OFF
    assert booked.stay.ends_at == asked.stay.ends_at


@pytest.mark.parametrize(
    ("points", "tenders", "expected"),
    [(100, [9_000, 900], 9_900), (100, [], None), (0, [10_000], None), (100, [0], 0)],
)
def test_what_only_the_ledger_prices_is_posted_with_what_the_tenders_expect(
    points: int, tenders: list[int], expected: int | None
) -> None:
    asked = checkout_pb2.Purchase(currency="CNY", redeem_points=points)
    for amount in tenders:
        asked.tenders.add(kind=checkout_pb2.TENDER_KIND_ALIPAY, amount_minor=amount)
    checkout_id, hold_id = str(uuid4()), str(uuid4())
    wire = post_request(bill(asked), checkout_id, hold_id)
    post = points_service_pb2.PostRequest.FromString(wire)
    said = post.expected_to_pay_minor if post.HasField("expected_to_pay_minor") else None
    assert (said, post.hold_id, post.checkout_id) == (expected, hold_id, checkout_id)
    assert bool(reverse_if_mispriced(bill(asked), checkout_id)) is (expected is not None)


def test_what_a_till_does_not_state_is_left_out() -> None:
    asked = checkout_pb2.Purchase(currency="CNY")
    asked.stay.channel, asked.stay.nights = 1, 2  # type: ignore[assignment]
    booked = to_ledger_purchase(bill(asked))
    assert booked.season == season_pb2.SEASON_UNSPECIFIED
    assert not booked.stay.HasField("ends_at")
