"""An e-mail's whole form: encoded headers, the text, and the same text as HTML."""

from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from html import escape
from uuid import UUID

from services.notify.domain.templates import Rendered


class BadAddressError(ValueError):
    """The address is none; the text never holds it."""


def to_mail(message_id: UUID, sender: str, destination: str, text: Rendered) -> EmailMessage:
    """The e-mail; its Message-ID is the message's id, so that a second copy is known as one.

    Raises:
        BadAddressError: The destination can't be an address.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = _address(destination)
    mail["Subject"] = text.subject
    mail["Message-ID"] = f"<{message_id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text.body, cte="base64")
    mail.add_alternative(_html(text.body), subtype="html", cte="base64")
    return mail


def _address(destination: str) -> Address:
    try:
        address = Address(addr_spec=destination)
    except (HeaderParseError, ValueError, IndexError):
        raise BadAddressError from None
    if not address.domain or not destination.isascii():
        raise BadAddressError
    return address


def _html(body: str) -> str:
    paragraphs = [escape(part).replace("\n", "<br>") for part in body.split("\n\n")]
    inner = "".join(f"<p>{paragraph}</p>\n" for paragraph in paragraphs)
    return (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head>\n'
        f'<body style="font-family:sans-serif;line-height:1.6">\n{inner}</body></html>\n'
    )
