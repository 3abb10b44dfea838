"""Conditions in CEL: what compiles, where errors are, what fails at run time."""

from __future__ import annotations

import pytest

from chassis.conditions import LENGTH_MAX, ConditionError, compiler
from chassis.kernel import Fault

VARIABLES = {
    "bill": "int",
    "nights": "int",
    "tier": "string",
    "tags": "list(string)",
    "amounts": "map(string, int)",
    "first": "bool",
}
VALUES = {
    "bill": 500,
    "nights": 0,
    "tier": "GOLD",
    "tags": ["family"],
    "amounts": {"SPA": 200},
    "first": True,
}
compile_condition = compiler(VARIABLES)


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("bill > 400 && tier == 'GOLD'", True),
        ('"family" in tags && amounts.SPA > 200', False),
        ("first || bill / nights > 1", True),
        ("size(tags) == 1 // map( is only a comment here", True),
        ("tier != 'exists('", True),
        ("tier.startsWith('G') ? amounts['SPA'] == 200 : false", True),
    ],
)
def test_a_condition_is_a_plain_callable(source: str, verdict: bool) -> None:
    assert compile_condition(source)(VALUES) is verdict


@pytest.mark.parametrize(
    ("source", "line", "column", "what"),
    [
        ("tier + 1 == 2", 1, 6, "no matching overload"),
        ("bill > 1 &&\n  unknown", 2, 3, "undeclared reference to 'unknown'"),
        ("bill >", 1, 7, "Syntax error"),
        ("", 1, 1, "Syntax error"),
        ("bill + 1", 1, 1, "of type INT"),
        ("bill > 1 &&\n tags.exists(t, t == 'x')", 2, 7, "macro exists"),
        ("has(amounts.SPA)", 1, 1, "macro has"),
        ("first " * 200, 1, LENGTH_MAX + 1, "characters"),
        ("true" + " && true" * 100, 1, 801, "words and signs"),
        ("(" * 60 + "true" + ")" * 60, 1, 1, "recursion limit"),
        ('tier == "中文" && 1 + tier == "x"', 1, 19, "no matching overload"),
    ],
)
def test_what_is_no_condition_is_refused_with_its_place(
    source: str, line: int, column: int, what: str
) -> None:
    with pytest.raises(ConditionError, match=what) as refused:
        compile_condition(source)
    assert (refused.value.line, refused.value.column) == (line, column)


@pytest.mark.parametrize(
    "source",
    [
        "bill / nights > 1",
        "bill % nights == 1",
        "amounts['BAR'] > 1",
        "bill + 9223372036854775807 > 1",
        "int(tier) > 1",
    ],
)
def test_what_fails_at_run_time_is_a_value(source: str) -> None:
    found = compile_condition(source)(VALUES)
    assert isinstance(found, Fault)
    assert found.message
