"""Earning rules in both directions; a rule's condition in CEL is compiled here."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.points.v1 import programme_pb2 as pb

from chassis.conditions import ConditionError, compiler
from services.points.converters.values import (
    CATEGORIES,
    CHANNELS,
    FUNDERS,
    ROUNDINGS,
    SEASONS,
    STACKING_CLASSES,
    TO_CATEGORY,
    TO_CHANNEL,
    TO_FUNDER,
    TO_ROUNDING,
    TO_SEASON,
    TO_STACKING_CLASS,
    to_instant,
    to_stamp,
)
from services.points.domain import errors
from services.points.domain.facts import VARIABLES, Expression
from services.points.domain.rules import Caps, Condition, EarningRule, Pending, StackingClass

EFFECT_FIELDS = {
    StackingClass.BASE: "points_per_unit_milli",
    StackingClass.BEST_OF: "multiplier_milli",
    StackingClass.ADD: "fixed_points",
}
_compile: Final = compiler(VARIABLES)


def to_rule(at: int, rule: pb.EarningRule) -> EarningRule:
    """The rule at an index; refuses another class's effect, and a condition that isn't one."""
    field = f"programme.earning_rules[{at}]"
    stacking_class = STACKING_CLASSES[rule.stacking_class]
    effect = EFFECT_FIELDS[stacking_class]
    if rule.WhichOneof("effect") != effect:
        raise errors.invalid_field(f"{field}.{effect}", f"must be set for class {stacking_class}")
    return EarningRule(
        rule.code,
        stacking_class,
        getattr(rule, effect),
        FUNDERS[rule.funder],
        _to_condition(rule.condition, f"{field}.condition"),
        ROUNDINGS[rule.rounding],
        Caps(rule.caps.per_checkout, rule.caps.per_member_day, rule.caps.per_member),
        Pending(rule.pending.days, rule.pending.until_stay_ends),
        rule.budget_points,
        _instant(rule, "valid_from", field),
        _instant(rule, "valid_until", field),
    )


def _instant(rule: pb.EarningRule, name: str, field: str) -> datetime | None:
    stamp: Timestamp = getattr(rule, name)
    return to_instant(stamp, f"{field}.{name}") if rule.HasField(name) else None  # type: ignore[arg-type]


def _to_condition(condition: pb.Condition, field: str) -> Condition:
    return Condition(
        frozenset(CATEGORIES[each] for each in condition.categories),
        frozenset(condition.tiers),
        frozenset(condition.tags),
        frozenset(condition.weekdays),
        frozenset(CHANNELS[each] for each in condition.channels),
        condition.minimum_spend_minor,
        condition.birth_month_only,
        frozenset(condition.hours),
        frozenset(SEASONS[each] for each in condition.seasons),
        frozenset(condition.rate_codes),
        frozenset(condition.properties),
        frozenset(UUID(each) for each in condition.merchants),
        frozenset(UUID(each) for each in condition.outlets),
        condition.first_purchase_only,
        _to_expression(condition.expression, f"{field}.expression"),
        condition.absent_too,
    )


def _to_expression(source: str, field: str) -> Expression | None:
    if not source:
        return None
    try:
        return Expression(source, _compile(source))
    except ConditionError as error:
        raise errors.condition_invalid(field, str(error), error.line, error.column) from None


def from_rule(rule: EarningRule) -> pb.EarningRule:
    message = pb.EarningRule(
        code=rule.code,
        stacking_class=TO_STACKING_CLASS[rule.stacking_class],
        condition=_from_condition(rule.condition),
        funder=TO_FUNDER[rule.funder],
        rounding=TO_ROUNDING[rule.rounding],
        budget_points=rule.budget_points,
        valid_from=to_stamp(rule.valid_from) if rule.valid_from else None,
        valid_until=to_stamp(rule.valid_until) if rule.valid_until else None,
    )
    setattr(message, EFFECT_FIELDS[rule.stacking_class], rule.effect)
    caps, pending = rule.caps, rule.pending
    if caps != Caps():
        message.caps.per_checkout = caps.per_checkout
        message.caps.per_member_day = caps.per_member_day
        message.caps.per_member = caps.per_member
    if pending != Pending():
        message.pending.days = pending.days
        message.pending.until_stay_ends = pending.until_stay_ends
    return message


def _from_condition(condition: Condition) -> pb.Condition:
    return pb.Condition(
        categories=sorted(TO_CATEGORY[each] for each in condition.categories),
        tiers=sorted(condition.tiers),
        tags=sorted(condition.tags),
        weekdays=sorted(condition.weekdays),
        channels=sorted(TO_CHANNEL[each] for each in condition.channels),
        minimum_spend_minor=condition.minimum_spend_minor,
        birth_month_only=condition.birth_month_only,
        hours=sorted(condition.hours),
        seasons=sorted(TO_SEASON[each] for each in condition.seasons),
        rate_codes=sorted(condition.rate_codes),
        properties=sorted(condition.properties),
        merchants=sorted(map(str, condition.merchants)),
        outlets=sorted(map(str, condition.outlets)),
        first_purchase_only=condition.first_purchase_only,
        expression=condition.expression.source if condition.expression else "",
        absent_too=condition.absent_too,
    )
