"""The mail provider against relays that refuse, hang up, or are not who they should be."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.smtp import SMTP

from cli.local.certificates import ensure_certificates
from services.notify.clients.smtp import Relay, SmtpProvider
from services.notify.domain.sending import (
    Accepted,
    InDoubt,
    Letter,
    NotSubmitted,
    Refused,
    Submitted,
)
from services.notify.domain.templates import Rendered

LETTER = Letter(UUID(int=1), "guest@example.com", Rendered("Hello", "Dear guest"))


class Handler:
    """Answers RCPT and DATA as told, and keeps what it was given."""

    def __init__(self, *, rcpt: str = "250 OK", data: str = "250 OK", hang_up_at: str = "") -> None:
        self._rcpt, self._data, self._hang_up_at = rcpt, data, hang_up_at
        self.contents: list[bytes] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if self._hang_up_at == "RCPT":
            _hang_up(server)
        if self._rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self._rcpt

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.contents.append(envelope.content)
        if self._hang_up_at == "DATA":
            _hang_up(server)
        return self._data


def _hang_up(server: SMTP) -> None:
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()


def server_context(certificates: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "notify.pem", certificates / "notify.key")
    return context


@asynccontextmanager
async def relaying(handler: Handler, context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """A mail relay with this handler; its port."""
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(handler, hostname="localhost", tls_context=context, loop=loop)

    server = await loop.create_server(protocol, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def provider_at(port: int, certificates: Path) -> SmtpProvider:
    ca = (certificates / "ca.pem").read_text()
    relay = Relay("127.0.0.1", port, ca, user="", password="", timeout_seconds=5)
    return SmtpProvider(relay, "Huitouke <noreply@huitouke.example>", connections=2)


async def outcome_with(
    handler: Handler, certificates: Path, *, context: ssl.SSLContext | None = None
) -> Submitted:
    """What the provider says of one letter."""
    async with relaying(handler, context or server_context(certificates)) as port:
        provider = provider_at(port, certificates)
        answer = await provider.submit(LETTER)
        await provider.aclose()
        return answer


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (Handler(), Accepted()),
        (Handler(rcpt="550 no such user"), Refused("SMTP_550", permanent=True)),
        (Handler(rcpt="450 mailbox busy"), Refused("SMTP_450", permanent=False)),
        (Handler(data="554 spam"), Refused("SMTP_554", permanent=True)),
        (Handler(data="452 no space"), Refused("SMTP_452", permanent=False)),
        (Handler(hang_up_at="RCPT"), NotSubmitted()),
        (Handler(hang_up_at="DATA"), InDoubt()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_answer_says_what_became_of_the_mail(
    certificates: Path, handler: Handler, expected: Submitted
) -> None:
    assert asyncio.run(outcome_with(handler, certificates)) == expected


def test_a_connection_is_fit_for_the_next_mail_after_a_refusal(certificates: Path) -> None:
    handler = Handler(data="554 spam")

    async def scenario() -> None:
        async with relaying(handler, server_context(certificates)) as port:
            provider = provider_at(port, certificates)
            answers = [await provider.submit(LETTER) for _ in range(3)]
            await provider.aclose()
        assert {type(answer) for answer in answers} == {Refused}

    asyncio.run(scenario())
    assert len(handler.contents) == 3


def test_a_relay_without_tls_is_given_nothing(certificates: Path) -> None:
    handler = Handler()

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(handler, hostname="localhost", loop=loop), "127.0.0.1", 0
        )
        provider = provider_at(server.sockets[0].getsockname()[1], certificates)
        assert await provider.submit(LETTER) == NotSubmitted()
        assert not await provider.probe()
        server.close()

    asyncio.run(scenario())
    assert handler.contents == []


def test_a_relay_with_a_certificate_of_somebody_else_is_given_nothing(
    certificates: Path, tmp_path: Path
) -> None:
    handler = Handler()
    other = server_context(ensure_certificates(tmp_path / "other"))
    assert asyncio.run(outcome_with(handler, certificates, context=other)) == NotSubmitted()
    assert handler.contents == []
