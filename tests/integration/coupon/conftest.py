"""A migrated database for each test of the coupon service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.coupon.main import MIGRATIONS
from tests.databases import Lender


@pytest.fixture
def database_url(lender: Lender) -> Iterator[str]:
    """The URL of a coupon database as its migrations leave it."""
    with lender.lend(MIGRATIONS) as url:
        yield url
