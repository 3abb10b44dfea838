"""After a fault, with no hand laid on: everything comes to rest, and then everything agrees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg

from cli.books import check_books
from cli.suite import Suite
from tests.e2e.subscriber import Applied, applied, read_all
from tests.e2e.telling import all_told
from tests.waiting import wait_until

REST_SECONDS = 60.0


def at_rest(suite: Suite) -> None:
    """Wait until nothing is unfinished but what waits for its commit, and nothing unpublished."""
    until_empty(suite, "gateway", "unfinished", "NOT waiting")
    for service in suite.services:
        until_empty(suite, service, "outbox")


def until_empty(suite: Suite, service: str, table: str, where: str = "true") -> None:
    """Wait until a table, read behind its service's back, has no such row."""
    with psycopg.connect(
        suite.database_url(service), connect_timeout=5, autocommit=True
    ) as connection:

        def is_empty() -> bool:
            row = connection.execute(
                f"SELECT NOT EXISTS (SELECT FROM {table} WHERE {where})"
            ).fetchone()
            return row == (True,)

        wait_until(is_empty, REST_SECONDS, f"{table} of {service} is empty")


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is there once everything has come to rest.

    `told_twice`: SMS that guests have had too often since the suite started.
    """

    events: Applied
    told_twice: int


def all_agrees(suite: Suite) -> Aftermath:
    """Rest; balanced books; events that came whole and in order; every guest told of each once."""
    at_rest(suite)
    assert [check for check in check_books(suite.endpoints) if not check.holds] == []
    told_twice = all_told(suite, _whole(suite).events)
    at_rest(suite)
    return Aftermath(_whole(suite), told_twice)


def _whole(suite: Suite) -> Applied:
    events = applied(read_all(suite.endpoints, suite.services))
    assert events.jumps == []
    assert len({event.id for event in events.events}) == len(events.events)
    return events


def checkout_state(suite: Suite, request_id: str) -> int:
    """The recorded state of a checkout, 0 when there is no record."""
    found = _column(suite, request_id, "state")
    return found if isinstance(found, int) else 0


def recorded_bytes(suite: Suite, request_id: str, which: str) -> bytes:
    """What the gateway has recorded to send: `post`, `reserve` and so on."""
    found = _column(suite, request_id, f"{which}_request")
    assert isinstance(found, bytes)
    return found


def deadline(suite: Suite, request_id: str) -> datetime:
    """When the till of a checkout stops waiting."""
    found = _column(suite, request_id, "deadline_at")
    assert isinstance(found, datetime)
    return found


def _column(suite: Suite, request_id: str, column: str) -> object:
    with psycopg.connect(suite.database_url("gateway"), connect_timeout=5) as connection:
        row = connection.execute(
            f"SELECT {column} FROM checkouts WHERE request_id = %s", (request_id,)
        ).fetchone()
    return row[0] if row is not None else None
