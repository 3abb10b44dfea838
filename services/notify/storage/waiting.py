"""The queue: messages that wait for a provider, claimed by one process at a time.

`due_at` is both when a message may be tried and, once claimed, when its claim ends; `attempts`
counts claims and tells a report of this claim from one that came too late.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from chassis.storage import sets
from services.notify.domain.messages import Channel, Purpose, State
from services.notify.domain.sending import Claimed

_CLAIM = """
    UPDATE messages AS t
    SET due_at = %(until)s, attempts = t.attempts + 1
    FROM (
        SELECT member_id, message_id FROM messages
        WHERE channel = %(channel)s AND state IN (1, 2) AND due_at <= %(now)s
        ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE t.member_id = due.member_id AND t.message_id = due.message_id
    RETURNING t.member_id, t.message_id, t.channel, t.template_code, t.purpose, t.variables,
              t.state, t.attempts, t.queued_at, t.traceparent
"""
_SUBMITTING = """
    UPDATE messages AS t
    SET state = 2, template_version = v.template_version
    FROM unnest(%s::uuid[], %s::uuid[], %s::integer[], %s::bigint[])
        AS v(member_id, message_id, attempts, template_version)
    WHERE t.member_id = v.member_id AND t.message_id = v.message_id
        AND t.attempts = v.attempts AND t.state IN (1, 2)
    RETURNING t.message_id
"""
_POSTPONE = """
    UPDATE messages AS t
    SET state = v.state, due_at = v.due_at
    FROM unnest(%s::uuid[], %s::uuid[], %s::integer[], %s::smallint[], %s::timestamptz[])
        AS v(member_id, message_id, attempts, state, due_at)
    WHERE t.member_id = v.member_id AND t.message_id = v.message_id
        AND t.attempts = v.attempts AND t.state IN (1, 2)
"""


_RENEW = """
    UPDATE messages AS t
    SET due_at = v.due_at
    FROM unnest(%s::uuid[], %s::uuid[], %s::integer[], %s::timestamptz[])
        AS v(member_id, message_id, attempts, due_at)
    WHERE t.member_id = v.member_id AND t.message_id = v.message_id
        AND t.attempts = v.attempts AND t.state IN (1, 2)
"""


def claim(
    connection: Connection, channel: Channel, now: datetime, lease: timedelta, limit: int
) -> list[Claimed]:
    """Take up to `limit` messages that are due, for as long as the lease; others pass them by."""
    cursor = sets.driver(connection).execute(
        _CLAIM,
        {"channel": int(channel), "now": now, "until": now + lease, "limit": limit},
        prepare=True,
    )
    return [_claimed(row) for row in cursor]


def _claimed(row: sets.Row) -> Claimed:
    return Claimed(
        member_id=row[0],
        message_id=row[1],
        channel=Channel(row[2]),
        template_code=row[3],
        purpose=Purpose(row[4]),
        variables=row[5],
        state=State(row[6]),
        attempts=row[7],
        queued_at=row[8],
        traceparent=row[9],
    )


def record_submitting(
    connection: Connection, messages: Sequence[tuple[Claimed, int]]
) -> Collection[UUID]:
    """Record that these are about to be submitted, each with the template version it used.

    Returns the ids of those that may be: a claim that another has taken over is not among them.
    """
    columns: sets.Columns = {
        **_claims([message for message, _ in messages]),
        "template_version": ("bigint", [version for _, version in messages]),
    }
    return {row[0] for row in sets.execute(connection, _SUBMITTING, columns)}


def postpone(connection: Connection, messages: Sequence[tuple[Claimed, State, datetime]]) -> None:
    """Give claims up until a later time; QUEUED for what was not taken, SUBMITTING for doubt."""
    columns: sets.Columns = {
        **_claims([message for message, _, _ in messages]),
        "state": ("smallint", [int(state) for _, state, _ in messages]),
        "due_at": ("timestamptz", [due_at for _, _, due_at in messages]),
    }
    sets.execute(connection, _POSTPONE, columns)


def renew(connection: Connection, messages: Sequence[Claimed], until: datetime) -> None:
    """Keep claims for longer; those that have ended or were taken over stay as they are."""
    instants = [until] * len(messages)
    columns: sets.Columns = {**_claims(messages), "due_at": ("timestamptz", instants)}
    sets.execute(connection, _RENEW, columns)


def _claims(messages: Sequence[Claimed]) -> sets.Columns:
    return {
        "member_id": ("uuid", [message.member_id for message in messages]),
        "message_id": ("uuid", [message.message_id for message in messages]),
        "attempts": ("integer", [message.attempts for message in messages]),
    }
