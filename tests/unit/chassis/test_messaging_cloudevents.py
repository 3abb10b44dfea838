"""The CloudEvents codec: what it writes, what it reads, what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.messaging.cloudevents import NotACloudEventError, Received, decode, encode

EVENT = Received(
    type="huitouke.points.v1.PointsEarned",
    source="huitouke.points",
    key=UUID("018f0000-0000-7000-8000-000000000001"),
    version=7,
    id=UUID("018f0000-0000-7000-8000-0000000000aa"),
    time=datetime(2026, 11, 22, 9, 0, 0, 123456, tzinfo=UTC),
    payload=b"\x08\x01",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)


def test_the_headers_are_those_of_cloudevents_binary_mode() -> None:
    assert dict(encode(EVENT)) == {
        "ce_specversion": b"1.0",
        "content-type": b"application/protobuf",
        "ce_source": b"huitouke.points",
        "ce_type": b"huitouke.points.v1.PointsEarned",
        "ce_id": b"018f0000-0000-7000-8000-0000000000aa",
        "ce_time": b"2026-11-22T09:00:00.123456Z",
        "ce_subject": b"018f0000-0000-7000-8000-000000000001",
        "ce_memberversion": b"7",
        "ce_traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }


def test_an_event_without_a_trace_has_no_empty_attribute() -> None:
    plain = Received(**{name: getattr(EVENT, name) for name in EVENT.__slots__[:-1]})
    assert "ce_traceparent" not in dict(encode(plain))
    assert decode(encode(plain), plain.payload) == plain


@given(
    version=st.integers(1, 2**63 - 1),
    payload=st.binary(max_size=200),
    moment=st.datetimes(timezones=st.just(timezone(timedelta(hours=8)))),
    key=st.uuids(),
)
def test_what_is_encoded_is_decoded(
    version: int, payload: bytes, moment: datetime, key: UUID
) -> None:
    event = Received("a.b.C", "huitouke.test", key, version, EVENT.id, moment, payload)
    assert decode(encode(event), payload) == event


def test_a_header_that_no_database_can_keep_makes_a_record_unreadable() -> None:
    """It could be neither applied nor counted as seen: it would stop its partition for ever."""
    headers = [(name, value) for name, value in encode(EVENT) if name != "ce_source"]
    with pytest.raises(NotACloudEventError, match="NUL"):
        decode([*headers, ("ce_source", b"huitouke\0points")], EVENT.payload)


def test_unknown_headers_are_passed_by() -> None:
    assert decode([*encode(EVENT), ("ce_later", b"1"), ("empty", None)], EVENT.payload) == EVENT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("content-type", b"application/json"),
        ("ce_type", b""),
        ("ce_source", None),
        ("ce_id", b"no uuid"),
        ("ce_subject", b"no uuid"),
        ("ce_memberversion", b"0"),
        ("ce_memberversion", b"-1"),
        ("ce_memberversion", "٣".encode()),
        ("ce_memberversion", b"9" * 30),
        ("ce_memberversion", b"9" * 5000),
        ("ce_time", b"yesterday"),
        ("ce_time", b"2026-11-22T09:00:00"),
        ("ce_source", b"\xff"),
    ],
)
def test_a_missing_or_wrong_attribute_is_named_and_its_content_is_not(
    name: str, value: bytes | None
) -> None:
    headers = [header for header in encode(EVENT) if header[0] != name]
    with pytest.raises(NotACloudEventError) as refused:
        decode([*headers, (name, value)], b"")
    assert name in refused.value.reason or "UTF-8" in refused.value.reason
    assert not value or value.decode(errors="replace") not in refused.value.reason
