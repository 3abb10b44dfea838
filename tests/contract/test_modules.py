"""The house rules of a module, checked on every one of them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

from tests.contract.tree import modules, name_of

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FILE_LINES_MEDIAN_MAX = 120
FUNCTION_LINES_MEDIAN_MAX = 10
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}

Function = ast.FunctionDef | ast.AsyncFunctionDef

pytestmark = pytest.mark.xdist_group("modules")  # they share what they have parsed


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, Function):
            yield node


def _length(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def test_each_module_opens_with_a_docstring() -> None:
    silent = [
        name_of(path)
        for path in modules()
        if path.read_text().strip() and not ast.get_docstring(_tree(path))
    ]
    assert silent == []


def test_no_file_is_longer_than_the_limit() -> None:
    long = {name_of(path): _lines(path) for path in modules() if _lines(path) > FILE_LINES_MAX}
    assert long == {}


def test_no_function_is_longer_than_the_limit() -> None:
    long = {
        f"{name_of(path)}:{function.name}": _length(function)
        for path in modules()
        for function in _functions(path)
        if _length(function) > FUNCTION_LINES_MAX
    }
    assert long == {}


def test_files_and_functions_are_short_as_a_rule() -> None:
    assert median(_lines(path) for path in modules()) <= FILE_LINES_MEDIAN_MAX
    lengths = [_length(function) for path in modules() for function in _functions(path)]
    assert median(lengths) <= FUNCTION_LINES_MEDIAN_MAX


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = [
        name_of(path)
        for path in modules()
        if VAGUE_NAMES & {path.stem, *(parent.name for parent in path.parents)}
    ]
    assert vague == []


SKIPS_WITH_A_REASON = {
    "tests/e2e/test_replay.py": "the published bookings are not part of the project",
}


def test_no_test_sleeps_or_is_skipped() -> None:
    found = [
        f"{name_of(path)}: {ast.unparse(node)}"
        for path in modules()
        if name_of(path).startswith("tests/") and name_of(path) != "tests/waiting.py"
        for node in ast.walk(_tree(path))
        if _sleeps(node) or (_skips(node) and name_of(path) not in SKIPS_WITH_A_REASON)
    ]
    assert found == []


def _sleeps(node: ast.AST) -> bool:
    """A call of sleep; sleep(0) is only one turn of the loop."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "sleep"
        and not (isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    )


def _skips(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in ("skip", "skipif", "xfail")


def test_no_exception_is_swallowed_whole() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler) and _swallows(node)
    ]
    assert found == []


def _swallows(handler: ast.ExceptHandler) -> bool:
    broad = handler.type is None or (
        isinstance(handler.type, ast.Name) and handler.type.id in ("Exception", "BaseException")
    )
    return broad and all(isinstance(statement, ast.Pass) for statement in handler.body)
