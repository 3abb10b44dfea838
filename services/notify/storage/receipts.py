"""Receipts as they came, kept until the message they speak of is known."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from chassis.storage import sets
from services.notify.domain.commands import RecordReceipt
from services.notify.domain.receipts import Receipt, verdict_of

_MATCHED = sa.text(
    """
    SELECT p.member_id, p.message_id, r.provider, r.provider_message_id, r.outcome
    FROM receipts AS r CROSS JOIN LATERAL (
        SELECT member_id, message_id FROM parts
        WHERE provider = r.provider AND provider_message_id = r.provider_message_id LIMIT 1
    ) AS p
    LIMIT :limit
    """
)
"""LATERAL: the few receipts lead; a plain join may begin with every part there ever was."""
_PURGE = sa.text(
    "DELETE FROM receipts WHERE ctid = ANY(ARRAY(SELECT ctid FROM receipts "
    "WHERE received_at < :before LIMIT :limit FOR UPDATE SKIP LOCKED))"
)


def keep(connection: Connection, receipts: Sequence[Receipt], now: datetime) -> None:
    """Insert receipts; a later one for the same part takes the place of one not yet applied."""
    latest = {(each.provider, each.provider_message_id): each.outcome for each in receipts}
    ordered = sorted(latest.items())
    sets.insert_columns(
        connection,
        "receipts",
        {
            "provider": ("text", [key[0] for key, _ in ordered]),
            "provider_message_id": ("text", [key[1] for key, _ in ordered]),
            "outcome": ("text", [outcome for _, outcome in ordered]),
            "received_at": ("timestamptz", [now] * len(ordered)),
        },
        on_conflict="(provider, provider_message_id) DO UPDATE SET outcome = excluded.outcome",
    )


def matched(connection: Connection, limit: int) -> list[RecordReceipt]:
    """Return receipts whose part is known; nothing is locked, applying one twice is harmless."""
    rows = connection.execute(_MATCHED, {"limit": limit})
    return [
        RecordReceipt(member_id, message_id, provider, name, verdict_of(outcome), outcome)
        for member_id, message_id, provider, name, outcome in rows
    ]


def purge(connection: Connection, before: datetime, limit: int) -> int:
    """Forget at most `limit` receipts that nothing was found for; returns how many."""
    return connection.execute(_PURGE, {"before": before, "limit": limit}).rowcount
