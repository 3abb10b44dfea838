"""The mail sink's own process: `python -m cli.local.mail_server PORT SPOOL CERTIFICATE`."""

import asyncio
import json
import signal
import ssl
import sys
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

from cli.local.ports import LOOPBACK

SIZE_LIMIT_BYTES = 1_000_000


class Spooler:
    """aiosmtpd's handler: appends what it is given to the spool file."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        spool.touch(mode=0o600)

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Answer only after the line is written: what is answered with 250 is in the spool."""
        record = _record(session, envelope)
        with self._spool.open("a", encoding="utf-8") as spool:
            spool.write(json.dumps(record, ensure_ascii=False) + "\n")
        return "250 2.0.0 kept"


def _record(session: Any, envelope: Any) -> dict[str, Any]:
    message = message_from_bytes(envelope.content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return {
        "received_at": datetime.now(UTC).isoformat(),
        "tls": session.ssl is not None,
        "sender": envelope.mail_from,
        "recipients": envelope.rcpt_tos,
        "subject": message["subject"],
        "message_id": message["message-id"],
        "text": _body(message, "plain"),
        "html": _body(message, "html"),
        "raw": envelope.content.decode(errors="replace"),
    }


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    return None if part is None else part.get_content()


async def serve(port: int, spool: Path, certificate: Path) -> None:
    """Accept mail until SIGTERM or SIGINT."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    handler = Spooler(spool)
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(
            handler,
            data_size_limit=SIZE_LIMIT_BYTES,
            enable_SMTPUTF8=True,
            hostname="localhost",
            tls_context=context,
            loop=loop,
        )

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(protocol, LOOPBACK, port)
    print("mail sink ready", flush=True)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
