"""Remembered requests: who asked what under which id, as keyed MACs, and what was answered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import zip_longest
from typing import NamedTuple

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from sqlalchemy import Connection, text

from chassis.storage import sets
from chassis.storage.housekeeping import Chore

_PURGE = text(
    "DELETE FROM requests WHERE ctid = ANY(ARRAY(SELECT ctid FROM requests "
    "WHERE created_at < :before LIMIT :limit FOR UPDATE SKIP LOCKED))"
)
REQUEST_ID_FIELD = "request_id"
MAC_BYTES = 16
_NUMBER_BYTES = 4
_ENTRY_BYTES = _NUMBER_BYTES + MAC_BYTES


@dataclass(slots=True)
class Fingerprint:
    """What a request said, comparable but not readable. Never changed.

    `method` names the command's type (the request message's full name). `field_macs` holds, by
    ascending field number, 4 bytes of number and 16 bytes of MAC for each field that is set.
    `field_name` gives a number its name in the message as this release knows it.
    """

    method: str
    field_macs: bytes = b""
    field_name: Callable[[int], str] = field(default=str, compare=False, repr=False)


def fingerprint(message: Message, key: bytes) -> Fingerprint:
    """Return one keyed MAC per top-level field of `message`, its request id left out.

    `key` is 16 to 64 secret bytes. The MAC covers the request id too, so that equal fields of
    different requests cannot be linked. Fields this release does not know are covered as well.
    """
    kind = _kind(message.DESCRIPTOR)
    by_number = _wire_fields(message.SerializeToString(deterministic=True))
    request_id = by_number.pop(kind.request_id_number, b"")
    copy = hashlib.blake2b(request_id, digest_size=MAC_BYTES, key=key).copy
    macs = bytearray()
    for number in sorted(by_number):
        numbered = number.to_bytes(_NUMBER_BYTES, "big")
        digest = copy()
        digest.update(numbered + by_number[number])
        macs += numbered + digest.digest()
    return Fingerprint(kind.name, bytes(macs), kind.field_name)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is asked of a message type at each request, looked up once."""

    name: str
    request_id_number: int
    field_names: dict[int, str]

    def field_name(self, number: int) -> str:
        return self.field_names.get(number, str(number))


@cache
def _kind(descriptor: Descriptor) -> _Kind:
    names = {field.number: field.name for field in descriptor.fields}
    numbers = [number for number, name in names.items() if name == REQUEST_ID_FIELD]
    return _Kind(descriptor.full_name, numbers[0] if numbers else 0, names)


def command_fingerprint(method: str, fields: Sequence[bytes], key: bytes) -> Fingerprint:
    """Return the fingerprint of a command that no protobuf message carries (a job's, say).

    `fields` are its values in a fixed order; they are named by their position, from 1.
    """
    keyed = hashlib.blake2b(digest_size=MAC_BYTES, key=key)
    macs = b"".join(_mac(keyed, number, value) for number, value in enumerate(fields, 1))
    return Fingerprint(method=method, field_macs=macs)


def first_difference(remembered: bytes, new: Fingerprint) -> str | None:
    """Name the first field, by number, whose MAC differs from the remembered ones, or None."""
    if remembered == new.field_macs:
        return None
    old_macs, new_macs = _entries(remembered), _entries(new.field_macs)
    pairs = zip_longest(old_macs, new_macs, fillvalue=b"\xff" * _ENTRY_BYTES)
    differing = next(min(old, new_) for old, new_ in pairs if old != new_)
    return new.field_name(int.from_bytes(differing[:_NUMBER_BYTES], "big"))


class Remembered(NamedTuple):
    """One remembered request: its fingerprint's parts and the encoded outcome."""

    method: str
    field_macs: bytes
    outcome: bytes


class ToRemember(NamedTuple):
    """One request to remember with its encoded outcome."""

    caller: str
    request_id: str
    fingerprint: Fingerprint
    outcome: bytes


Key = tuple[str, str]
"""(caller, request_id)."""


Recollection = Callable[[], Mapping["Key", "Remembered"]]
"""Gives what is remembered of the keys that were asked for."""


