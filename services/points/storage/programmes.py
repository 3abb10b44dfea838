"""Programme versions as JSON documents: how they are stored, and the shelf new ones are put on."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from chassis.clock import Clock
from chassis.storage import round_trips, sets
from services.points.domain.assets import Category
from services.points.domain.commands import (
    ActivateDraft,
    DiscardDraft,
    ProgrammeCommand,
    RetireProgramme,
    UpdateDraft,
)
from services.points.domain.drafts import Draft, DraftState
from services.points.domain.programme import (
    Clawback,
    Programme,
    Programmes,
    Redemption,
    SpendOrder,
    StoredValueTerms,
    TopUpTier,
)
from services.points.domain.publishing import Retirement, Shelf, Span
from services.points.storage import tables
from services.points.storage.rule_documents import rule_document, rule_of

_READ_NEWER = """
SELECT version, valid_from, content, 0 AS number FROM programmes WHERE version > %s
UNION ALL
SELECT version, valid_until, NULL, number FROM programme_retirements WHERE number > %s
ORDER BY number, version
"""
_READ_LATEST = """
SELECT p.version, p.valid_from,
       (SELECT coalesce(max(number), 0) FROM programme_retirements),
       (SELECT count(*) FROM programme_drafts WHERE state = 'OPEN')
FROM programmes AS p ORDER BY p.version DESC LIMIT 1
"""
_READ_SPANS = """
SELECT p.version, p.valid_from,
       (SELECT r.valid_until FROM programme_retirements AS r
        WHERE r.version = p.version ORDER BY r.number DESC LIMIT 1)
FROM programmes AS p
"""
DRAFT_COLUMNS = (
    "draft_id",
    "revision",
    "title",
    "state::text",
    "valid_from",
    "content",
    "updated_at",
    "version",
)
_REPLACE_DRAFT = "(draft_id) DO UPDATE SET " + ", ".join(
    f"{name} = EXCLUDED.{name}" for name in tables.PROGRAMME_DRAFTS if name != "draft_id"
)
_RAISE_BUDGET = (
    "(rule) DO UPDATE SET "
    "budget_points = greatest(EXCLUDED.budget_points, rule_budgets.given_points)"
)
"""A budget that is cut below what was given already has nothing more to give."""


_ON_DRAFTS = (UpdateDraft, DiscardDraft, ActivateDraft)


def read_newer(connection: Connection, known: Programmes) -> None:
    """Add to `known` every version and retirement since; two index probes where there is none."""
    add_newer(ask_newer(connection, known), known)


def ask_newer(connection: Connection, known: Programmes) -> sets.Rows:
    """Ask for all that happened since; in a pipeline the answer comes with its end."""
    after = (str(known.latest_version), str(known.latest_retirement))
    return round_trips.ask(connection, _READ_NEWER, after).rows


def add_newer(asked: sets.Rows, known: Programmes) -> None:
    """Add to `known` what `ask_newer` was answered."""
    for version, instant, content, number in asked():
        if number:
            known.retire(number, version, instant)
        else:
            known.add(from_document(version, instant, content))


class ProgrammeRepository:
    """Repository[ProgrammeCommand, Shelf]: one writer at a time, by a table lock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def lock(self, connection: Connection, commands: Sequence[ProgrammeCommand]) -> Shelf:
        del commands
        cursor = sets.driver(connection)
        cursor.execute("LOCK TABLE programmes IN SHARE ROW EXCLUSIVE MODE")
        return Shelf(0, None, [])

    def load(
        self, connection: Connection, state: Shelf, commands: Sequence[ProgrammeCommand]
    ) -> None:
        cursor = sets.driver(connection)
        row = cursor.execute(_READ_LATEST).fetchone()
        if row is not None:
            state.latest_version, state.latest_valid_from, state.retirements = row[:3]
            state.open_drafts = row[3]
        if any(isinstance(each, RetireProgramme) for each in commands):
            state.spans = {row[0]: Span(row[1], row[2]) for row in cursor.execute(_READ_SPANS)}
        ids = {each.draft_id for each in commands if isinstance(each, _ON_DRAFTS)}
        state.drafts = {each.draft_id: each for each in read_drafts(connection, ids)}

    def save(self, connection: Connection, state: Shelf) -> None:
        published = state.published
        values: dict[str, list[object]] = {
            "version": [programme.version for programme in published],
            "valid_from": [programme.valid_from for programme in published],
            "content": [json.dumps(to_document(programme)) for programme in published],
            "published_at": [self._clock.now()] * len(published),
        }
        columns = {name: (kind, values[name]) for name, kind in tables.PROGRAMMES.items()}
        sets.insert_columns(connection, "programmes", columns)
        _save_budgets(connection, published)
        _save_drafts(connection, list(state.touched_drafts.values()))
        _save_retirements(connection, state.retired, self._clock.now())


