"""PDUs against the octets of the standard's text, and receipts as centres really write them."""

import struct

import pytest

from services.notify.clients.smpp import pdus
from services.notify.clients.smpp.pdus import Pdu, ShortMessage, UnreadableError
from services.notify.domain.sms import Alphabet

DELIVER_SM = 0x00000005
RECEIPT = 0x04


def deliver(text: bytes, *, esm_class: int = RECEIPT, coding: int = 0, tlvs: bytes = b"") -> Pdu:
    body = b"\0" + b"\1\1" + b"8619900000001\0" + b"\0\0" + b"10690000\0"
    body += bytes([esm_class, 0, 0]) + b"\0\0" + bytes([0, 0, coding, 0, len(text)]) + text + tlvs
    return Pdu(DELIVER_SM, 0, 9, body)


def tlv(tag: int, value: bytes) -> bytes:
    return struct.pack("!HH", tag, len(value)) + value


def test_a_part_is_a_submit_sm_with_header_coding_receipt_and_reference() -> None:
    message = ShortMessage(
        source="10690000",
        destination="8619900000001",
        alphabet=Alphabet.UCS2,
        header=bytes((5, 0, 3, 7, 2, 1)),
        octets="您好".encode("utf-16-be"),
        reference=0x1234,
    )
    octets = message.pdu(3)
    assert struct.unpack("!IIII", octets[:16]) == (len(octets), 0x00000004, 0, 3)
    expected = b"\0" + b"\0\0" + b"10690000\0" + b"\1\1" + b"8619900000001\0"
    expected += bytes([0x40, 0, 0]) + b"\0\0" + bytes([1, 0, 8, 0, 10])
    expected += bytes((5, 0, 3, 7, 2, 1)) + "您好".encode("utf-16-be")
    assert octets[16:] == expected + tlv(0x0204, b"\x12\x34")


def test_a_short_text_in_the_default_alphabet_has_no_header_and_coding_0() -> None:
    message = ShortMessage("1", "2", Alphabet.GSM_7BIT, b"", b"hello", 1)
    octets = message.pdu(1)
    assert bytes([0, 0, 0]) + b"\0\0" + bytes([1, 0, 0, 0, 5]) + b"hello" in octets


def test_a_bind_says_version_3_4() -> None:
    octets = pdus.bind(1, "account", "secret")
    assert octets[16:] == b"account\0secret\0\0\x34\0\0\0"


@pytest.mark.parametrize(
    ("text", "tlvs"),
    [
        (b"id:0001 sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 "
         b"stat:DELIVRD err:000 text:", b""),
        (b"id:0001 stat:DELIVRD err:0dc Text:hello", b""),
        (b"ID:0001 STAT:delivrd", b""),
        (b"stat:DELIVRD", tlv(0x001E, b"0001\0")),
        (b"", tlv(0x001E, b"0001\0") + tlv(0x0427, b"\x02")),
        (b"id:wrong stat:DELIVRD", tlv(0x001E, b"0001\0")),
    ],
)  # fmt: skip
def test_a_receipt_is_read_from_its_text_or_its_parameters(text: bytes, tlvs: bytes) -> None:
    assert pdus.receipt_of(deliver(text, tlvs=tlvs)) == ("0001", "DELIVRD")


def test_a_message_from_a_phone_is_no_receipt() -> None:
    inbound = deliver("余额".encode("utf-16-be"), esm_class=0, coding=8)
    assert pdus.receipt_of(inbound) is None


@pytest.mark.parametrize(
    "pdu",
    [
        deliver(b"nothing of use"),
        deliver(b"id:0001"),
        deliver(b"\xff\xfe\xfd", coding=8),
        Pdu(DELIVER_SM, 0, 1, b""),
        Pdu(DELIVER_SM, 0, 1, b"\0\x63\x63no end"),
    ],
)
def test_what_can_not_be_read_says_so_and_nothing_else(pdu: Pdu) -> None:
    with pytest.raises(UnreadableError):
        pdus.receipt_of(pdu)


def test_a_vendors_own_status_has_its_number_for_a_name() -> None:
    assert pdus.status_name(0x58) == "ESME_RTHROTTLED"
    assert pdus.status_name(0x413) == "SMPP_00000413"


def test_an_answer_carries_the_requests_sequence() -> None:
    assert (
        pdus.answer(Pdu(DELIVER_SM, 0, 9, b""))
        == struct.pack("!IIII", 17, 0x80000005, 0, 9) + b"\0"
    )
    assert pdus.answer(Pdu(0x15, 0, 4, b"")) == struct.pack("!IIII", 16, 0x80000015, 0, 4)


def test_nothing_that_may_be_personal_shows_in_a_repr() -> None:
    message = ShortMessage("1", "8619900000001", Alphabet.GSM_7BIT, b"", b"hello", 1)
    assert "199" not in repr(message) + repr(deliver(b"hello"))