def ask(connection: Connection, keys: Sequence[Key]) -> Recollection:
    """Ask what is remembered under `keys`, which are without duplicates.

    In a pipeline the answer comes with its end.
    """
    rows = sets.select_later(
        connection,
        "requests",
        {
            "caller": ("text", [caller for caller, _ in keys]),
            "request_id": ("text", [request_id for _, request_id in keys]),
        },
        select=("caller", "request_id", "method", "field_macs", "outcome"),
    )
    return lambda: {(row[0], row[1]): Remembered(row[2], row[3], row[4]) for row in rows()}


def remember(connection: Connection, requests: Sequence[ToRemember], now: datetime) -> None:
    """Insert `requests`; raises psycopg.errors.UniqueViolation when another replica was faster.

    Rows go in by key, so that two replicas with the same ids wait for each other in one order.
    """
    ordered = sorted(requests, key=lambda request: (request.caller, request.request_id))
    sets.insert_columns(
        connection,
        "requests",
        {
            "caller": ("text", [request.caller for request in ordered]),
            "request_id": ("text", [request.request_id for request in ordered]),
            "method": ("text", [request.fingerprint.method for request in ordered]),
            "field_macs": ("bytea", [request.fingerprint.field_macs for request in ordered]),
            "outcome": ("bytea", [request.outcome for request in ordered]),
            "created_at": ("timestamptz", [now] * len(ordered)),
        },
    )


def remembered_requests(kept: timedelta) -> Chore:
    """The chore that forgets requests `kept` after they were answered."""
    return Chore("requests", kept, purge)


def purge(connection: Connection, before: datetime, limit: int) -> int:
    """Forget at most `limit` requests of before an instant; returns how many (a `Purge`)."""
    return connection.execute(_PURGE, {"before": before, "limit": limit}).rowcount


def _mac(keyed: hashlib.blake2b, number: int, content: bytes) -> bytes:
    """Return the number and the MAC of number and content, by a copy of the keyed state."""
    digest = keyed.copy()
    numbered = number.to_bytes(_NUMBER_BYTES, "big")
    digest.update(numbered + content)
    return numbered + digest.digest()


def _entries(macs: bytes) -> Iterator[bytes]:
    return (macs[start : start + _ENTRY_BYTES] for start in range(0, len(macs), _ENTRY_BYTES))


def _wire_fields(data: bytes) -> dict[int, bytes]:
    """Return the top-level fields of a serialized message: by number, the bytes after the tag.

    Each comes behind its length in 4 bytes, one that is repeated once for each of its elements.
    """
    by_number: dict[int, bytes] = {}
    position, end = 0, len(data)
    while position < end:
        tag, start = data[position], position + 1
        if tag & 0x80:
            tag, start = _varint(data, position)
        if tag & 7 == 2 and start < end and data[start] < 0x80:  # a short text, as most fields are
            position = start + 1 + data[start]
        else:
            position = _end_of_value(data, start, tag & 7)
        framed = (position - start).to_bytes(_NUMBER_BYTES, "big") + data[start:position]
        number = tag >> 3
        by_number[number] = by_number[number] + framed if number in by_number else framed
    return by_number


def _end_of_value(data: bytes, start: int, wire_type: int) -> int:
    if wire_type == 2:
        length, content = _varint(data, start)
        return content + length
    if wire_type == 0:
        return _varint(data, start)[1]
    if wire_type == 3:
        return _end_of_group(data, start)
    if wire_type in (1, 5):
        return start + (8 if wire_type == 1 else 4)
    raise ValueError(f"protobuf has no wire type {wire_type} here")


def _end_of_group(data: bytes, position: int) -> int:
    """Return the position after a group: no contract has one, but an unknown field may be one.

    The parser has accepted it, so that it ends, and is nested no deeper than parsers allow.
    """
    while True:
        tag, position = _varint(data, position)
        if tag & 7 == 4:
            return position
        position = _end_of_value(data, position, tag & 7)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the value at `position` and the position after it."""
    value, shift, byte = 0, 0, 0x80
    while byte >= 0x80:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
    return value, position