def read_drafts(connection: Connection, ids: Collection[UUID]) -> list[Draft]:
    """The drafts of these ids that there are."""
    rows = sets.select_by_keys(
        connection,
        "programme_drafts",
        {"draft_id": ("uuid", sorted(ids))},
        select=DRAFT_COLUMNS,
    )
    return [
        Draft(
            row[0], row[1], row[2], DraftState(row[3]), from_document(0, row[4], row[5]), *row[6:]
        )
        for row in rows
    ]


def _save_budgets(connection: Connection, published: Sequence[Programme]) -> None:
    budgets = {
        code: rule.budget_points
        for programme in published
        for code, rule in programme.rules.budgeted.items()
    }
    columns: sets.Columns = {
        "rule": ("text", list(budgets)),
        "budget_points": ("bigint", list(budgets.values())),
        "given_points": ("bigint", [0] * len(budgets)),
    }
    sets.insert_columns(connection, "rule_budgets", columns, on_conflict=_RAISE_BUDGET)


def _save_drafts(connection: Connection, drafts: Sequence[Draft]) -> None:
    values: dict[str, list[object]] = {
        "draft_id": [each.draft_id for each in drafts],
        "revision": [each.revision for each in drafts],
        "title": [each.title for each in drafts],
        "state": [each.state for each in drafts],
        "valid_from": [each.programme.valid_from for each in drafts],
        "content": [json.dumps(to_document(each.programme)) for each in drafts],
        "updated_at": [each.updated_at for each in drafts],
        "version": [each.version for each in drafts],
    }
    columns = {name: (kind, values[name]) for name, kind in tables.PROGRAMME_DRAFTS.items()}
    sets.insert_columns(connection, "programme_drafts", columns, on_conflict=_REPLACE_DRAFT)


def _save_retirements(
    connection: Connection, retired: Sequence[Retirement], retired_at: datetime
) -> None:
    columns: sets.Columns = {
        "number": ("integer", [each.number for each in retired]),
        "version": ("integer", [each.version for each in retired]),
        "valid_until": ("timestamptz", [each.valid_until for each in retired]),
        "retired_at": ("timestamptz", [retired_at] * len(retired)),
    }
    sets.insert_columns(connection, "programme_retirements", columns)


def to_document(programme: Programme) -> dict[str, object]:
    """The JSON document of a version; its number and `valid_from` are columns."""
    terms, day = programme.stored_value, programme.points_expire_on
    idle_months = programme.points_expire_after_idle_months
    return {
        "earning_rules": [rule_document(rule) for rule in programme.earning_rules],
        "redemption": {
            "points_per_unit": programme.redemption.points_per_unit,
            "minimum_points": programme.redemption.minimum_points,
            "maximum_shares": dict(programme.redemption.maximum_shares),
        },
        "stored_value": {
            "top_up_tiers": [
                {"from_minor": tier.from_minor, "bonus_minor": tier.bonus_minor}
                for tier in terms.top_up_tiers
            ],
            "top_up_limit_minor": terms.top_up_limit_minor,
            "balance_limit_minor": terms.balance_limit_minor,
            "spend_order": terms.spend_order,
            "bonus_expires_after_months": terms.bonus_expires_after_months,
        },
        "points_expire_after_months": programme.points_expire_after_months,
        "clawback": programme.clawback,
        **({"points_expire_on": day.isoformat()} if day else {}),
        **({"points_expire_after_idle_months": idle_months} if idle_months else {}),
    }


def from_document(version: int, valid_from: datetime, content: dict[str, Any]) -> Programme:
    """The version that a document describes; reads what any earlier release has written."""
    redemption, terms = content["redemption"], content["stored_value"]
    day = content.get("points_expire_on")
    return Programme(
        version,
        valid_from,
        tuple(rule_of(document) for document in content["earning_rules"]),
        Redemption(
            redemption["points_per_unit"],
            redemption["minimum_points"],
            tuple((Category(name), share) for name, share in redemption["maximum_shares"].items()),
        ),
        StoredValueTerms(
            tuple(TopUpTier(**tier) for tier in terms["top_up_tiers"]),
            terms["top_up_limit_minor"],
            terms["balance_limit_minor"],
            SpendOrder(terms["spend_order"]),
            terms["bonus_expires_after_months"],
        ),
        content["points_expire_after_months"],
        clawback=Clawback(content.get("clawback", Clawback.COLLECT)),
        points_expire_on=date.fromisoformat(day) if day else None,
        points_expire_after_idle_months=content.get("points_expire_after_idle_months", 0),
    )
