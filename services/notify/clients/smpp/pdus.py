"""PDUs: what is written, and reading what comes (SMPP 3.4, sections 4 and 5)."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aiosmpplib import protocol
from aiosmpplib.state import (
    MESSAGE_STATE,
    NPI,
    RECEIPTED_MESSAGE_ID,
    TON,
    USER_MESSAGE_REFERENCE,
    SmppCommand,
    SmppCommandStatus,
)

from services.notify.domain.sms import Alphabet

HEADER: Final = struct.Struct("!IIII")
RESPONSE: Final = 0x80000000
GENERIC_NACK: Final = 0x80000000
OK: Final = 0
TEMPORARY_ERROR: Final = int(SmppCommandStatus.ESME_RX_T_APPN)
_WITH_HEADER: Final = 0x40
_MESSAGE_TYPE, _RECEIPT = 0x3C, 0x04
_TAG: Final = struct.Struct("!HH")
_SOURCE_KIND: Final = bytes((TON.UNKNOWN, NPI.UNKNOWN))
_DESTINATION_KIND: Final = b"\0" + bytes((TON.INTERNATIONAL, NPI.ISDN))  # ends the source, too
_REFERENCE: Final = struct.Struct("!HHH")
_STATES: Final = {
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    8: "REJECTD",
}
_ID: Final = re.compile(r"\bid:(\S+)", re.IGNORECASE)
_STAT: Final = re.compile(r"\bstat:(\w+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class Pdu:
    """One PDU as it came; its body may hold personal data, so it has no repr."""

    command: int
    status: int
    sequence: int
    body: bytes


@dataclass(frozen=True, slots=True, repr=False)
class ShortMessage:
    """One part: `octets` without the user data `header`, which is empty where there is one part."""

    source: str
    destination: str
    alphabet: Alphabet
    header: bytes
    octets: bytes
    reference: int

    def pdu(self, sequence: int) -> bytes:
        """The submit_sm that asks for a delivery receipt (section 4.4.1).

        Written here: for each message the codec would take a tenth of the sender's time.
        """
        octets = self.header + self.octets
        body = b"".join(
            (
                b"\0",  # service_type
                _SOURCE_KIND,
                self.source.encode("ascii"),
                _DESTINATION_KIND,
                self.destination.encode("ascii"),
                b"\0",
                bytes((_WITH_HEADER if self.header else 0, 0, 0)),  # esm_class, protocol, priority
                b"\0\0",  # schedule_delivery_time, validity_period
                bytes((1, 0, self.alphabet.data_coding, 0, len(octets))),  # 1: a receipt, please
                octets,
                _REFERENCE.pack(USER_MESSAGE_REFERENCE, 2, self.reference),
            )
        )
        return HEADER.pack(HEADER.size + len(body), SmppCommand.SUBMIT_SM, OK, sequence) + body


def bind(sequence: int, system_id: str, password: str) -> bytes:
    """The bind_transceiver: one connection for submissions and for receipts."""
    return bytes(
        protocol.BindTransceiver(
            sequence_num=sequence, system_id=system_id, password=password
        ).pdu()
    )


def enquire_link(sequence: int) -> bytes:
    return bytes(protocol.EnquireLink(sequence_num=sequence).pdu())


def unbind(sequence: int) -> bytes:
    return bytes(protocol.Unbind(sequence_num=sequence).pdu())


def answer(request: Pdu, status: int = OK) -> bytes:
    """The response to a request of the centre; a deliver_sm's carries an empty message id."""
    body = b"\0" if request.command == SmppCommand.DELIVER_SM else b""
    header = HEADER.pack(
        HEADER.size + len(body), request.command | RESPONSE, status, request.sequence
    )
    return header + body


def text_of(body: bytes) -> str:
    """The first C-string of a body: the message id of a submit_sm_resp."""
    return body.split(b"\0", 1)[0].decode("latin-1")


def status_name(status: int) -> str:
    """ESME_RTHROTTLED and the like; a vendor's own status by its number."""
    try:
        return str(SmppCommandStatus(status).name)
    except ValueError:
        return f"SMPP_{status:08X}"


class UnreadableError(ValueError):
    """A deliver_sm that can't be read."""


def receipt_of(pdu: Pdu) -> tuple[str, str] | None:
    """The message id and final state of a delivery receipt; None for a message from a phone.

    The codec's own reader refuses what centres really send: receipts without a text, error codes
    that are no numbers.

    Raises:
        UnreadableError: It is neither.
    """
    try:
        esm_class, text, parameters = _delivered(pdu.body)
    except (ValueError, IndexError, struct.error) as error:
        raise UnreadableError(type(error).__name__) from None
    if esm_class & _MESSAGE_TYPE != _RECEIPT:
        return None
    name = text_of(parameters.get(RECEIPTED_MESSAGE_ID, b"")) or _found(_ID, text)
    number = parameters.get(MESSAGE_STATE, b"\0")
    state = _found(_STAT, text).upper() or _STATES.get(number[0] if number else 0, "")
    if not name or not state:
        raise UnreadableError("no id or no state")
    return name, state


def _delivered(body: bytes) -> tuple[int, str, dict[int, bytes]]:
    """The esm_class, text and optional parameters of a deliver_sm (section 4.6.1)."""
    at = body.index(b"\0") + 1  # service_type
    for _ in ("source", "destination"):
        at = body.index(b"\0", at + 2) + 1
    esm_class = body[at]
    at = body.index(b"\0", at + 3) + 1  # schedule_delivery_time
    at = body.index(b"\0", at) + 1  # validity_period
    length = body[at + 4]
    at += 5
    text = body[at : at + length].decode("latin-1")
    return esm_class, text, dict(_parameters(body, at + length))


def _parameters(body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at < len(body):
        tag, length = _TAG.unpack_from(body, at)
        at += _TAG.size
        yield tag, body[at : at + length]
        at += length


def _found(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found.group(1) if found else ""
