"""How a text becomes short messages: alphabet, length, parts (3GPP TS 23.038 and 23.040)."""

from dataclasses import dataclass
from enum import Enum

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPE = "\x1b"
_EXTENDED = {
    "\f": 10,
    "^": 20,
    "{": 40,
    "}": 41,
    "\\": 47,
    "[": 60,
    "~": 61,
    "]": 62,
    "|": 64,
    "€": 101,
}
_BEYOND_ONE_UNIT = "\uffff"
_SEPTETS = {character: code for code, character in enumerate(_BASIC) if character != _ESCAPE}

_IN_GSM = frozenset(_SEPTETS) | frozenset(_EXTENDED)

PARTS_MAX = 255
"""The concatenation header counts parts in one octet."""


class Alphabet(Enum):
    """What carries the text: its data_coding, and its capacity alone and in a part.

    GSM 7-bit counts septets (one octet each in SMPP's unpacked form), UCS-2 counts 16-bit units.
    """

    GSM_7BIT = (0x00, 160, 153)
    UCS2 = (0x08, 70, 67)

    def __init__(self, data_coding: int, single: int, part: int) -> None:
        self.data_coding = data_coding
        self.single = single
        self.part = part


@dataclass(frozen=True, slots=True)
class Segmented:
    """A text as its provider takes it: `parts` joined are the text again."""

    alphabet: Alphabet
    parts: tuple[str, ...]


class TextTooLongError(ValueError):
    """The text needs more parts than one message can have."""


def alphabet_of(text: str) -> Alphabet:
    """GSM 7-bit where every character has a code in it, UCS-2 otherwise."""
    return Alphabet.GSM_7BIT if _IN_GSM.issuperset(text) else Alphabet.UCS2


def _units(character: str, alphabet: Alphabet) -> int:
    """What one character takes: an extension costs an escape, an astral one a surrogate pair."""
    if alphabet is Alphabet.GSM_7BIT:
        return 2 if character in _EXTENDED else 1
    return 2 if ord(character) > 0xFFFF else 1


def length_in_units(text: str, alphabet: Alphabet) -> int:
    """What the text takes of an alphabet's capacity."""
    if alphabet is Alphabet.UCS2:
        return len(text) + sum(1 for character in text if character > _BEYOND_ONE_UNIT)
    return len(text) + sum(map(text.count, _EXTENDED))


def segment(text: str) -> Segmented:
    """Split a text into as few parts as it takes; no escape and no surrogate pair is torn.

    Raises:
        TextTooLongError: More than PARTS_MAX parts.
    """
    alphabet = alphabet_of(text)
    if length_in_units(text, alphabet) <= alphabet.single:
        return Segmented(alphabet, (text,))
    parts, start, used = [], 0, 0
    for position, character in enumerate(text):
        cost = _units(character, alphabet)
        if used + cost > alphabet.part:
            parts.append(text[start:position])
            start, used = position, 0
        used += cost
    parts.append(text[start:])
    if len(parts) > PARTS_MAX:
        raise TextTooLongError(f"{len(parts)} parts are more than {PARTS_MAX}")
    return Segmented(alphabet, tuple(parts))


def encode(part: str, alphabet: Alphabet) -> bytes:
    """The octets of one part: a septet an octet for GSM 7-bit, big-endian UTF-16 for UCS-2."""
    if alphabet is Alphabet.UCS2:
        return part.encode("utf-16-be")
    octets = bytearray()
    for character in part:
        if character in _EXTENDED:
            octets += bytes((27, _EXTENDED[character]))
        else:
            octets.append(_SEPTETS[character])
    return bytes(octets)


def concatenation_header(reference: int, total: int, number: int) -> bytes:
    """The user data header of part `number` (from 1) of `total` (23.040 §9.2.3.24.1)."""
    return bytes((5, 0, 3, reference & 0xFF, total, number))


def signed(body: str, signature: str) -> str:
    """The text as it is submitted: operators demand the signature, and in front."""
    return f"{signature}{body}"
