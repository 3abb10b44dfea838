"""One bound connection to a message centre: a window of requests, each with its own answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from aiosmpplib.state import SmppCommand

from chassis.telemetry.logs import get_logger
from services.notify.clients.smpp import pdus
from services.notify.clients.smpp.pdus import HEADER, Pdu
from services.notify.domain.receipts import Receipt
from services.notify.domain.sending import ReceiptSink

PDU_BYTES_MAX = 65_536
RECEIPTS_MAX = 256
ENQUIRE_SECONDS = 20.0
GATHER_SECONDS = 0.05

_log = get_logger(__name__)


class SessionLostError(Exception):
    """The connection ended; a request without an answer may or may not have been carried out."""


class BindRefusedError(Exception):
    """The centre doesn't let this account in; the text is the status."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where to bind and as whom."""

    host: str
    port: int
    system_id: str
    password: str
    provider: str
    """Name of the centre in receipts."""


class Session:
    """A bound transceiver. It ends as a whole: with the connection, or with one overdue answer."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        provider: str,
        timeout_seconds: float,
        keep: ReceiptSink,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._provider, self._timeout, self._keep = provider, timeout_seconds, keep
        self._sequences = count(1)
        self._waiting: dict[int, asyncio.Future[Pdu]] = {}
        self._arrived: asyncio.Queue[Pdu] = asyncio.Queue(RECEIPTS_MAX)
        self._tasks: list[asyncio.Task[None]] = []
        self._unsent: list[bytes] = []
        self.ended = asyncio.Event()

    @classmethod
    async def open(cls, account: Account, timeout_seconds: float, keep: ReceiptSink) -> "Session":
        """Connect and bind; raises OSError, TimeoutError, SessionLostError or BindRefusedError."""
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_connection(account.host, account.port)
        session = cls(reader, writer, account.provider, timeout_seconds, keep)
        session._start()
        answer = await session.request(
            lambda sequence: pdus.bind(sequence, account.system_id, account.password)
        )
        if answer.status != pdus.OK:
            session.end()
            raise BindRefusedError(pdus.status_name(answer.status))
        return session

    async def request(self, pdu: Callable[[int], bytes]) -> Pdu:
        """Send a request and return its answer; raises SessionLostError, also for an overdue one.

        An answer that is overdue ends the session: what else waits is as much in doubt.
        """
        if self.ended.is_set():
            raise SessionLostError
        sequence = next(self._sequences)
        future: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._waiting[sequence] = future
        try:
            self._write(pdu(sequence))
            async with asyncio.timeout(self._timeout):
                return await future
        except TimeoutError:
            _log.warning("smpp.answer_overdue")
            self.end()
            raise SessionLostError from None
        finally:
            self._waiting.pop(sequence, None)

    async def close(self) -> None:
        """Say farewell and end."""
        if not self.ended.is_set():
            try:
                await self.request(pdus.unbind)
            except SessionLostError:
                _log.info("smpp.unbind_unanswered")
        self.end()

    def end(self) -> None:
        """End at once; everything that waits is in doubt. May be repeated."""
        self._flush()
        self.ended.set()
        self._writer.close()
        for task in self._tasks:
            task.cancel()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(SessionLostError())

    def _start(self) -> None:
        work = (self._read(), self._keep_receipts(), self._enquire())
        self._tasks = [asyncio.create_task(each) for each in work]

    def _write(self, pdu: bytes) -> None:
        """Send a PDU with all others of this turn of the loop: one packet instead of many."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(pdu)

    def _flush(self) -> None:
        if self._unsent and not self._writer.is_closing():
            self._writer.write(b"".join(self._unsent))
        self._unsent.clear()

    async def _read(self) -> None:
        try:
            while True:
                await self._take(await self._next())
        except (OSError, EOFError, ValueError) as error:
            _log.info("smpp.disconnected", cause=type(error).__name__)
        finally:
            self.end()

    async def _next(self) -> Pdu:
        length, command, status, sequence = HEADER.unpack(
            await self._reader.readexactly(HEADER.size)
        )
        if not HEADER.size <= length <= PDU_BYTES_MAX:
            raise ValueError(f"a PDU of {length} octets")
        return Pdu(command, status, sequence, await self._reader.readexactly(length - HEADER.size))

    async def _take(self, pdu: Pdu) -> None:
        if pdu.command & pdus.RESPONSE:
            future = self._waiting.get(pdu.sequence)
            if future is not None and not future.done():
                future.set_result(pdu)
        elif pdu.command == SmppCommand.DELIVER_SM:
            await self._arrived.put(pdu)
        elif pdu.command in (SmppCommand.ENQUIRE_LINK, SmppCommand.UNBIND):
            self._write(pdus.answer(pdu))
            if pdu.command == SmppCommand.UNBIND:
                self._flush()
                await self._writer.drain()
                raise EOFError
        else:
            _log.warning("smpp.request_not_known", command=f"{pdu.command:08x}")

    async def _enquire(self) -> None:
        """Notice a connection that has silently died."""
        while True:
            await asyncio.sleep(ENQUIRE_SECONDS)
            try:
                await self.request(pdus.enquire_link)
            except SessionLostError:
                return

    async def _keep_receipts(self) -> None:
        """Persist all receipts that wait, then answer them: an answered one is never lost.

        They come one by one, and a transaction for each costs more than anything else about them.
        """
        while True:
            arrived = [await self._arrived.get()]
            await asyncio.sleep(GATHER_SECONDS)
            while not self._arrived.empty():
                arrived.append(self._arrived.get_nowait())
            receipts = [each for pdu in arrived if (each := self._receipt(pdu)) is not None]
            try:
                await self._keep(receipts)
                status = pdus.OK
            except Exception as error:  # noqa: BLE001 - whatever it is, the centre must come again
                _log.warning("smpp.receipts_not_kept", cause=type(error).__name__)
                status = pdus.TEMPORARY_ERROR
            for pdu in arrived:
                self._write(pdus.answer(pdu, status))

    def _receipt(self, pdu: Pdu) -> Receipt | None:
        """Read one; what is none is logged, never its content, and answered too."""
        try:
            found = pdus.receipt_of(pdu)
        except pdus.UnreadableError as error:
            _log.warning("smpp.receipt_unreadable", cause=str(error))
            return None
        if found is None:
            _log.warning("smpp.inbound_message_not_handled")
            return None
        return Receipt(self._provider, *found)
