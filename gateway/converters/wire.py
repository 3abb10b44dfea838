"""Protobuf's wire format where bytes are put into a message without reading them."""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor, FieldDescriptor

LENGTH_DELIMITED = 2
_LENGTHY = frozenset(
    {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_MESSAGE}
)


class Embedded:
    """A field that holds a message, a string or bytes, by its number (1 to 15)."""

    def __init__(self, number: int) -> None:
        assert 1 <= number <= 15, "larger numbers need a longer tag"
        self._tag = bytes((number << 3 | LENGTH_DELIMITED,))

    def part(self, content: bytes) -> bytes:
        """Return the field with `content`, already serialized, as part of a message."""
        length = len(content)
        if length < 0x80:
            return self._tag + bytes((length,)) + content
        encoded = bytearray(self._tag)
        while length >= 0x80:
            encoded.append(length & 0x7F | 0x80)
            length >>= 7
        encoded.append(length)
        return bytes(encoded) + content


class Parts:
    """The fields of one message by name; the parts of a message, one after the other, are it."""

    def __init__(self, descriptor: Descriptor) -> None:
        lengthy = (each for each in descriptor.fields if each.type in _LENGTHY)
        self._fields = {each.name: Embedded(each.number) for each in lengthy}

    def part(self, name: str, content: bytes) -> bytes:
        """Return the field `name` with its serialized content."""
        return self._fields[name].part(content)
