"""What the database itself refuses, whoever asks, and what is forgotten in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.errors import IntegrityError

from chassis.clock import ManualClock
from chassis.identifiers import new_id
from chassis.storage.engine import create_engine
from chassis.storage.housekeeping import Housekeeping
from services.notify.domain.messages import Channel, State
from services.notify.domain.plans import Plan
from services.notify.domain.receipts import Receipt
from services.notify.jobs.receiving import UNMATCHED
from services.notify.storage import arrivals, receipts
from services.notify.storage.arrivals import Arrival
from tests.integration.notify.running import migrated

NOW = datetime(2030, 5, 1, tzinfo=UTC)


def a_message(database_url: str) -> None:
    engine = create_engine(migrated(database_url), application_name="test")
    plan = Plan("TOP_UP", Channel.SMS)
    with engine.begin() as connection:
        wanted = Arrival(new_id(), plan, {"n": 1}, new_id(), "some.v1.Event", "")
        arrivals.queue(connection, [wanted, wanted], NOW)
    engine.dispose()


def moved(database_url: str, *states: State) -> None:
    """Take the message through states by hand."""
    with psycopg.connect(database_url) as connection:
        for state in states:
            connection.execute(
                "UPDATE messages SET state = %(state)s, "
                "reason = CASE WHEN %(state)s IN (5, 6) THEN 'WHY' ELSE '' END, "
                "sent_at = CASE WHEN %(state)s = 3 THEN queued_at ELSE sent_at END, "
                "ended_at = CASE WHEN %(state)s > 3 THEN queued_at END",
                {"state": int(state)},
            )


def test_one_event_asks_once_for_a_text_on_a_channel(database_url: str) -> None:
    a_message(database_url)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (1,)


@pytest.mark.parametrize("end", [State.DELIVERED, State.FAILED, State.SUPPRESSED])
def test_an_ended_message_stays_as_it_is(database_url: str, end: State) -> None:
    a_message(database_url)
    sent = () if end is State.SUPPRESSED else (State.SUBMITTING, State.SENT)
    moved(database_url, *sent, end)
    with pytest.raises(IntegrityError, match="ended message stays"):
        moved(database_url, State.QUEUED)


def test_a_message_that_a_provider_took_is_not_queued_again(database_url: str) -> None:
    a_message(database_url)
    moved(database_url, State.SUBMITTING, State.SENT)
    with pytest.raises(IntegrityError, match="not sent again"):
        moved(database_url, State.QUEUED)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE messages SET event_type = 'other'", "what a message is about"),
        ("UPDATE messages SET reason = 'WHY'", "messages_reason_told"),
        ("UPDATE messages SET state = 3", "messages_sent_known"),
        ("UPDATE messages SET state = 5, reason = 'WHY'", "messages_end_known"),
        ("UPDATE templates SET body = 'other'", "never changes"),
        ("DELETE FROM templates", "never changes"),
    ],
)
def test_no_statement_gets_past_the_rules(database_url: str, statement: str, why: str) -> None:
    a_message(database_url)
    with (
        psycopg.connect(database_url) as connection,
        pytest.raises(IntegrityError, match=why),
    ):
        connection.execute(statement.encode())


def test_a_receipt_that_nothing_is_found_for_is_forgotten_after_a_week(database_url: str) -> None:
    engine = create_engine(migrated(database_url), application_name="test")
    clock = ManualClock(NOW)
    with engine.begin() as connection:
        receipts.keep(connection, [Receipt("p", "old", "DELIVRD")], NOW)
        receipts.keep(connection, [Receipt("p", "new", "DELIVRD")], NOW + timedelta(days=7))
    clock.advance(timedelta(days=7, seconds=1))
    assert Housekeeping(engine, clock, [UNMATCHED], 3600.0).batch(UNMATCHED) == 1
    with engine.begin() as connection:
        left = connection.exec_driver_sql("SELECT provider_message_id FROM receipts").fetchall()
    engine.dispose()
    assert left == [("new",)]
