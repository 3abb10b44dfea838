"""The suite's ports and the environments of its processes."""

from dataclasses import replace
from pathlib import Path

import pytest

from cli.suite.configuration import Configuration, Surroundings, in_database
from cli.suite.keys import DevelopmentKeys
from cli.suite.layout import PROCESSES, Ports


def _all(ports: Ports) -> list[int]:
    servers = [ports.postgres, ports.kafka, ports.kafka_controller, ports.smsc]
    servers += [ports.smsc_control, ports.mail, ports.gateway_admin]
    return [*ports.grpc.values(), *ports.metrics.values(), *servers]


@pytest.mark.parametrize("ports", [Ports.by_default(), Ports.from_base(30_000), Ports.free()])
def test_no_port_is_given_twice(ports: Ports) -> None:
    assert len(set(_all(ports))) == len(_all(ports))


def test_a_port_base_takes_five_hundred_ports() -> None:
    assert all(30_000 <= port < 30_500 for port in _all(Ports.from_base(30_000)))


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    surroundings = Surroundings(
        "postgresql://u@h:1/any?sslmode=require", "k:2", "smpp://me:secret@s:3", "smtp://m:4"
    )
    return Configuration(
        Ports.by_default(), surroundings, tmp_path, DevelopmentKeys(tmp_path / "key")
    )


def test_each_service_has_a_database_and_a_key_of_its_own(configuration: Configuration) -> None:
    points = configuration.environment("points.serve")
    member = configuration.environment("member.serve")
    assert points["HUITOUKE_POINTS_DATABASE_URL"] == (
        "postgresql://u@h:1/huitouke_points?sslmode=require"
    )
    assert points["HUITOUKE_POINTS_REQUEST_KEY"] != member["HUITOUKE_MEMBER_REQUEST_KEY"]
    assert not any(name.startswith("HUITOUKE_MEMBER") for name in points)


def test_failpoints_reach_only_the_process_they_are_armed_for(configuration: Configuration) -> None:
    armed = configuration.environment("gateway.serve", "gateway.checkout.reserved=kill")
    assert armed["HUITOUKE_FAILPOINTS"] == "gateway.checkout.reserved=kill"
    assert "HUITOUKE_FAILPOINTS" not in configuration.environment("gateway.serve")


def test_only_what_nobody_waits_for_stands_back(configuration: Configuration) -> None:
    urgent = replace(configuration, background_niceness=7)
    nice = {
        process: [
            value
            for name, value in urgent.environment(process).items()
            if name.endswith("_NICENESS")
        ]
        for process in PROCESSES
    }
    assert nice["notify.work"] == nice["points.relay"] == ["7"]
    assert nice["gateway.serve"] == nice["gateway.work"] == nice["notify.serve"] == []


def test_every_process_listens_for_health_on_its_own_port(configuration: Configuration) -> None:
    listens = {
        configuration.environment(name)[f"HUITOUKE_{name.partition('.')[0].upper()}_METRICS_LISTEN"]
        for name in PROCESSES
    }
    assert len(listens) == len(PROCESSES)


def test_a_url_without_a_database_gets_one() -> None:
    assert in_database("postgresql://u@h:1", "x") == "postgresql://u@h:1/x"
