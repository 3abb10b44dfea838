"""What is written down is what travels; what differs is named as the till knows it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from huitouke.gateway.v1 import checkout_pb2, events_pb2
from huitouke.points.v1 import entry_pb2, points_service_pb2
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel import Category, FieldViolation, Refusal
from chassis.rpc.coalescer import Item
from gateway.clients.batches import wire_batch
from gateway.converters.activities import from_entry
from gateway.converters.events import encode_event
from gateway.converters.fingerprints import differing_field, nested_fingerprint
from gateway.converters.instants import to_instant, to_timestamp
from gateway.converters.members import in_the_tills_words, to_birthday
from gateway.domain.events import CheckoutCommitted
from tests.fakes import NOW
from tests.unit.gateway.worlds import MEMBER, SPACE, TILL

KEY = b"k" * 32
TRACE = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


@given(st.lists(st.text(max_size=2_000), min_size=1, max_size=5))
def test_a_batch_of_bytes_reads_as_a_batch_of_requests(ids: list[str]) -> None:
    requests = [points_service_pb2.PostRequest(request_id=each, checkout_id="c") for each in ids]
    until = time.monotonic() + 60
    items = [Item(request.SerializeToString(), until, TRACE) for request in requests]
    batch = points_service_pb2.BatchPostRequest.FromString(wire_batch(items))
    assert [item.request for item in batch.items] == requests
    assert {item.traceparent for item in batch.items} == {TRACE}
    assert all(0 < item.timeout.ToNanoseconds() <= 60e9 for item in batch.items)


def purchase(amount: int, points: int = 0) -> checkout_pb2.Purchase:
    lines = [checkout_pb2.PurchaseLine(quantity=1, amount_minor=amount)]
    return checkout_pb2.Purchase(currency="CNY", lines=lines, redeem_points=points)


def test_the_first_differing_field_is_named_within_its_parent() -> None:
    first = nested_fingerprint(purchase(100), "r", KEY, within="purchase")
    same = nested_fingerprint(purchase(100), "r", KEY, within="purchase")
    other = nested_fingerprint(purchase(101, points=5), "r", KEY, within="purchase")
    more = nested_fingerprint(purchase(100, points=5), "r", KEY, within="purchase")
    assert differing_field(first.field_macs, same) is None
    assert differing_field(first.field_macs, other) == "purchase.lines"
    assert differing_field(first.field_macs, more) == "purchase.redeem_points"
    assert differing_field(b"", other) is None, "nothing differs from what was never seen"


def test_equal_purchases_under_other_request_ids_cannot_be_linked() -> None:
    one = nested_fingerprint(purchase(100), "r1", KEY, within="purchase")
    two = nested_fingerprint(purchase(100), "r2", KEY, within="purchase")
    assert one.field_macs != two.field_macs


@pytest.mark.parametrize(
    ("text", "lunar", "year", "month", "day"),
    [
        ("1990-02-28", False, 1990, 2, 28),
        ("--02-29", False, 0, 2, 29),
        ("1990-12-30", True, 1990, 12, 30),
    ],
)
def test_birthdays_are_read(text: str, lunar: bool, year: int, month: int, day: int) -> None:
    birthday = to_birthday(text, lunar=lunar)
    assert (birthday.year, birthday.month, birthday.day) == (year, month, day)
    assert birthday.lunar is lunar


@pytest.mark.parametrize(
    ("text", "lunar"), [("1990-02-29", False), ("--13-01", False), ("1990-01-31", True)]
)
def test_days_that_do_not_exist_are_refused(text: str, lunar: bool) -> None:
    with pytest.raises(Refusal) as refused:
        to_birthday(text, lunar=lunar)
    assert refused.value.fields[0].field == "birthday"


def test_an_enrolments_refusal_names_the_tills_fields() -> None:
    fields = [FieldViolation("birthday.day", "is wrong"), FieldViolation("mobile", "is wrong")]
    refusal = in_the_tills_words(Refusal(Category.INVALID, "INVALID_FIELD", "wrong", fields=fields))
    assert [each.field for each in refusal.fields] == ["birthday", "mobile"]


@given(st.text(max_size=500), st.integers(1, 2**40))
def test_an_event_put_together_from_parts_reads_as_one_message(code: str, gross: int) -> None:
    receipt = checkout_pb2.Receipt(currency=code, gross_minor=gross)
    event = CheckoutCommitted(MEMBER, 3, SPACE, TILL, receipt.SerializeToString(), NOW)
    row = encode_event(event, NOW)
    read = events_pb2.CheckoutCommitted.FromString(row.payload)
    assert row.type == "huitouke.gateway.v1.CheckoutCommitted"
    assert read.receipt == receipt
    assert (read.member_id, read.checkout_id) == (str(MEMBER), str(SPACE))
    assert (read.outlet_id, read.property_code) == (str(TILL.outlet_id), "SHA01")
    assert read.committed_at.ToDatetime(UTC) == NOW


@given(st.datetimes())
def test_instants_keep_their_microsecond(naive: datetime) -> None:
    instant = naive.replace(tzinfo=UTC)
    assert to_instant(to_timestamp(instant)) == instant


def test_a_timeline_shows_principal_and_gift_apart() -> None:
    entry = entry_pb2.Entry(
        entry_id="1", kind=entry_pb2.ENTRY_KIND_TOP_UP, cash_minor=100_000, bonus_minor=10_000
    )
    activity = from_entry(entry, {}, {})
    assert (activity.points, activity.cash_minor, activity.bonus_minor) == (0, 100_000, 10_000)
