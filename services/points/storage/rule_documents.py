"""Earning rules as JSON documents; what a rule does not ask or bound is left out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from chassis.conditions import ConditionError, compiler
from chassis.kernel import Fault
from services.points.domain.assets import Category, Channel, Funder
from services.points.domain.facts import VARIABLES, Expression, Facts
from services.points.domain.purchases import Season
from services.points.domain.rules import (
    Caps,
    Condition,
    EarningRule,
    Pending,
    Rounding,
    StackingClass,
)

_compile: Final = compiler(VARIABLES)
_CAPS: Final = ("per_checkout", "per_member_day", "per_member")
_PENDING: Final = ("days", "until_stay_ends")


def rule_document(rule: EarningRule) -> dict[str, object]:
    """The document of one rule; nothing in it has a default other than its absence."""
    more: dict[str, object] = {
        "rounding": "" if rule.rounding is Rounding.DOWN else rule.rounding,
        "caps": _said(rule.caps, _CAPS),
        "pending": _said(rule.pending, _PENDING),
        "budget_points": rule.budget_points,
        "valid_from": rule.valid_from.isoformat() if rule.valid_from else "",
        "valid_until": rule.valid_until.isoformat() if rule.valid_until else "",
    }
    return {
        "code": rule.code,
        "class": rule.stacking_class,
        "effect": rule.effect,
        "funder": rule.funder,
        "condition": _condition_document(rule.condition),
        **{name: value for name, value in more.items() if value},
    }


def rule_of(document: dict[str, Any]) -> EarningRule:
    """The rule that a document of this or any earlier release describes."""
    return EarningRule(
        document["code"],
        StackingClass(document["class"]),
        document["effect"],
        Funder(document["funder"]),
        _condition(document["condition"]),
        Rounding(document.get("rounding", Rounding.DOWN)),
        Caps(**document.get("caps", {})),
        Pending(**document.get("pending", {})),
        document.get("budget_points", 0),
        _instant(document.get("valid_from")),
        _instant(document.get("valid_until")),
    )


def _condition_document(condition: Condition) -> dict[str, object]:
    asked: dict[str, object] = {
        "categories": sorted(condition.categories),
        "tiers": sorted(condition.tiers),
        "tags": sorted(condition.tags),
        "weekdays": sorted(condition.weekdays),
        "channels": sorted(condition.channels),
        "minimum_spend_minor": condition.minimum_spend_minor,
        "birth_month_only": condition.birth_month_only,
        "hours": sorted(condition.hours),
        "seasons": sorted(condition.seasons),
        "rate_codes": sorted(condition.rate_codes),
        "properties": sorted(condition.properties),
        "merchants": sorted(map(str, condition.merchants)),
        "outlets": sorted(map(str, condition.outlets)),
        "first_purchase_only": condition.first_purchase_only,
        "expression": condition.expression.source if condition.expression else "",
        "absent_too": condition.absent_too,
    }
    return {name: value for name, value in asked.items() if value}


def _condition(asked: dict[str, Any]) -> Condition:
    return Condition(
        frozenset(map(Category, asked.get("categories", ()))),
        frozenset(asked.get("tiers", ())),
        frozenset(asked.get("tags", ())),
        frozenset(asked.get("weekdays", ())),
        frozenset(map(Channel, asked.get("channels", ()))),
        asked.get("minimum_spend_minor", 0),
        asked.get("birth_month_only", False),
        frozenset(asked.get("hours", ())),
        frozenset(map(Season, asked.get("seasons", ()))),
        frozenset(asked.get("rate_codes", ())),
        frozenset(asked.get("properties", ())),
        frozenset(map(UUID, asked.get("merchants", ()))),
        frozenset(map(UUID, asked.get("outlets", ()))),
        asked.get("first_purchase_only", False),
        _expression(asked.get("expression", "")),
        asked.get("absent_too", False),
    )


def _expression(source: str) -> Expression | None:
    """The compiled condition; one that compiles no more is a fault wherever it is asked.

    It did compile when it was saved, so only another release of the library can say otherwise:
    that must not stop the ledger.
    """
    if not source:
        return None
    try:
        return Expression(source, _compile(source))
    except ConditionError as error:
        fault = Fault(f"compiles no more: {error}")

        def broken(_facts: Facts) -> Fault:
            return fault

        return Expression(source, broken)


def _said(value: object, names: Iterable[str]) -> dict[str, object]:
    return {name: getattr(value, name) for name in names if getattr(value, name)}


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
