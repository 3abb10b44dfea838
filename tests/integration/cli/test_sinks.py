"""The local SMSC and mail sink, spoken to by the clients that the services use."""

import smtplib
import socket
import ssl
import struct
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from cli.local.mail import MailSink
from cli.local.ports import LOOPBACK, free_port
from cli.local.smsc import PASSWORD, SYSTEM_ID, ShortMessageCentre
from tests.waiting import wait_until


class RawClient:
    """Speaks SMPP octet by octet, so that the centre is tested against the standard's text."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((LOOPBACK, port), timeout=10)
        self._sequence = 0

    def request(self, command: int, body: bytes) -> tuple[int, bytes]:
        """Send one PDU; the status and body of what answers it."""
        self._sequence += 1
        self._socket.sendall(
            struct.pack(">IIII", 16 + len(body), command, 0, self._sequence) + body
        )
        answer, status, _, rest = self.receive()
        assert answer == command | 0x80000000
        return status, rest

    def receive(self) -> tuple[int, int, int, bytes]:
        length, command, status, sequence = struct.unpack(">IIII", self._exactly(16))
        return command, status, sequence, self._exactly(length - 16)

    def bind(self, password: str = PASSWORD) -> int:
        body = _text(SYSTEM_ID) + _text(password) + _text("") + b"\x34\x00\x00\x00"
        return self.request(0x00000009, body)[0]

    def submit(self, octets: bytes, *, coding: int = 0, esm_class: int = 0) -> tuple[int, bytes]:
        addresses = _text("") + b"\x00\x00" + _text("1069") + b"\x01\x01" + _text("8619900000001")
        flags = bytes([esm_class, 0, 0]) + _text("") + _text("") + bytes([1, 0, coding, 0])
        return self.request(0x00000004, addresses + flags + bytes([len(octets)]) + octets)

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            more = self._socket.recv(count - len(octets))
            assert more, "the centre closed the connection"
            octets += more
        return octets


def _text(value: str) -> bytes:
    return value.encode() + b"\x00"


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[ShortMessageCentre]:
    centre = ShortMessageCentre(
        free_port(), free_port(), tmp_path / "sms.jsonl", tmp_path / "smsc.log"
    )
    centre.start()
    yield centre
    centre.stop()


@pytest.fixture
def client(centre: ShortMessageCentre) -> Iterator[RawClient]:
    client = RawClient(centre.port)
    assert client.bind() == 0
    yield client
    client.close()


def test_a_wrong_password_is_refused(centre: ShortMessageCentre) -> None:
    client = RawClient(centre.port)
    assert client.bind(password="wrong") == 0x0000000D
    client.close()


def test_each_part_of_a_long_message_is_recorded_with_its_header(
    centre: ShortMessageCentre, client: RawClient
) -> None:
    header = bytes([5, 0, 3, 0x2A, 2, 1])
    status, answer = client.submit(header + "您好".encode("utf-16-be"), coding=8, esm_class=0x40)
    assert status == 0
    (record,) = centre.messages()
    assert record["part"] == {"reference": 0x2A, "total": 2, "number": 1}
    assert record["text"] == "您好"
    assert record["message_id"].encode() in answer
    assert record["short_message"] == "您好".encode("utf-16-be").hex()


def test_a_delivery_receipt_names_the_message(
    centre: ShortMessageCentre, client: RawClient
) -> None:
    client.submit(b"hello")
    command, _, _, body = client.receive()
    message_id = centre.messages()[0]["message_id"]
    assert command == 0x00000005
    assert f"id:{message_id} ".encode() in body
    assert b"stat:DELIVRD" in body


def test_a_message_from_a_phone_waits_for_somebody_to_be_bound(centre: ShortMessageCentre) -> None:
    centre.inbound("8619900000001", "1069", "余额")
    client = RawClient(centre.port)
    assert client.bind() == 0
    _, _, _, body = client.receive()
    assert "余额".encode("utf-16-be") in body
    client.close()


def test_it_refuses_as_many_as_it_is_told(centre: ShortMessageCentre, client: RawClient) -> None:
    centre.behave(refuse_next=1, refuse_with="ESME_RTHROTTLED")
    assert client.submit(b"one")[0] == 0x00000058
    assert client.submit(b"two")[0] == 0
    assert [record["text"] for record in centre.messages()] == ["two"]


def test_a_mail_is_kept_whole_and_came_over_tls(tmp_path: Path, certificates: Path) -> None:
    sink = MailSink(free_port(), tmp_path / "mail.jsonl", certificates, tmp_path / "mail.log")
    sink.start()
    message = EmailMessage()
    message["From"], message["To"] = "hotel@example.com", "guest@example.com"
    message["Subject"] = "欢迎"
    message.set_content("您好")
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    with smtplib.SMTP("localhost", sink.port, timeout=10) as client:
        client.starttls(context=context)
        client.send_message(message)
    (kept,) = wait_until(sink.messages, 5, "the mail is in the spool")
    assert (kept["tls"], kept["subject"], kept["text"].strip()) == (True, "欢迎", "您好")
    sink.stop()
