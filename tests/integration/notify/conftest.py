"""A message centre, a mail sink and a database for the members' side of each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local.mail import MailSink
from cli.local.ports import free_port
from cli.local.smsc import ShortMessageCentre
from services.member.main import MIGRATIONS as MEMBER_MIGRATIONS
from services.notify.main import MIGRATIONS
from tests.databases import Lender
from tests.integration.notify.running import Places


@pytest.fixture
def smsc(tmp_path: Path) -> Iterator[ShortMessageCentre]:
    """A real SMPP server, told over HTTP to refuse, throttle, fall silent or disconnect."""
    centre = ShortMessageCentre(
        free_port(), free_port(), tmp_path / "sms.jsonl", tmp_path / "smsc.log"
    )
    centre.start()
    yield centre
    centre.stop()


@pytest.fixture
def mail_sink(tmp_path: Path, certificates: Path) -> Iterator[MailSink]:
    """A real SMTP server with STARTTLS that keeps what it is given."""
    sink = MailSink(free_port(), tmp_path / "mail.jsonl", certificates, tmp_path / "mail.log")
    sink.start()
    yield sink
    sink.stop()


@pytest.fixture
def database_url(lender: Lender) -> Iterator[str]:
    """The URL of a notify database as its migrations leave it."""
    with lender.lend(MIGRATIONS) as url:
        yield url


@pytest.fixture
def member_database_url(lender: Lender) -> Iterator[str]:
    """A second database, for the member service that knows the guests."""
    with lender.lend(MEMBER_MIGRATIONS) as url:
        yield url


@pytest.fixture
def places(
    database_url: str,
    member_database_url: str,
    certificates: Path,
    smsc: ShortMessageCentre,
    mail_sink: MailSink,
) -> Places:
    """Everything that a notify service speaks to."""
    return Places(database_url, member_database_url, certificates, smsc, mail_sink)
