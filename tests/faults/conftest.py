"""A suite to break, and the people who use it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.suite import Suite
from tests.e2e.aftermath import all_agrees
from tests.e2e.patience import PatientTill
from tests.integration.gateway.till import Operator, Till


@pytest.fixture(scope="session")
def operator(suite_to_break: Suite) -> Operator:
    return Operator(suite_to_break.endpoints)


@pytest.fixture(scope="session")
def front_desk(operator: Operator) -> Till:
    """A ROOM merchant's till, impatient: for what comes before the fault."""
    return operator.till(category="ROOM")


@pytest.fixture(scope="session")
def restaurant(operator: Operator) -> Till:
    """A DINING merchant's till, impatient."""
    return operator.till(category="DINING")


@pytest.fixture(scope="session")
def patient(suite_to_break: Suite, restaurant: Till) -> PatientTill:
    """The restaurant's till, which repeats what is in doubt."""
    return PatientTill(suite_to_break.endpoints, restaurant)


@pytest.fixture
def broken(breakable_suite: Suite) -> Iterator[Suite]:
    """The suite to break; after the test it comes to rest by itself, and everything agrees."""
    yield breakable_suite
    all_agrees(breakable_suite)
