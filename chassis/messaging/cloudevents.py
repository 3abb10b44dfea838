"""CloudEvents 1.0 in Kafka's binary mode: attributes as headers, the protobuf message as value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/protobuf"

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Received:
    """One event as a subscriber sees it.

    `type` is the full protobuf message name; `version` counts the source's events for `key` from 1
    without gaps; `payload` is the serialized message (parse it yourself); `time` is when the fact
    happened, UTC.
    """

    type: str
    source: str
    key: UUID
    version: int
    id: UUID
    time: datetime
    payload: bytes
    traceparent: str = ""


class NotACloudEventError(ValueError):
    """The record can't be read as an event; `reason` names the fault, never the content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def encode_time(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, as CloudEvents demands."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def encode(event: Received) -> Headers:
    """The headers of one event.

    `ce_subject` and `ce_memberversion` are the key and its version; an empty traceparent is left
    out, because CloudEvents forbids empty attributes. `records` writes the same in bulk.
    """
    headers = [
        ("ce_specversion", SPEC_VERSION.encode()),
        ("content-type", CONTENT_TYPE.encode()),
        ("ce_source", event.source.encode()),
        ("ce_type", event.type.encode()),
        ("ce_id", str(event.id).encode()),
        ("ce_time", encode_time(event.time).encode()),
        ("ce_subject", str(event.key).encode()),
        ("ce_memberversion", str(event.version).encode()),
    ]
    if event.traceparent:
        headers.append(("ce_traceparent", event.traceparent.encode()))
    return headers


def decode(headers: Sequence[tuple[str, bytes | None]], value: bytes | None) -> Received:
    """The event of one Kafka record; raises NotACloudEventError naming what is missing or wrong.

    Unknown headers are ignored, so that a publisher may add attributes first.
    """
    attributes = _attributes(headers)
    _require(attributes, "ce_specversion", SPEC_VERSION)
    _require(attributes, "content-type", CONTENT_TYPE)
    return Received(
        type=_attribute(attributes, "ce_type"),
        source=_attribute(attributes, "ce_source"),
        key=_uuid(attributes, "ce_subject"),
        version=_version(attributes),
        id=_uuid(attributes, "ce_id"),
        time=_time(attributes),
        payload=value or b"",
        traceparent=attributes.get("ce_traceparent", ""),
    )


def _attributes(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    try:
        attributes = {name: value.decode() for name, value in headers if value is not None}
    except UnicodeDecodeError as error:
        raise NotACloudEventError("a header is not UTF-8") from error
    if any("\0" in value for value in attributes.values()):
        # CloudEvents forbids it, and no database could count such an event as seen.
        raise NotACloudEventError("a header holds a NUL")
    return attributes


def _attribute(attributes: dict[str, str], name: str) -> str:
    value = attributes.get(name)
    if not value:
        raise NotACloudEventError(f"{name} is missing")
    return value


def _require(attributes: dict[str, str], name: str, expected: str) -> None:
    if _attribute(attributes, name) != expected:
        raise NotACloudEventError(f"{name} is not {expected}")


def _uuid(attributes: dict[str, str], name: str) -> UUID:
    try:
        return UUID(_attribute(attributes, name))
    except ValueError as error:
        raise NotACloudEventError(f"{name} is missing or not a UUID") from error


def _version(attributes: dict[str, str]) -> int:
    text = _attribute(attributes, "ce_memberversion")
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) < 2**63):
        raise NotACloudEventError("ce_memberversion is not a version from 1 on")
    return int(text)


def _time(attributes: dict[str, str]) -> datetime:
    try:
        moment = datetime.fromisoformat(_attribute(attributes, "ce_time"))
    except ValueError as error:
        raise NotACloudEventError("ce_time is missing or not RFC 3339") from error
    if moment.tzinfo is None:
        raise NotACloudEventError("ce_time has no time zone")
    return moment.astimezone(UTC)
