"""Who uses the shared suite: an operator, a front desk, a restaurant."""

from __future__ import annotations

import pytest

from cli.suite import Suite
from tests.e2e.guests import Guest, well_off
from tests.integration.gateway.till import Operator, Till


@pytest.fixture(scope="session")
def operator(suite: Suite) -> Operator:
    return Operator(suite.endpoints)


@pytest.fixture(scope="session")
def front_desk(operator: Operator) -> Till:
    """A ROOM merchant's till that may do everything."""
    return operator.till(category="ROOM")


@pytest.fixture(scope="session")
def restaurant(operator: Operator) -> Till:
    """A DINING merchant's till that may do everything."""
    return operator.till(category="DINING")


@pytest.fixture(scope="module")
def guest(front_desk: Till) -> Guest:
    """A guest with points and stored value, whom a module's tests share."""
    return well_off(front_desk)
