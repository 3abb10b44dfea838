"""Conditions: boolean expressions in CEL, compiled once into plain callables.

CEL (cel.dev) has no loops of its own but its macros, which are forbidden here, so evaluating costs
no more than the text is long. A text has 1,000 characters and 200 tokens at most; the library
bounds nesting to 32. What fails at run time comes back as a value, a `Fault`.

    compile_condition = compiler({"bill_minor": "int", "tags": "list(string)"})
    compile_condition("bill_minor > 10000 && 'vip' in tags")({"bill_minor": 1, "tags": []})
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from cel_expr_python import cel

from chassis.kernel import Fault

LENGTH_MAX: Final = 1000
TOKENS_MAX: Final = 200
COMPILED_KEPT: Final = 4096
MACROS: Final = frozenset({"has", "all", "exists", "exists_one", "map", "filter"})

Condition = Callable[[Mapping[str, Any]], bool | Fault]

_TYPES: Final[Mapping[str, cel.Type]] = {
    "int": cel.Type.INT,
    "bool": cel.Type.BOOL,
    "string": cel.Type.STRING,
    "list(string)": cel.Type.List(cel.Type.STRING),
    "map(string, int)": cel.Type.Map(cel.Type.STRING, cel.Type.INT),
}
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[rRbB]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<name>[A-Za-z_]\w*)
    |(?P<number>\d[\w.]*)
    |(?P<sign>&&|\|\||[<>=!]=|.)""",
    re.VERBOSE | re.DOTALL,
)
_ERROR: Final = re.compile(r"<input>:(\d+):(\d+): (.*)")
_NO_BOOL: Final = "must be true or false, and is of type {}"


class ConditionError(ValueError):
    """A text that is no condition; `line` and `column` count from 1, in characters."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column
        self.message = message


def compiler(variables: Mapping[str, str]) -> Callable[[str], Condition]:
    """Return what compiles conditions over `variables`, named with their CEL types.

    It raises ConditionError, where the text doesn't parse, has another type than bool, names
    something unknown, uses a macro or is too long. A variable that the values lack is a fault.
    """
    environment = cel.NewEnv(variables={name: _TYPES[kind] for name, kind in variables.items()})

    @lru_cache(maxsize=COMPILED_KEPT)
    def compile_condition(source: str) -> Condition:
        asked = _names(source) & variables.keys()
        try:
            expression = environment.compile(source)
        except RuntimeError as error:  # the library's one error, with the position in its text
            raise _placed(str(error)) from None
        if expression.return_type() != cel.Type.BOOL:
            raise ConditionError(1, 1, _NO_BOOL.format(expression.return_type().name()))
        return _callable(expression, sorted(asked))

    return compile_condition


def _callable(expression: cel.Expression, asked: list[str]) -> Condition:
    def condition(values: Mapping[str, Any]) -> bool | Fault:
        found = expression.eval(data={name: values[name] for name in asked})
        if found.type() == cel.Type.BOOL:
            return bool(found.value())
        return Fault(str(found.value()))

    return condition


def _names(source: str) -> set[str]:
    """The names in a text; raises where it is too long or calls a macro."""
    if len(source) > LENGTH_MAX:
        raise ConditionError(1, LENGTH_MAX + 1, f"has more than {LENGTH_MAX} characters")
    tokens = [each for each in _TOKEN.finditer(source) if each.lastgroup != "space"]
    if len(tokens) > TOKENS_MAX:
        place = _position(source, tokens[TOKENS_MAX].start())
        raise ConditionError(*place, f"has more than {TOKENS_MAX} words and signs")
    for token, following in pairwise(tokens):
        if token.group() in MACROS and following.group() == "(":
            place = _position(source, token.start())
            raise ConditionError(*place, f"the macro {token.group()} is not allowed here")
    return {each.group() for each in tokens if each.lastgroup == "name"}


def _position(source: str, at: int) -> tuple[int, int]:
    before = source[:at]
    return before.count("\n") + 1, at - before.rfind("\n")


def _placed(text: str) -> ConditionError:
    """The first error of the library's text; it lacks a position where nesting is too deep."""
    found = _ERROR.search(text)
    if found is None:
        return ConditionError(1, 1, text.partition(": ")[2].partition(" [")[0] or text)
    line, column, message = found.groups()
    return ConditionError(max(int(line), 1), max(int(column), 1), message.strip())
