"""A migrated database for each test of the member service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.member.main import MIGRATIONS
from tests.databases import Lender


@pytest.fixture
def database_url(lender: Lender) -> Iterator[str]:
    """The URL of a member database as its migrations leave it."""
    with lender.lend(MIGRATIONS) as url:
        yield url
