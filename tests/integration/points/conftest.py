"""A migrated database and running services for the ledger's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from chassis.clock import Clock
from services.points.main import MIGRATIONS
from tests.databases import Lender
from tests.integration.points.running import Points, running

Serve = Callable[..., AbstractAsyncContextManager[Points]]


@pytest.fixture
def database_url(lender: Lender) -> Iterator[str]:
    """The URL of a ledger as its migrations leave it."""
    with lender.lend(MIGRATIONS) as url:
        yield url


@pytest.fixture
def ledger_url(database_url: str) -> str:
    """The same."""
    return database_url


@pytest.fixture
def serve(ledger_url: str, certificates: Path) -> Serve:
    """Starts a points service over the test's ledger: `async with serve(clock=...) as points`."""

    @asynccontextmanager
    async def start(clock: Clock | None = None) -> AsyncIterator[Points]:
        async with running(ledger_url, certificates, clock=clock) as points:
            yield points

    return start
