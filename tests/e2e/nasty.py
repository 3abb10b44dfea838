"""Nasty messages: what a hostile or broken client might send, drawn from a contract."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

SOME_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "not-a-uuid",
    SOME_ID,
    SOME_ID.upper(),
    SOME_ID.replace("-", ""),
    "' OR 1=1 --",
    "%s%n{}",
    "\u202e\ufeff\U0001f600",
    "٠١٢٣٤٥٦٧٨٩",
    "+8619900000000",
    "+861990000000０",
    "4000123412341234",
    "                ",
    "CNY",
    "cny",
    "XXX",
    "1990-02-30",
    "--02-30",
    "a@b",
    "x" * 65,
    "x" * 129,
    "京" * 2_000,
)
NUMBERS = (0, 1, -1, 2, 99, 100, 100_000, 2**31 - 1, -(2**31))
LARGE_NUMBERS = (*NUMBERS, 100_000_000_000, 10**12, 2**53 + 1, 2**63 - 1, -(2**63))
DEPTH_MAX = 4


def nasty(kind: type[Message], chance: random.Random) -> Message:
    """A message of this kind with each field absent, plausible or out of its bounds."""
    message = kind()
    _fill(message, chance, 0)
    return message


def _fill(message: Any, chance: random.Random, depth: int) -> None:
    for field in message.DESCRIPTOR.fields:
        if depth > DEPTH_MAX or chance.random() < 0.15:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(message, field.name).update({"key": "value"})
        elif field.is_repeated:
            _fill_repeated(message, field, chance, depth)
        elif field.message_type is not None:
            below = getattr(message, field.name)
            below.SetInParent()
            _fill(below, chance, depth + 1)
        else:
            setattr(message, field.name, _value(field, chance))


def _fill_repeated(message: Any, field: FieldDescriptor, chance: random.Random, depth: int) -> None:
    repeated = getattr(message, field.name)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 12))):
        if field.message_type is not None:
            _fill(repeated.add(), chance, depth + 1)
        else:
            repeated.append(_value(field, chance))


def _value(field: FieldDescriptor, chance: random.Random) -> Any:
    if field.enum_type is not None:
        return chance.choice([*(value.number for value in field.enum_type.values), 99, -1])
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        text = "request" if field.name == "request_id" and chance.random() < 0.7 else None
        text = chance.choice(TEXTS) if text is None else f"nasty/{chance.getrandbits(64):x}"
        return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return chance.random() < 0.5
    if field.cpp_type in {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}:
        return chance.choice((0.0, -1.0, float("nan"), float("inf")))
    wide = field.cpp_type in {FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64}
    number = chance.choice(LARGE_NUMBERS if wide else NUMBERS)
    unsigned = field.cpp_type in {FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64}
    return abs(number) % 2**31 if unsigned else number


def spoiled(request: Message, chance: random.Random, tries: int) -> Iterator[Message]:
    """Copies of a good request, each with one field, however deep, set to something nasty."""
    for path in list(_leaves(request)):
        for _ in range(tries):
            copy = type(request)()
            copy.CopyFrom(request)
            _spoil(copy, path, chance)
            yield copy


Path = tuple[tuple[Any, int], ...]


def _leaves(message: Message, above: Path = ()) -> Iterator[Path]:
    """Where the single values are that may be set, in messages that are there."""
    for field in message.DESCRIPTOR.fields:
        path = (*above, (field, 0))
        if field.message_type is None:
            yield path
        elif field.is_repeated:
            for index, element in enumerate(getattr(message, field.name)):
                yield from _leaves(element, (*above, (field, index)))
        elif message.HasField(field.name):
            yield from _leaves(getattr(message, field.name), path)


def _spoil(message: Any, path: Path, chance: random.Random) -> None:
    *above, (last, _) = path
    for field, index in above:
        below = getattr(message, field.name)
        message = below[index] if field.is_repeated else below
    if last.is_repeated:
        getattr(message, last.name).append(_value(last, chance))
    else:
        setattr(message, last.name, _value(last, chance))


def mangled(payload: bytes, chance: random.Random) -> bytes:
    """A valid request with some bytes changed, cut off, doubled or put in."""
    octets = bytearray(payload)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(octets) + 1)
        match chance.randrange(4):
            case 0 if at < len(octets):
                octets[at] ^= 1 << chance.randrange(8)
            case 1:
                del octets[at:]
            case 2:
                octets[at:at] = chance.randbytes(chance.randint(1, 8))
            case _:
                octets += octets[at:]
    return bytes(octets)
