"""The mail relay, by SMTP with STARTTLS and a certificate that is checked."""

import asyncio
import ssl
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Final

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from chassis.telemetry.logs import get_logger
from services.notify.converters.mails import BadAddressError, to_mail
from services.notify.domain.sending import (
    Accepted,
    InDoubt,
    Letter,
    NotSubmitted,
    Refused,
    Submitted,
)

PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.5, 10.0
_PERMANENT_FROM = 500
_AWAY = (SMTPException, OSError, asyncio.TimeoutError)

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Relay:
    """Where the relay is; `ca` is PEM, empty for the operating system's authorities."""

    host: str
    port: int
    ca: str
    user: str
    password: str
    timeout_seconds: float


class SmtpProvider:
    """A `Provider` over at most `connections` connections, each kept while it works."""

    name: Final = "smtp"

    def __init__(self, relay: Relay, sender: str, connections: int) -> None:
        self._relay, self._sender = relay, sender
        self._context = ssl.create_default_context(cadata=relay.ca or None)
        self._places = asyncio.Semaphore(connections)
        self._idle: list[SMTP] = []
        self._reachable = True

    async def ready(self) -> None:
        """Return once a connection stands."""
        pause = PAUSE_SECONDS
        while True:
            try:
                self._idle.append(await self._connection())
            except _AWAY as error:
                _log.warning("smtp.not_connected", cause=type(error).__name__)
            else:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)

    async def probe(self) -> bool:
        """Whether the relay could be reached when it was last tried; for the process's health."""
        return self._reachable

    async def submit(self, letter: Letter) -> Submitted:
        try:
            mail = to_mail(letter.message_id, self._sender, letter.destination, letter.text)
        except BadAddressError:
            return Refused("BAD_ADDRESS", permanent=True)
        async with self._places:
            try:
                connection = await self._connection()
            except _AWAY:
                return NotSubmitted()
            return await self._hand_over(connection, letter.destination, bytes(mail))

    async def aclose(self) -> None:
        """Say farewell on every connection."""
        for connection in self._idle:
            try:
                await connection.quit()
            except _AWAY:
                connection.close()
        self._idle.clear()

    async def _connection(self) -> SMTP:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_connected:
                return connection
        try:
            connection = await self._connect(self._relay)
        except _AWAY:
            self._reachable = False
            raise
        self._reachable = True
        return connection

    async def _connect(self, relay: Relay) -> SMTP:
        connection = SMTP(
            hostname=relay.host,
            port=relay.port,
            timeout=relay.timeout_seconds,
            start_tls=True,
            tls_context=self._context,
        )
        await connection.connect()
        if relay.user:
            await connection.login(relay.user, relay.password)
        return connection

    async def _hand_over(self, connection: SMTP, destination: str, mail: bytes) -> Submitted:
        """Run one mail transaction; until DATA nothing can have been taken."""
        handed_over = False
        try:
            await connection.mail(parseaddr(self._sender)[1])
            await connection.rcpt(destination)
            handed_over = True
            await connection.data(mail)
        except SMTPResponseException as refused:
            await self._reset(connection)
            return Refused(f"SMTP_{refused.code}", permanent=refused.code >= _PERMANENT_FROM)
        except _AWAY as error:
            _log.warning("smtp.connection_lost", cause=type(error).__name__)
            connection.close()
            return InDoubt() if handed_over else NotSubmitted()
        self._idle.append(connection)
        return Accepted()

    async def _reset(self, connection: SMTP) -> None:
        """Make the connection fit for the next mail, or drop it."""
        try:
            await connection.rset()
        except _AWAY:
            connection.close()
        else:
            self._idle.append(connection)
