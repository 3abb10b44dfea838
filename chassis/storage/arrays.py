"""Arrays as PostgreSQL takes them: in its binary form where that is cheaper, else as text.

The columns of a batch are most of what a writer says to the database. In binary a column of
numbers, ids, instants or bytes costs a third of its text, here and on the server; texts and the
labels of enums are cheaper joined as they are.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_HEADER: Final = struct.Struct(">iiIii").pack
"""Dimensions, whether there are NULLs, the elements' type, their number, the first index."""
_LENGTH: Final = struct.Struct(">i").pack
_NULL: Final = _LENGTH(-1)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL counts microseconds from here."""
_MICROSECOND: Final = timedelta(microseconds=1)


def array_parameter(kind: str, values: Sequence[Any]) -> str | bytes:
    """Return the array of `values`, None for NULL, as text or, in bytes, in binary form.

    `kind` is the elements' PostgreSQL type. Raises TypeError, ValueError, AttributeError or
    OverflowError for a value that is none of its kind.
    """
    encoder = _BINARY.get(kind)
    if encoder is None or not values:
        return array_literal(kind, values)
    return encoder(values)


def _integers(oid: int, code: str) -> Callable[[Sequence[Any]], bytes]:
    """Make the encoder of whole numbers of one size; `code` is that of an array of theirs."""
    size = array(code).itemsize
    empty = _LENGTH(size) + bytes(size)
    width = len(empty)

    def single(value: int) -> bytes:
        return _LENGTH(size) + value.to_bytes(size, "big", signed=True)

    def encode(values: Sequence[Any]) -> bytes:
        try:
            numbers = array(code, values)
        except TypeError:  # NULLs, which are looked for only where something is wrong
            return _with_nulls(oid, values, single)
        numbers.byteswap()
        digits = numbers.tobytes()
        elements = bytearray(empty * len(values))
        for at in range(size):  # a slice a byte of them all costs less than a step a number
            elements[width - size + at :: width] = digits[at::size]
        return _HEADER(1, 0, oid, len(values), 1) + elements

    return encode


def _uuids(values: Sequence[Any]) -> bytes:
    oid, length = 2950, _LENGTH(16)
    try:
        elements = length.join([value.int.to_bytes(16, "big") for value in values])
    except AttributeError:
        return _with_nulls(oid, values, lambda value: length + value.int.to_bytes(16, "big"))
    return _HEADER(1, 0, oid, len(values), 1) + length + elements


def _bytes(values: Sequence[Any]) -> bytes:
    oid = 17
    parts: list[bytes] = []
    try:
        for value in values:
            parts += (_LENGTH(len(value)), value)
    except TypeError:
        return _with_nulls(oid, values, lambda value: _LENGTH(len(value)) + value)
    return _HEADER(1, 0, oid, len(values), 1) + b"".join(parts)


def _instants(values: Sequence[Any]) -> bytes:
    oid, first = 1184, values[0]
    if first is not None and values.count(first) == len(values):  # a batch has one `now`
        return _HEADER(1, 0, oid, len(values), 1) + _instant(first) * len(values)
    try:
        return _microseconds([(value - _EPOCH) // _MICROSECOND for value in values])
    except TypeError:
        return _with_nulls(oid, values, _instant)


def _instant(value: datetime) -> bytes:
    return _LENGTH(8) + ((value - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True)


def _with_nulls(oid: int, values: Sequence[Any], single: Callable[[Any], bytes]) -> bytes:
    elements = [_NULL if value is None else single(value) for value in values]
    return _HEADER(1, 1, oid, len(values), 1) + b"".join(elements)


_microseconds: Final = _integers(1184, "q")
_BINARY: Final[dict[str, Callable[[Sequence[Any]], bytes]]] = {
    "smallint": _integers(21, "h"),
    "integer": _integers(23, "i"),
    "bigint": _integers(20, "q"),
    "uuid": _uuids,
    "bytea": _bytes,
    "timestamptz": _instants,
}
"""By type, whose number in PostgreSQL's catalogue never changes."""


def array_literal(kind: str, values: Sequence[Any]) -> str:
    """Return PostgreSQL's text form of an array, for where a statement takes texts only."""
    if kind in _BARE:
        to_bare = _BARE[kind]
        return "{" + ",".join(["NULL" if v is None else to_bare(v) for v in values]) + "}"
    if kind == "bytea":
        return "{" + ",".join(["NULL" if v is None else f'"\\\\x{v.hex()}"' for v in values]) + "}"
    try:
        return _texts(values)  # the labels of an enum are texts
    except (AttributeError, TypeError, ValueError):  # NULLs, quotes, values that are no texts
        texts = ["NULL" if value is None else _quoted(str(value)) for value in values]
        return "{" + ",".join(texts) + "}"


def _texts(values: Sequence[Any]) -> str:
    joined = "\0".join(values)
    if '"' in joined or "\\" in joined or joined.count("\0") != len(values) - 1:
        raise ValueError("needs escapes")
    return '{"' + joined.replace("\0", '","') + '"}'


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_BARE: Final[dict[str, Callable[[Any], str]]] = {
    "uuid": lambda value: f"{value.int:032x}",
    "smallint": str,
    "integer": str,
    "bigint": str,
    "boolean": str,
    "timestamptz": lambda value: value.isoformat(),
    "date": lambda value: value.isoformat(),
}
"""Types whose text form never needs quotes in an array."""
