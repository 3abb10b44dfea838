"""The chassis' tables and a service's migrations in a real database."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine

from chassis.clock import SystemClock
from chassis.identifiers import new_id
from chassis.storage import outbox
from chassis.storage.engine import create_engine
from chassis.storage.migrations import migrate
from chassis.storage.outbox import OutboxEvent
from chassis.storage.tables import OUTBOX_PAYLOAD_BYTES_MAX, define_chassis_tables

FIRST = '''"""The chassis' tables and one of the service's own."""
from alembic import op
from chassis.storage.migrations import create_chassis_tables
revision, down_revision = "0001", None
def upgrade() -> None:
    create_chassis_tables(op)
    op.execute("CREATE TABLE things (id uuid PRIMARY KEY)")
'''
SECOND = '''"""A column more."""
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade() -> None:
    op.execute("ALTER TABLE things ADD COLUMN words text")
'''


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="migrations")
    yield engine
    engine.dispose()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of migrations with one script, importable by its name."""
    name = f"migrations_{new_id().hex}"
    versions = tmp_path / name / "versions"
    versions.mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()
    (versions / "0001_first.py").write_text(FIRST)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def _add_second(package: str) -> None:
    folder = Path(sys.modules[package].__path__[0])
    (folder / "versions" / "0002_second.py").write_text(SECOND)


def test_migrations_run_once_and_in_order(engine: Engine, package: str) -> None:
    assert migrate(engine, package) == ["0001"]
    assert migrate(engine, package) == []
    _add_second(package)
    assert migrate(engine, package) == ["0002"]


def test_processes_that_migrate_at_once_wait_for_each_other(engine: Engine, package: str) -> None:
    ran: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: ran.append(migrate(engine, package))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == [[], ["0001"]]


def test_a_migration_gives_up_rather_than_queue_traffic_behind_a_lock(
    engine: Engine, package: str
) -> None:
    migrate(engine, package)
    _add_second(package)
    with engine.connect() as reader, reader.begin():
        reader.execute(sa.text("SELECT FROM things"))
        with pytest.raises(sa.exc.OperationalError) as caught:
            migrate(engine, package, lock_timeout_seconds=0.05)
    assert isinstance(caught.value.orig, psycopg.errors.LockNotAvailable)
    assert migrate(engine, package) == ["0002"]


def test_sessions_that_migrated_leave_their_time_outs_behind(engine: Engine, package: str) -> None:
    migrate(engine, package, statement_timeout_seconds=77)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SHOW statement_timeout")).scalar() == "30s"


def test_the_metadata_and_the_migration_describe_the_same_tables(
    engine: Engine, package: str
) -> None:
    migrate(engine, package)
    metadata = sa.MetaData()
    define_chassis_tables(metadata)
    sa.Table("things", metadata, sa.Column("id", sa.Uuid, primary_key=True))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_an_event_that_no_topic_would_take_cannot_enter_the_outbox(
    engine: Engine, package: str
) -> None:
    migrate(engine, package)

    def event(size: int) -> OutboxEvent:
        now = SystemClock().now()
        return OutboxEvent(new_id(), "thing", "things.v1.Made", bytes(size), 1, now)

    with engine.begin() as connection:
        outbox.append(connection, [event(OUTBOX_PAYLOAD_BYTES_MAX)], ["00-trace"])
    with pytest.raises(psycopg.errors.CheckViolation), engine.begin() as connection:
        outbox.append(connection, [event(OUTBOX_PAYLOAD_BYTES_MAX + 1)])


def test_the_outbox_numbers_events_one_by_one_without_a_cache(engine: Engine, package: str) -> None:
    """A cached sequence would hand later numbers to earlier commits of another session."""
    migrate(engine, package)
    with engine.connect() as connection:
        cached = sa.text(
            "SELECT cache_size FROM pg_sequences WHERE sequencename = 'outbox_seq_seq'"
        )
        assert connection.execute(cached, {"name": "outbox_seq_seq"}).scalar() == 1
