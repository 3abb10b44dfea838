"""What readers ask: one statement each, nothing locked."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from services.notify.domain.listed import ListedMessage
from services.notify.domain.messages import Channel, State

_PAGE = sa.text(
    """
    SELECT message_id, member_id, channel, template_code, template_version, state, reason,
           event_id, event_type, queued_at, sent_at, ended_at, attempts, parts
    FROM messages
    WHERE member_id = :member_id AND (CAST(:before AS uuid) IS NULL OR message_id < :before)
    ORDER BY message_id DESC LIMIT :limit
    """
)
_COUNTS = sa.text("SELECT state, count(*) FROM messages GROUP BY state ORDER BY state")


def list_messages(
    connection: Connection, member_id: UUID, before: UUID | None, limit: int
) -> list[ListedMessage]:
    """Return the member's messages queued before the one with id `before`, newest first."""
    asked = {"member_id": member_id, "before": before, "limit": limit}
    return [_listed(row) for row in connection.execute(_PAGE, asked)]


def _listed(row: sa.Row[Any]) -> ListedMessage:
    named = row._asdict()
    return ListedMessage(
        **{**named, "channel": Channel(named["channel"]), "state": State(named["state"])}
    )


def count_messages(connection: Connection) -> list[tuple[State, int]]:
    """Return how many messages are in each state that occurs; scans the table."""
    return [(State(state), number) for state, number in connection.execute(_COUNTS)]


def answers(connection: Connection) -> bool:
    """Return True: the database is there."""
    return bool(connection.execute(sa.text("SELECT true")).scalar())
