"""Questions about programmes: the list of drafts and versions."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from chassis.storage import sets

NEWEST: Final = UUID(int=2**128 - 1)
"""After every draft's id; a version's stands for its number, below all of them."""

_LIST = """
SELECT * FROM (
    SELECT draft_id AS id, 0 AS version, draft_id, title, valid_from, NULL::timestamptz,
           jsonb_array_length(content->'earning_rules')
    FROM programme_drafts WHERE state = 'OPEN'
    UNION ALL
    SELECT lpad(to_hex(p.version), 32, '0')::uuid, p.version, d.draft_id, coalesce(d.title, ''),
           p.valid_from,
           (SELECT r.valid_until FROM programme_retirements AS r
            WHERE r.version = p.version ORDER BY r.number DESC LIMIT 1),
           jsonb_array_length(p.content->'earning_rules')
    FROM programmes AS p LEFT JOIN programme_drafts AS d ON d.version = p.version
) AS listed
WHERE id < %(before)s ORDER BY id DESC LIMIT %(limit)s
"""


class Listed(NamedTuple):
    """One draft (of version 0) or version, without its content."""

    version: int
    draft_id: UUID | None
    title: str
    valid_from: datetime
    valid_until: datetime | None
    rules: int


def listed(connection: Connection, before: UUID | None, limit: int) -> list[tuple[UUID, Listed]]:
    """Return up to `limit` drafts and versions after a place in the list, newest first."""
    rows = sets.driver(connection).execute(_LIST, {"before": before or NEWEST, "limit": limit})
    return [(row[0], Listed(*row[1:])) for row in rows]
