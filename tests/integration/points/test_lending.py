"""A lent database is as its migrations left it, whatever the test before has done to it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from services.points.main import MIGRATIONS
from tests.databases import Lender

_STATE = """
SELECT (SELECT json_agg(programmes) FROM programmes)::text, (SELECT count(*) FROM members),
    (SELECT count(*) FROM outbox), (SELECT json_agg(pg_sequences) FROM pg_sequences)::text
"""
_WRITTEN = (
    "INSERT INTO members (member_id) SELECT gen_random_uuid() FROM generate_series(1, 1000)",
    """
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, occurred_at,
                        traceparent)
        VALUES (gen_random_uuid(), 't', gen_random_uuid(), 'e', '', 1, now(), '')
    """,
    "UPDATE programmes SET valid_from = now()",
)
_LEFT_FOR_EVER = {
    "a column more": "ALTER TABLE members ADD COLUMN more int",
    "a trigger that sleeps": "ALTER TABLE postings DISABLE TRIGGER postings_are_immutable",
    "a table of its own": "CREATE TABLE mine (number int)",
    "a schema that has gone": "DROP SCHEMA public CASCADE",
    "what the planner learnt": f"{_WRITTEN[0]}; ANALYZE members",
}


@pytest.fixture
def own(postgres_url: str) -> Iterator[Lender]:
    """A lender whose databases no other test gets."""
    lender = Lender(postgres_url)
    yield lender
    lender.close()


def _do(url: str, *statements: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            connection.execute(statement.encode())


def _state(url: str) -> object:
    with psycopg.connect(url) as connection:
        return connection.execute(_STATE.encode()).fetchone()


def test_rows_seeds_and_sequences_are_put_back(own: Lender) -> None:
    with own.lend(MIGRATIONS) as first:
        new = _state(first)
        _do(first, *_WRITTEN)
        assert _state(first) != new
    with own.lend(MIGRATIONS) as second:
        assert (second, _state(second)) == (first, new)


@pytest.mark.parametrize("what", _LEFT_FOR_EVER)
def test_what_cannot_be_put_back_is_not_lent_again(own: Lender, what: str) -> None:
    with own.lend(MIGRATIONS) as first:
        _do(first, _LEFT_FOR_EVER[what])
    with own.lend(MIGRATIONS) as second:
        assert second != first


def test_whoever_is_still_connected_is_shown_out(own: Lender) -> None:
    with own.lend(MIGRATIONS) as first:
        left_behind = psycopg.connect(first)
        left_behind.execute("INSERT INTO members (member_id) VALUES (gen_random_uuid())")
    with own.lend(MIGRATIONS) as second:
        assert second == first
        with pytest.raises(psycopg.OperationalError):
            left_behind.execute("SELECT")


def test_a_database_that_somebody_comes_back_to_is_not_lent_again(own: Lender) -> None:
    with own.lend(MIGRATIONS) as first:
        pass
    with psycopg.connect(first), own.lend(MIGRATIONS) as second:
        assert second != first
