"""Every refusal of the ledger as a caller reads it: words and names are a contract too.

`refusals.txt` lists them all. Who changes one on purpose writes the list anew, and its difference
is looked at: `python -m tests.unit.points.test_refusals > tests/unit/points/refusals.txt`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from uuid import UUID

from chassis.kernel import Refusal
from services.points.domain import errors, movement_errors
from services.points.domain.movements import AdjustmentState
from services.points.domain.pins import HoldState

LIST: Final = Path(__file__).parent / "refusals.txt"
SAMPLES: Final[dict[str, Any]] = {
    "int": 1234,
    "str": "something",
    "UUID": UUID("0199aaaa-0000-7000-8000-000000000001"),
    "datetime": datetime(2026, 3, 10, 4, tzinfo=UTC),
    "AdjustmentState": AdjustmentState.BOOKED,
    "HoldState": HoldState.CAPTURED,
}


def refusals() -> Iterator[tuple[str, Refusal]]:
    """Each function that words a refusal, called with plain values."""
    for module in (errors, movement_errors):
        for name, function in _functions(module):
            yield name, function(*[_sample(each) for each in _parameters(function)])


def _functions(module: ModuleType) -> Iterator[tuple[str, Callable[..., Refusal]]]:
    for name, function in sorted(inspect.getmembers(module, inspect.isfunction)):
        hidden = name.startswith("_") or "__mutmut_" in name  # changed copies of the same functions
        own = function.__module__ == module.__name__ and not hidden
        if own and inspect.signature(function).return_annotation in {"Refusal", Refusal}:
            yield name, function


def _parameters(function: Callable[..., Refusal]) -> list[str]:
    plain = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = inspect.signature(function).parameters.values()
    return [str(each.annotation) for each in parameters if each.kind is plain]


def _sample(annotation: str) -> Any:
    return SAMPLES[annotation.split(" | ", maxsplit=1)[0]]


def told() -> str:
    lines = []
    for name, refusal in refusals():
        lines.append(f"{name}: {refusal.category.value} {refusal.reason}: {refusal.message}")
        lines += [f"    field {each.field}: {each.rule}" for each in refusal.fields]
        lines += [f"    {key} = {value}" for key, value in refusal.metadata.items()]
    return "\n".join(lines) + "\n"


def test_every_refusal_reads_as_the_list_says() -> None:
    assert told() == LIST.read_text()


if __name__ == "__main__":
    print(told(), end="")
