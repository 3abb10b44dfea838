"""Rules for tests, by the little that each of them asks or gives."""

from __future__ import annotations

from typing import Any

from chassis.conditions import compiler
from services.points.domain.assets import Funder
from services.points.domain.facts import VARIABLES, Expression
from services.points.domain.rules import Caps, Condition, EarningRule, StackingClass

UNCAPPED = Caps()
compile_condition = compiler(VARIABLES)


def rule(
    code: str, effect: int, stacking: str = "ADD", caps: Caps = UNCAPPED, **more: Any
) -> EarningRule:
    """A rule of the issuer's; what is none of its own fields goes into its condition."""
    bounds = {
        name: more.pop(name)
        for name in ("rounding", "budget_points", "valid_from", "valid_until")
        if name in more
    }
    if "expression" in more:
        source = more["expression"]
        more["expression"] = Expression(source, compile_condition(source))
    condition = Condition(**more)
    return EarningRule(
        code, StackingClass(stacking), effect, Funder.ISSUER, condition, caps=caps, **bounds
    )
