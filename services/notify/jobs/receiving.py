"""Receipts: kept as they come, and applied once the message they speak of is known."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from chassis.clock import Clock
from chassis.storage.housekeeping import Chore
from chassis.telemetry.logs import get_logger
from services.notify.domain.receipts import Receipt, verdict_of
from services.notify.jobs.metrics import RECEIPTS
from services.notify.jobs.recording import Recorder
from services.notify.storage import receipts
from services.notify.storage.transactions import Transactions

BATCH_MAX = 256
OUTAGE_SECONDS = 1.0
RECEIPTS_KEPT = timedelta(days=7)
"""How long a receipt waits for a message; providers give up on a message after three days."""

_log = get_logger(__name__)


class Receiving:
    """What becomes of receipts. Any number of processes may do it: applying twice is harmless."""

    def __init__(
        self,
        transactions: Transactions,
        recorder: Recorder,
        clock: Clock,
        poll_seconds: float,
    ) -> None:
        self._transactions, self._recorder = transactions, recorder
        self._clock, self._poll_seconds = clock, poll_seconds

    async def keep(self, arrived: Sequence[Receipt]) -> None:
        """Persist receipts (a `ReceiptSink`); raises when the database can't."""
        await self._transactions.run(receipts.keep, arrived, self._clock.now())
        for verdict, times in Counter(verdict_of(each.outcome).name for each in arrived).items():
            RECEIPTS.prometheus.labels(verdict).inc(times)

    async def run(self) -> None:
        """Apply receipts until cancelled."""
        while True:
            try:
                applied = await self.apply()
            except Exception as error:  # noqa: BLE001 - receipts stay where they are until it works
                _log.warning("receipts_not_applied", cause=type(error).__name__)
                applied = 0
                await asyncio.sleep(OUTAGE_SECONDS)
            if applied < BATCH_MAX:
                await asyncio.sleep(self._poll_seconds)

    async def apply(self) -> int:
        """Apply one batch of receipts whose message is known; returns how many there were."""
        commands = await self._transactions.run(receipts.matched, BATCH_MAX)
        await self._recorder.record(commands)
        return len(commands)


UNMATCHED: Final = Chore("receipts", RECEIPTS_KEPT, receipts.purge)
"""Forgets receipts that no message was found for."""
