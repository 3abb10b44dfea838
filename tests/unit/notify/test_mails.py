"""The form of e-mails."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

import pytest

from services.notify.converters.mails import BadAddressError, to_mail
from services.notify.domain.templates import Rendered

MESSAGE_ID = UUID(int=7)
SENDER = "Huitouke <noreply@huitouke.example>"


def parsed(subject: str = "Hello", body: str = "Text") -> EmailMessage:
    mail = to_mail(MESSAGE_ID, SENDER, "guest@example.com", Rendered(subject, body))
    message = message_from_bytes(bytes(mail), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_text_and_html_say_the_same_and_the_html_is_escaped() -> None:
    message = parsed(body="您好 <b>&\n\nsecond\nline")
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().strip().splitlines() == ["您好 <b>&", "", "second", "line"]
    shown = "".join(html.get_content().splitlines())
    assert "<p>您好 &lt;b&gt;&amp;</p><p>second<br>line</p>" in shown


def test_the_message_id_is_that_of_the_message_at_the_senders_domain() -> None:
    assert parsed()["Message-ID"] == f"<{MESSAGE_ID}@huitouke.example>"


def test_a_chinese_subject_travels_encoded() -> None:
    mail = to_mail(MESSAGE_ID, SENDER, "guest@example.com", Rendered("欢迎加入回头客", "x"))
    assert b"Subject: =?utf-8?" in bytes(mail)
    assert parsed("欢迎加入回头客")["Subject"] == "欢迎加入回头客"


@pytest.mark.parametrize("subject", ["a\nBcc: other@example.com", "a\r\nBcc: other@example.com"])
def test_a_subject_can_not_bring_a_header(subject: str) -> None:
    with pytest.raises(ValueError, match="linefeed or carriage return"):
        to_mail(MESSAGE_ID, SENDER, "guest@example.com", Rendered(subject, "x"))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com, b@example.com",
        "虚构@example.com",
        "@example.com",
        "a b@example.com",
    ],
)
def test_what_is_no_single_address_is_refused_without_being_told(address: str) -> None:
    with pytest.raises(BadAddressError) as refused:
        to_mail(MESSAGE_ID, SENDER, address, Rendered("Hello", "x"))
    assert str(refused.value) == ""
