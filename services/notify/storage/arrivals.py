"""Messages that events ask for, queued in the transaction that counts the event."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from chassis.identifiers import new_id
from chassis.storage import sets
from services.notify.domain.plans import Plan


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message to queue: its plan and the fact it is about."""

    member_id: UUID
    plan: Plan
    variables: Mapping[str, int | str]
    event_id: UUID
    event_type: str
    traceparent: str


def queue(connection: Connection, arrivals: Sequence[Arrival], now: datetime) -> None:
    """Insert a row for each; one that its event has already queued stays."""
    instants = [now] * len(arrivals)
    sets.insert_columns(
        connection,
        "messages",
        {
            "member_id": ("uuid", [each.member_id for each in arrivals]),
            "message_id": ("uuid", [new_id() for _ in arrivals]),
            "channel": ("smallint", [int(each.plan.channel) for each in arrivals]),
            "template_code": ("text", [each.plan.template_code for each in arrivals]),
            "purpose": ("text", [each.plan.purpose.value for each in arrivals]),
            "variables": ("jsonb", [_json(each.variables) for each in arrivals]),
            "event_id": ("uuid", [each.event_id for each in arrivals]),
            "event_type": ("text", [each.event_type for each in arrivals]),
            "traceparent": ("text", [each.traceparent for each in arrivals]),
            "queued_at": ("timestamptz", instants),
            "due_at": ("timestamptz", instants),
        },
        on_conflict="ON CONSTRAINT messages_once DO NOTHING",
    )


def _json(variables: Mapping[str, int | str]) -> str:
    return json.dumps(dict(variables), ensure_ascii=False)
