"""The SMS provider: stays bound, splits texts, and says what became of each submission."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from aiosmpplib.state import SmppCommandStatus as Status

from chassis.telemetry.logs import get_logger
from services.notify.clients.smpp import pdus
from services.notify.clients.smpp.pdus import ShortMessage
from services.notify.clients.smpp.session import (
    Account,
    BindRefusedError,
    Session,
    SessionLostError,
)
from services.notify.domain.sending import (
    Accepted,
    InDoubt,
    Letter,
    NotSubmitted,
    ReceiptSink,
    Refused,
    Submitted,
)
from services.notify.domain.sms import (
    TextTooLongError,
    concatenation_header,
    encode,
    segment,
    signed,
)

PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.2, 10.0
THROTTLED: Final = frozenset({Status.ESME_RTHROTTLED, Status.ESME_RMSGQFUL})
PERMANENT: Final = frozenset(
    {
        Status.ESME_RINVMSGLEN,
        Status.ESME_RINVDSTADR,
        Status.ESME_RINVDSTTON,
        Status.ESME_RINVDSTNPI,
        Status.ESME_RX_P_APPN,
        Status.ESME_RX_R_APPN,
    }
)
"""Statuses that blame this message; all others blame the moment or the account."""

_log = get_logger(__name__)


class SmppProvider:
    """A `Provider` over one session at a time, opened again for ever by `run`.

    `window` submissions at most wait for answers. A throttled one holds all others back for a
    moment and is tried again until `timeout_seconds` are spent.
    """

    def __init__(
        self,
        account: Account,
        *,
        source: str,
        signature: str,
        window: int,
        timeout_seconds: float,
        keep: ReceiptSink,
    ) -> None:
        self.name: Final = account.provider
        self._account, self._source, self._signature = account, source, signature
        self._timeout, self._keep = timeout_seconds, keep
        self._window = asyncio.Semaphore(window)
        self._session: Session | None = None
        self._bound = asyncio.Event()
        self._away = False
        self._hold_until = 0.0

    async def run(self) -> None:
        """Keep a session open until cancelled."""
        pause = PAUSE_SECONDS
        try:
            while True:
                self._away = not await self._open()
                if not self._away:
                    pause = PAUSE_SECONDS
                    assert self._session is not None
                    await self._session.ended.wait()
                    self._bound.clear()
                else:
                    pause = min(pause * 2, PAUSE_SECONDS_MAX)
                await asyncio.sleep(pause)
        finally:
            self._bound.clear()
            if self._session is not None:
                await self._session.close()

    async def ready(self) -> None:
        await self._bound.wait()

    async def probe(self) -> bool:
        """Whether the last attempt to bind has led to a session; for the process's health."""
        return not self._away

    async def submit(self, letter: Letter) -> Submitted:
        """Submit all parts at once, in order; a message of which a part is missing was not taken.

        It is submitted again as a whole: the same reference lets the phone put the parts together.
        """
        try:
            parts = self._parts(letter)
        except TextTooLongError:
            return Refused("TEXT_TOO_LONG", permanent=True)
        if len(parts) == 1:
            return await self._submit_part(parts[0])
        return _together(await asyncio.gather(*map(self._submit_part, parts)))

    async def _open(self) -> bool:
        try:
            self._session = await Session.open(self._account, self._timeout, self._keep)
        except BindRefusedError as refused:
            _log.error("smpp.bind_refused", status=str(refused))
            return False
        except (OSError, TimeoutError, SessionLostError) as error:
            _log.warning("smpp.not_connected", cause=type(error).__name__)
            return False
        self._bound.set()
        return True

    async def _submit_part(self, part: ShortMessage) -> Submitted:
        async with self._window:
            return await self._until_taken(part, time.monotonic() + self._timeout)

    async def _until_taken(self, part: ShortMessage, deadline: float) -> Submitted:
        """Submit one part, again while the centre is throttling, until the deadline."""
        pause = PAUSE_SECONDS
        while True:
            await asyncio.sleep(max(0.0, self._hold_until - time.monotonic()))
            session = self._session
            if session is None or session.ended.is_set():
                return NotSubmitted()
            try:
                answer = await session.request(part.pdu)
            except SessionLostError:
                return InDoubt()
            if answer.status == pdus.OK:
                return Accepted((pdus.text_of(answer.body),))
            if answer.status not in THROTTLED or time.monotonic() + pause > deadline:
                reason = pdus.status_name(answer.status)
                return Refused(reason, permanent=answer.status in PERMANENT)
            self._hold_until = time.monotonic() + pause
            pause *= 2

    def _parts(self, letter: Letter) -> list[ShortMessage]:
        segmented = segment(signed(letter.text.body, self._signature))
        total = len(segmented.parts)
        reference = letter.message_id.int & 0xFFFF
        return [
            ShortMessage(
                source=self._source,
                destination=letter.destination.removeprefix("+"),
                alphabet=segmented.alphabet,
                header=concatenation_header(reference, total, number) if total > 1 else b"",
                octets=encode(part, segmented.alphabet),
                reference=reference,
            )
            for number, part in enumerate(segmented.parts, 1)
        ]


def _together(answers: Sequence[Submitted]) -> Submitted:
    """What became of a message, from its parts: the worst of them, and doubt where they differ."""
    for doubtful in answers:
        if isinstance(doubtful, InDoubt):
            return doubtful
    refused = [each for each in answers if isinstance(each, Refused)]
    if refused:
        return max(refused, key=lambda each: each.permanent)
    taken = [each for each in answers if isinstance(each, Accepted)]
    if not taken:
        return NotSubmitted()
    if len(taken) < len(answers):
        return InDoubt()
    return Accepted(tuple(name for each in taken for name in each.part_ids))
