"""A suite to break, and the people who use it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.suite import Suite
from tests import suites
from tests.e2e.aftermath import all_agrees
from tests.e2e.patience import PatientTill
from tests.integration.gateway.till import Operator, Till


@pytest.fixture(scope="package")
def suite_to_break(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """A suite with servers of its own, as the last test has left it; see `breakable_suite`."""
    yield from suites.breakable_suite(tmp_path_factory.mktemp("breakable"))


@pytest.fixture
def breakable_suite(suite_to_break: Suite) -> Iterator[Suite]:
    """A suite with servers of its own to be stopped, killed and restarted; whole before a test."""
    suites.heal(suite_to_break)
    yield suite_to_break
    suites.heal(suite_to_break)


@pytest.fixture(scope="package")
def operator(suite_to_break: Suite) -> Operator:
    return Operator(suite_to_break.endpoints)


@pytest.fixture(scope="package")
def front_desk(operator: Operator) -> Till:
    """A ROOM merchant's till, impatient: for what comes before the fault."""
    return operator.till(category="ROOM")


@pytest.fixture(scope="package")
def restaurant(operator: Operator) -> Till:
    """A DINING merchant's till, impatient."""
    return operator.till(category="DINING")


@pytest.fixture(scope="package")
def patient(suite_to_break: Suite, restaurant: Till) -> PatientTill:
    """The restaurant's till, which repeats what is in doubt."""
    return PatientTill(suite_to_break.endpoints, restaurant)


@pytest.fixture
def broken(breakable_suite: Suite) -> Iterator[Suite]:
    """The suite to break; after the test it comes to rest by itself, and everything agrees."""
    yield breakable_suite
    all_agrees(breakable_suite)
