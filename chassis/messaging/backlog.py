"""What the relay asks of the outbox table: the next rows in order, and away with the published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import psycopg
from psycopg.types.string import ByteaBinaryLoader

from chassis.messaging.records import OutboxRow

_NEXT = """
    SELECT seq, id::text, aggregateid::text, type, payload, version::text,
           (occurred_at AT TIME ZONE 'UTC')::text, traceparent
    FROM outbox
    WHERE seq > %(after)s
      AND (SELECT count(*) FROM outbox WHERE seq <= %(after)s) = %(in_flight)s
    ORDER BY seq
    LIMIT %(limit)s
"""
_DELETE = "DELETE FROM outbox WHERE seq = ANY(%s)"


class Backlog:
    """The unpublished rows of one service, read and deleted on a connection of the relay's own.

    The psycopg cursor is used without SQLAlchemy, and text comes as bytes: at 10,000 rows/s the
    conversion to str, UUID and datetime and back would cost more than the sending.

    Reading on after the last row sent would be wrong by itself: a transaction may draw 10, another
    draw and commit 11, and the first commit later; having read past 11, the relay would send 12 of
    the same key before 10. Within one snapshot that can't happen, because `seq` is drawn under the
    key's lock: who sees 12 sees 10. So a read also counts, in its own snapshot, what is at or
    below the last row sent; if that isn't exactly what is in flight it returns nothing, and the
    relay reads from the start once nothing is in flight.
    """

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self._cursor = connection.cursor(binary=True)
        self._cursor.adapters.register_loader("text", ByteaBinaryLoader)

    def next_rows(self, *, after: int, in_flight: int, limit: int) -> list[OutboxRow]:
        """At most `limit` rows by `seq` above `after`, of which and below `in_flight` remain."""
        self._cursor.execute(_NEXT, {"after": after, "in_flight": in_flight, "limit": limit})
        return cast("list[OutboxRow]", self._cursor.fetchall())

    def delete(self, seqs: Sequence[int]) -> None:
        """Forget published rows. By number, never by range: a row may still appear in between."""
        self._cursor.execute(_DELETE, (list(seqs),))
