"""Programme versions as JSON documents: how they are stored, and the shelf new ones are put on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import Connection

from chassis.clock import Clock
from chassis.storage import sets
from services.points.domain.assets import Category, Channel, Funder
from services.points.domain.commands import PublishProgramme
from services.points.domain.programme import (
    Clawback,
    Condition,
    EarningRule,
    Programme,
    Programmes,
    Redemption,
    SpendOrder,
    StackingClass,
    StoredValueTerms,
    TopUpTier,
)
from services.points.domain.publishing import Shelf
from services.points.storage import tables

_READ_NEWER = (
    "SELECT version, valid_from, content FROM programmes WHERE version > %s ORDER BY version"
)
_READ_LATEST = "SELECT version, valid_from FROM programmes ORDER BY version DESC LIMIT 1"


def read_newer(connection: Connection, known: Programmes) -> None:
    """Add to `known` every version published since; one index probe where there is none."""
    add_newer(ask_newer(connection, known), known)


def ask_newer(connection: Connection, known: Programmes) -> psycopg.Cursor[sets.Row]:
    """Ask for every version published since; in a pipeline the answer comes with its end."""
    return sets.driver(connection).execute(_READ_NEWER, (known.latest_version,), prepare=True)


def add_newer(asked: psycopg.Cursor[sets.Row], known: Programmes) -> None:
    """Add to `known` what `ask_newer` was answered."""
    for version, valid_from, content in asked:
        known.add(from_document(version, valid_from, content))


class ProgrammeRepository:
    """The repository of `PublishProgramme`: one publisher at a time, by a table lock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def lock(self, connection: Connection, commands: Sequence[PublishProgramme]) -> Shelf:
        del commands
        cursor = sets.driver(connection)
        cursor.execute("LOCK TABLE programmes IN SHARE ROW EXCLUSIVE MODE")
        return Shelf(0, None, [])

    def load(
        self, connection: Connection, state: Shelf, commands: Sequence[PublishProgramme]
    ) -> None:
        del commands
        row = sets.driver(connection).execute(_READ_LATEST).fetchone()
        if row is not None:
            state.latest_version, state.latest_valid_from = row

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


def to_document(programme: Programme) -> dict[str, object]:
    """The JSON document of a version; its number and `valid_from` are columns."""
    terms = programme.stored_value
    return {
        "earning_rules": [_rule_document(rule) for rule in programme.earning_rules],
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
    }


def from_document(version: int, valid_from: datetime, content: dict[str, Any]) -> Programme:
    """The version that a document describes; reads what any earlier release has written."""
    redemption, terms = content["redemption"], content["stored_value"]
    return Programme(
        version,
        valid_from,
        tuple(_rule(document) for document in content["earning_rules"]),
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
    )


def _rule_document(rule: EarningRule) -> dict[str, object]:
    return {
        "code": rule.code,
        "class": rule.stacking_class,
        "effect": rule.effect,
        "funder": rule.funder,
        "condition": _condition_document(rule.condition),
    }


def _condition_document(condition: Condition) -> dict[str, object]:
    """What the condition asks; what it does not ask is left out."""
    asked: dict[str, object] = {
        "categories": sorted(condition.categories),
        "tiers": sorted(condition.tiers),
        "tags": sorted(condition.tags),
        "weekdays": sorted(condition.weekdays),
        "channels": sorted(condition.channels),
        "minimum_spend_minor": condition.minimum_spend_minor,
        "birth_month_only": condition.birth_month_only,
    }
    return {name: value for name, value in asked.items() if value}


def _rule(document: dict[str, Any]) -> EarningRule:
    asked = document["condition"]
    return EarningRule(
        document["code"],
        StackingClass(document["class"]),
        document["effect"],
        Funder(document["funder"]),
        Condition(
            categories=frozenset(map(Category, asked.get("categories", ()))),
            tiers=frozenset(asked.get("tiers", ())),
            tags=frozenset(asked.get("tags", ())),
            weekdays=frozenset(asked.get("weekdays", ())),
            channels=frozenset(map(Channel, asked.get("channels", ()))),
            minimum_spend_minor=asked.get("minimum_spend_minor", 0),
            birth_month_only=asked.get("birth_month_only", False),
        ),
    )
