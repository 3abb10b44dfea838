"""docs/checkout-states.md: the states, places and tests it names are those that there are."""

import ast
import inspect
import re

from gateway.domain import coordinator, refunding
from tests.contract.tree import ROOT
from tests.faults import test_gateway_killed as killed
from tests.faults import test_tabs_killed as tabs

DOCUMENT = ROOT / "docs" / "checkout-states.md"
_NAMED_TEST = re.compile(r"\[`(test_\w+)`\]\(([^)]+)\)")
_PLACE = re.compile(r"`((?:before|after)_\w+)`")


def _functions(path: str) -> set[str]:
    tree = ast.parse((DOCUMENT.parent / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_test_it_names_exists() -> None:
    named = _NAMED_TEST.findall(DOCUMENT.read_text())
    assert named
    assert [test for test, path in named if test not in _functions(path)] == []


def _failpoints() -> set[str]:
    """Where the coordinator and the refunder may be made to die, without what comes before."""
    steps = [*coordinator._BEFORE.values(), *coordinator._AFTER.values()]
    written = [
        place
        for module in (coordinator, refunding)
        for place in re.findall(r"gateway\.\w+\.(\w+)", inspect.getsource(module))
    ]
    return {place.rpartition(".")[2] for place in [*steps, *written]}


def test_each_place_it_names_is_a_failpoint_and_each_place_a_test_kills_at_is_named() -> None:
    named = set(_PLACE.findall(DOCUMENT.read_text()))
    assert named <= _failpoints()
    tried = {*killed.CHECKOUT_PLACES, *killed.LATE_PLACES, *killed.REFUSED_PLACES}
    assert tried | {*killed.REFUND_PLACES, *killed.PART_PLACES, *tabs.PLACES} <= named
