"""Keeping claims for as long as a round takes, however short the lease is."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from chassis.clock import Clock
from chassis.telemetry.logs import get_logger
from services.notify.domain.sending import Claimed
from services.notify.storage import waiting
from services.notify.storage.transactions import Transactions

RENEWALS_PER_LEASE = 3

_log = get_logger(__name__)


@asynccontextmanager
async def renewing(
    transactions: Transactions, clock: Clock, claimed: Sequence[Claimed], lease: timedelta
) -> AsyncIterator[None]:
    """Renew the claims until the block ends; no renewal is under way once it has ended."""
    ended = asyncio.Event()
    renewal = asyncio.create_task(_renew(transactions, clock, claimed, lease, ended))
    try:
        yield
    finally:
        ended.set()
        await renewal


async def _renew(
    transactions: Transactions,
    clock: Clock,
    claimed: Sequence[Claimed],
    lease: timedelta,
    ended: asyncio.Event,
) -> None:
    while not ended.is_set():
        try:
            async with asyncio.timeout(lease.total_seconds() / RENEWALS_PER_LEASE):
                await ended.wait()
        except TimeoutError:
            await _renew_once(transactions, clock, claimed, lease)


async def _renew_once(
    transactions: Transactions, clock: Clock, claimed: Sequence[Claimed], lease: timedelta
) -> None:
    try:
        await transactions.run(waiting.renew, claimed, clock.now() + lease)
    except Exception as error:  # noqa: BLE001 - the next renewal may still come in time
        _log.warning("claims_not_renewed", cause=type(error).__name__)
