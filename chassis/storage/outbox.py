"""The outbox: events written in the transaction of their effect, published later by the relay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from chassis.identifiers import new_id
from chassis.storage import sets


class OutboxEvent(NamedTuple):
    """One event as it will be published.

    `key` is the topic key and Debezium's aggregateid: the member id, or the aggregate's id for
    events without a member. `type` is the full proto message name, `payload` the serialized
    message (at most 900,000 bytes). `version` counts from 1 without gaps per service and key and
    is assigned by the domain on the locked row. An empty `traceparent` takes the submission's.
    """

    key: UUID
    aggregate_type: str
    type: str
    payload: bytes
    version: int
    occurred_at: datetime
    traceparent: str = ""


def append(
    connection: Connection, events: Sequence[OutboxEvent], traceparents: Sequence[str] = ()
) -> None:
    """Insert `events` in order, drawing `seq` now: call it while their keys' rows are locked.

    `traceparents` stand in, by position, for events that have none of their own. Raises
    psycopg.errors.CheckViolation for a payload that is too large.
    """
    fallbacks = traceparents or [""] * len(events)
    traces = [event.traceparent or other for event, other in zip(events, fallbacks, strict=True)]
    sets.insert_columns(
        connection,
        "outbox",
        {
            "id": ("uuid", [new_id() for _ in events]),
            "aggregatetype": ("text", [event.aggregate_type for event in events]),
            "aggregateid": ("uuid", [event.key for event in events]),
            "type": ("text", [event.type for event in events]),
            "payload": ("bytea", [event.payload for event in events]),
            "version": ("bigint", [event.version for event in events]),
            "occurred_at": ("timestamptz", [event.occurred_at for event in events]),
            "traceparent": ("text", traces),
        },
    )
