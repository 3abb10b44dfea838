"""A message centre, a mail sink and a database for the members' side of each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli.local.mail import MailSink
from cli.local.ports import free_port
from cli.local.smsc import ShortMessageCentre
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
def member_database_url(postgres_url: str) -> Iterator[str]:
    """A second fresh database, for the member service that knows the guests."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 STRATEGY wal_log')
        yield (
            f"{postgres_url.rsplit('/', 1)[0]}/{name}"
            if postgres_url.count("/") > 2
            else f"{postgres_url}/{name}"
        )
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


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
