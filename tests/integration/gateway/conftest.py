"""One running gateway with its services, shared by the tests that leave it as they found it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from cli.suite import Ports, Suite
from tests.integration.gateway.till import Operator, Till, purchase

SERVICES = ("member", "points", "coupon", "gateway")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of the dear fixture on one worker."""
    for item in items:
        if "tests/integration/gateway/" in str(item.path):
            item.add_marker(pytest.mark.xdist_group("gateway"))


@pytest.fixture(scope="package")
def gateway_suite(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, kafka_bootstrap: str
) -> Iterator[Suite]:
    """Gateway, member, points and coupon as processes; no notify, no sinks."""
    mark = uuid.uuid4().hex[:12]
    suite = Suite(
        tmp_path_factory.mktemp("gateway"),
        ports=Ports.free(),
        postgres_url=postgres_url,
        kafka_bootstrap=kafka_bootstrap,
        smsc="smpp://nobody:nothing@127.0.0.1:1",
        smtp="smtp://127.0.0.1:1",
        topic_prefix=f"g{mark}.",
        database_prefix=f"g{mark}_",
        services=SERVICES,
        environment={
            "HUITOUKE_GATEWAY_RECOVERY_GRACE_SECONDS": "0.5",
            "HUITOUKE_GATEWAY_RECOVERY_POLL_SECONDS": "0.1",
            "HUITOUKE_GATEWAY_DRAIN_PAUSE_SECONDS": "0",
        },
        log_level="warning",
    )
    suite.start()
    yield suite
    suite.stop()


@pytest.fixture
def armed(gateway_suite: Suite) -> Iterator[Suite]:
    """The shared suite, whose gateway a test may kill or stop; running again afterwards."""
    yield gateway_suite
    for name in ("gateway.serve", "gateway.work"):
        if not gateway_suite.processes[name].running:
            gateway_suite.start_process(name)


@pytest.fixture(scope="package")
def operator(gateway_suite: Suite) -> Operator:
    """An operator with everything open to operators."""
    return Operator(gateway_suite.endpoints)


@pytest.fixture(scope="package")
def front_desk(operator: Operator) -> Till:
    """A ROOM merchant's till that may do everything, at the hotel's own outlet."""
    return operator.till(category="ROOM")


@pytest.fixture(scope="package")
def restaurant(operator: Operator) -> Till:
    """A DINING merchant's till that may do everything, at the hotel's own outlet."""
    return operator.till(category="DINING")


@pytest.fixture
def guest(front_desk: Till, restaurant: Till) -> str:
    """A guest with 1,000 CNY, its gift of 100 CNY, and 1,000 points."""
    member_id = front_desk.member_id()
    front_desk.top_up(member_id, 100_000)
    restaurant.checkout(purchase(member_id, 100_000))
    return member_id
