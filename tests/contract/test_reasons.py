"""Reasons of refusals: what the code says is what each service's contract lists."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from cli.suite.layout import SERVICES
from tests.contract.tree import ROOT, modules

CHASSIS_REASONS = {
    "INVALID_FIELD",
    "REQUEST_ID_REUSED",
    "DEADLINE_MISSING",
    "DEADLINE_PASSED",
    "OVERLOADED",
    "UNAVAILABLE",
    "CALLER_NOT_ALLOWED",
    "UNAUTHENTICATED",
    "INTERNAL",
    "REQUEST_TOO_LARGE",
    "METADATA_TOO_LARGE",
}
PAGING_REASON = "PAGE_TOKEN_INVALID"
"""What chassis.rpc.pages gives: only services with pages list it."""
_REASON = re.compile(r"^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$")
_PREFIX = "ERROR_REASON_"


def _listed(service: str) -> set[str]:
    module = importlib.import_module(f"huitouke.{service}.v1.error_reason_pb2")
    return {name.removeprefix(_PREFIX) for name, _ in module.ErrorReason.items()}


def _folder(service: str) -> Path:
    return ROOT / "gateway" if service == "gateway" else ROOT / "services" / service


def _said(folder: Path) -> set[str]:
    """Every reason written in a call that makes a refusal of a category."""
    return {
        reason
        for path in modules()
        if folder in path.parents
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _makes_a_refusal(node)
        for reason in _reasons(node)
    }


def _makes_a_refusal(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "Refusal"


def _reasons(call: ast.Call) -> list[str]:
    """The literal second argument, if it is one."""
    candidates = call.args[1:2]
    return [
        argument.value
        for argument in candidates
        if isinstance(argument, ast.Constant)
        and isinstance(argument.value, str)
        and _REASON.match(argument.value)
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_every_reason_a_service_gives_is_in_its_contract(service: str) -> None:
    assert _said(_folder(service)) - _listed(service) == set()


def test_every_reason_the_chassis_gives_is_known_as_such() -> None:
    assert _said(ROOT / "chassis") - CHASSIS_REASONS == {PAGING_REASON}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_with_pages_lists_the_reason_of_a_wrong_token(service: str) -> None:
    paged = any(
        "page_token" in path.read_text() for path in modules() if _folder(service) in path.parents
    )
    assert (PAGING_REASON in _listed(service)) == paged


@pytest.mark.parametrize("service", SERVICES)
def test_every_contract_lists_the_reasons_of_the_chassis(service: str) -> None:
    assert CHASSIS_REASONS - _listed(service) == set()
