"""Rows of `checkouts` that are opened first: what their phases add, and when each comes due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection

from chassis.storage import sets
from gateway.domain.checkouts import CommitKey, Held, Opening, Phase, Record
from gateway.domain.deciding import Due

COLUMNS = (
    "phase", "commit_by", "facts", "authorize_request", "held", "points_held",
    "stored_value_held_minor", "commit_request_id", "commit_fingerprint",
)  # fmt: skip


def first_columns(openings: Sequence[Opening]) -> sets.Columns:
    """Return what first records have beyond those of one call; nothing where none is opened."""
    if all(opening.commit_by is None for opening in openings):
        return {}
    phases = [Phase.ONE_CALL if o.commit_by is None else Phase.OPENING for o in openings]
    return {
        "phase": ("smallint", [int(phase) for phase in phases]),
        "commit_by": ("timestamptz", [o.commit_by for o in openings]),
        "facts": ("bytea", [o.facts for o in openings]),
        "authorize_request": ("bytea", [o.plan.authorize for o in openings]),
    }


def save_opened(connection: Connection, opened: Sequence[Record]) -> None:
    """Write what is held on rows this transaction has locked while they were OPENING."""
    held = [record.held for record in opened if record.held is not None]
    sets.update_from_columns(
        connection,
        "checkouts",
        keys={"checkout_id": ("uuid", [record.checkout_id for record in opened])},
        values={
            "phase": ("smallint", [int(Phase.WAITING)] * len(opened)),
            "held": ("bytea", [each.answer for each in held]),
            "points_held": ("bigint", [each.points for each in held]),
            "stored_value_held_minor": ("bigint", [each.stored_value_minor for each in held]),
        },
    )


def save_commits(connection: Connection, commits: Sequence[Record]) -> None:
    """Write commits on rows this transaction has locked while they were WAITING."""
    openings = [record.opening for record in commits]
    keys = [record.commit for record in commits if record.commit is not None]
    sets.update_from_columns(
        connection,
        "checkouts",
        keys={"checkout_id": ("uuid", [record.checkout_id for record in commits])},
        values={
            "phase": ("smallint", [int(Phase.COMMITTING)] * len(commits)),
            "commit_request_id": ("text", [key.request_id for key in keys]),
            "commit_fingerprint": ("bytea", [key.fingerprint for key in keys]),
            "post_request": ("bytea", [o.plan.post for o in openings]),
            "reverse_request": ("bytea", [o.plan.reverse for o in openings]),
            "draft": ("bytea", [o.draft for o in openings]),
            "gross_minor": ("bigint", [o.gross_minor for o in openings]),
            "tendered_minor": ("bigint", [o.tendered_minor for o in openings]),
        },
    )


def save_due(connection: Connection, due: Mapping[UUID, Due], grace: timedelta) -> None:
    """Let what waits come due at its deadline, and what is carried out after a grace.

    Whoever decided carries it out meanwhile; what is finished is deleted afterwards.
    """
    each = due.values()
    sets.update_from_columns(
        connection,
        "unfinished",
        keys={"record_id": ("uuid", list(due))},
        values={
            "due_at": ("timestamptz", [d.at if d.waiting else d.at + grace for d in each]),
            "waiting": ("boolean", [d.waiting for d in each]),
        },
    )


def held_of(answer: bytes | None, points: int, stored_value_minor: int) -> Held | None:
    """Return what `save_opened` wrote."""
    return None if answer is None else Held(answer, points, stored_value_minor)


def commit_of(request_id: str | None, fingerprint: bytes | None) -> CommitKey | None:
    """Return which commit `save_commits` wrote."""
    if request_id is None or fingerprint is None:
        return None
    return CommitKey(request_id, fingerprint)
