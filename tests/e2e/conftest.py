"""Who uses the shared suite: an operator, a front desk, a restaurant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.suite import Suite
from tests import suites
from tests.e2e.guests import Guest, well_off
from tests.integration.gateway.till import Operator, Till


@pytest.fixture(scope="package")
def suite(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, kafka_bootstrap: str
) -> Iterator[Suite]:
    """The whole suite, running; shared by all tests that leave it as they found it."""
    yield from suites.shared_suite(tmp_path_factory.mktemp("suite"), postgres_url, kafka_bootstrap)


@pytest.fixture(scope="package")
def operator(suite: Suite) -> Operator:
    return Operator(suite.endpoints)


@pytest.fixture(scope="package")
def front_desk(operator: Operator) -> Till:
    """A ROOM merchant's till that may do everything."""
    return operator.till(category="ROOM")


@pytest.fixture(scope="package")
def restaurant(operator: Operator) -> Till:
    """A DINING merchant's till that may do everything."""
    return operator.till(category="DINING")


@pytest.fixture(scope="module")
def guest(front_desk: Till) -> Guest:
    """A guest with points and stored value, whom a module's tests share."""
    return well_off(front_desk)
