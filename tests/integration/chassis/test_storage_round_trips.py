"""Round trips: many statements, one wait; whatever fails, the connection stays of use."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from chassis.storage import round_trips, sets
from chassis.storage.engine import create_engine
from chassis.storage.failures import give_back


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="round-trips", pool_size=1)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


def test_answers_come_in_the_order_of_their_statements(connection: Connection) -> None:
    with round_trips.together(connection):
        answers = [round_trips.ask(connection, "SELECT %s::int", (str(at),)) for at in range(20)]
    assert [answer.rows() for answer in answers] == [[(at,)] for at in range(20)]


def test_a_statement_is_prepared_once_however_often_it_is_asked(connection: Connection) -> None:
    for at in range(3):
        with round_trips.together(connection):
            for _ in range(2):
                round_trips.ask(connection, "SELECT %s::int", (str(at),))
    assert _prepared(connection) == ["SELECT $1::int"]


def test_an_answer_asked_for_within_the_block_is_waited_for(connection: Connection) -> None:
    with round_trips.together(connection):
        first = round_trips.ask(connection, "SELECT 1", ()).rows()
        second = round_trips.ask(connection, "SELECT 2", ())
    assert (first, second.rows()) == ([(1,)], [(2,)])


def test_a_block_within_a_block_is_part_of_it(connection: Connection) -> None:
    with round_trips.together(connection):
        with round_trips.together(connection):
            inner = round_trips.ask(connection, "SELECT 1", ())
        assert inner.row_count() == -1
    assert inner.row_count() == 1


def test_null_is_a_parameter_and_a_percent_sign_is_written_twice(connection: Connection) -> None:
    sql = "SELECT %s::text IS NULL, 'a' LIKE '%%a'"
    assert round_trips.ask(connection, sql, (None,)).rows() == [(True, True)]


def test_the_driver_within_the_block_first_waits_for_what_was_sent(connection: Connection) -> None:
    with sets.pipelined(connection):
        round_trips.ask(connection, "CREATE TEMPORARY TABLE seen (at int)", ())
        sets.driver(connection).execute("INSERT INTO seen VALUES (7)")
        answer = round_trips.ask(connection, "SELECT at FROM seen", ())
    assert answer.rows() == [(7,)]


def test_the_first_error_of_a_trip_is_the_one_that_is_raised(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        _ask_together(connection, "SELECT 1", "SELECT 1 / 0", "SELECT nothing")
    sets.driver(connection).rollback()
    assert round_trips.ask(connection, "SELECT 1", ()).rows() == [(1,)]


def test_an_error_of_the_caller_s_own_ends_the_trip_and_is_told(connection: Connection) -> None:
    def fail() -> None:
        with round_trips.together(connection):
            round_trips.ask(connection, "SELECT 1", ())
            raise KeyError("the caller's")

    with pytest.raises(KeyError):
        fail()
    assert connection.execute(sa.text("SELECT 2")).scalar() == 2


def test_statements_are_prepared_anew_when_the_driver_has_deallocated_them(
    connection: Connection,
) -> None:
    round_trips.ask(connection, "SELECT 1", ())
    driver = sets.driver(connection)
    driver.execute("SELECT 2", prepare=True)
    driver.rollback()  # psycopg deallocates all that is prepared
    assert _prepared(connection) == []
    assert round_trips.ask(connection, "SELECT 1", ()).rows() == [(1,)]


def test_a_transaction_begins_with_its_first_statement_and_ends_with_commit(
    connection: Connection,
) -> None:
    status = sets.driver(connection).pgconn
    round_trips.ask(connection, "SELECT 1", ())
    assert status.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    assert round_trips.commit(connection).tag == "COMMIT"
    assert status.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_committing_a_failed_transaction_says_that_it_was_rolled_back(
    connection: Connection,
) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        round_trips.ask(connection, "SELECT 1 / 0", ())
    assert round_trips.commit(connection).tag == "ROLLBACK"


def test_a_lost_connection_is_an_operational_error_and_is_replaced(engine: Engine) -> None:
    connection = engine.connect()
    round_trips.ask(connection, "SELECT 1", ())
    with _another(engine) as other:
        other.execute(sa.text(f"SELECT pg_terminate_backend({_backend(connection)})"))
    with pytest.raises(psycopg.OperationalError) as lost:
        _ask_together(connection, "SELECT 2", "SELECT 3")
    assert give_back(engine, connection, lost.value)
    with engine.connect() as fresh:
        assert round_trips.ask(fresh, "SELECT 4", ()).rows() == [(4,)]


def _ask_together(connection: Connection, *statements: str) -> None:
    with round_trips.together(connection):
        for statement in statements:
            round_trips.ask(connection, statement, ())


def _another(engine: Engine) -> Connection:
    return create_engine(
        engine.url.render_as_string(hide_password=False), application_name="other"
    ).connect()


def _backend(connection: Connection) -> int:
    return sets.driver(connection).info.backend_pid


def _prepared(connection: Connection) -> list[str]:
    rows = connection.execute(sa.text("SELECT statement FROM pg_prepared_statements"))
    return [row[0] for row in rows if not row[0].startswith("SELECT statement")]
