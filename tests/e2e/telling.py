"""What guests must be told, worked out from the events alone, and what they were told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg
from huitouke.points.v1 import events_pb2

from chassis.messaging.cloudevents import Received
from cli.local.spool import read_spool
from cli.suite import Suite
from tests.waiting import wait_until

SMS, EMAIL = 1, 2
DELIVERED, FAILED, SUPPRESSED = 4, 5, 6
TELLING_SECONDS = 60.0

Wanted = tuple[str, str, int, str]
"""Event id, member id, channel, template: what a message is one of a kind by."""

_ALWAYS = {
    "huitouke.member.v1.MemberEnrolled": (("WELCOME", SMS), ("WELCOME", EMAIL)),
    "huitouke.points.v1.StoredValueToppedUp": (("TOP_UP", SMS),),
    "huitouke.coupon.v1.CouponIssued": (("COUPON_ISSUED", SMS),),
}


def wanted(events: Iterable[Received]) -> set[Wanted]:
    """The messages that these facts ask for: those about spending value, and those of each kind."""
    return {
        (str(event.id), str(event.key), channel, template)
        for event in events
        for template, channel in _asked_for(event)
    }


def _asked_for(event: Received) -> Iterator[tuple[str, int]]:
    yield from _ALWAYS.get(event.type, ())
    if event.type == "huitouke.points.v1.CheckoutPosted":
        posted = events_pb2.CheckoutPosted.FromString(event.payload).posted
        if posted.points_redeemed or posted.cash_paid_minor or posted.bonus_paid_minor:
            yield "CHECKOUT", SMS
    if event.type == "huitouke.points.v1.CheckoutReversed":
        left = events_pb2.CheckoutReversed.FromString(event.payload).left_minor
        yield "REFUND_PART" if left else "REFUND_WHOLE", SMS


def rows(suite: Suite) -> Counter[Wanted]:
    """Every message row, counted by what must be one of a kind."""
    return Counter(
        (str(event), str(member), int(str(channel)), str(template))
        for event, member, channel, template in _read(
            suite, "SELECT event_id, member_id, channel, template_code FROM messages"
        )
    )


def all_told(suite: Suite, events: Iterable[Received]) -> int:
    """Wait until every message asked for is there once and at its end; how often too often sent.

    The excess is what the window between submission and its record has cost, all told so far.
    """
    asked = wanted(events)
    wait_until(lambda: set(rows(suite)) >= asked, TELLING_SECONDS, "every message is queued")
    assert rows(suite) == Counter(asked), "exactly one row for each"
    wait_until(lambda: not _unfinished(suite), TELLING_SECONDS, "every message is at its end")
    assert _read(suite, f"SELECT reason FROM messages WHERE state = {FAILED}") == []
    told = sum(channel == SMS for channel, _ in _ended(suite))
    received = sum(map(is_first_part, read_spool(Path(suite.endpoints.sms_spool))))
    assert received >= told
    return received - told


def is_first_part(sms: dict[str, object]) -> bool:
    """Whether this is a whole SMS, or the first part of a long one."""
    part = sms["part"]
    return not isinstance(part, dict) or part["number"] == 1


def received_by(suite: Suite, mobile: str) -> int:
    """How many SMS the guest's telephone has received."""
    parts = read_spool(Path(suite.endpoints.sms_spool))
    number = mobile.lstrip("+")
    return sum(is_first_part(p) for p in parts if str(p["destination"]).lstrip("+") == number)


def _unfinished(suite: Suite) -> bool:
    return bool(_read(suite, "SELECT FROM messages WHERE state IN (1, 2) LIMIT 1"))


def _ended(suite: Suite) -> list[tuple[int, int]]:
    found = _read(suite, f"SELECT channel, state FROM messages WHERE state <> {SUPPRESSED}")
    return [(int(str(channel)), int(str(state))) for channel, state in found]


def _read(suite: Suite, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(suite.database_url("notify"), connect_timeout=5) as connection:
        return connection.execute(query.encode()).fetchall()
