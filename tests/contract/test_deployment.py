"""What deploy/ says agrees with what the suite consists of; checked without Docker."""

import importlib
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder

from chassis.messaging.topics import TOPICS
from cli.suite.layout import PROCESSES, SERVICES
from tests.contract.tree import ROOT

INSTRUCTIONS = {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "LABEL", "ENV", "USER", "STOPSIGNAL"}
INSTRUCTIONS |= {"ENTRYPOINT", "CMD"}
RUN_BY_HAND = {"member": ("reseal",), "points": ("verify",)}
"""Roles that end by themselves and that an operator starts when a runbook says so."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    text = (ROOT / "deploy" / "compose.yaml").read_text()
    return dict(yaml.safe_load(text))


def test_compose_runs_every_process_and_migration(compose: dict[str, Any]) -> None:
    wanted = {name.replace(".", "-") for name in PROCESSES}
    wanted |= {f"{service}-migrate" for service in SERVICES}
    servers = {"postgres", "kafka", "topics", "smsc", "mail"}
    assert set(compose["services"]) == wanted | servers


def test_each_container_has_the_command_its_name_says(compose: dict[str, Any]) -> None:
    for name in (*PROCESSES, *(f"{service}.migrate" for service in SERVICES)):
        service, _, role = name.partition(".")
        container = compose["services"][f"{service}-{role}"]
        assert container.get("command", ["serve"]) == [role]
        assert container["build"]["args"] == {"SERVICE": service}


def test_containers_wait_only_for_containers_there_are(compose: dict[str, Any]) -> None:
    for container in compose["services"].values():
        assert set(container.get("depends_on", {})) <= set(compose["services"])


def test_every_port_is_published_on_loopback_only(compose: dict[str, Any]) -> None:
    for container in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in container.get("ports", []))


def test_compose_makes_every_database_and_topic(compose: dict[str, Any]) -> None:
    made = re.findall(r"CREATE DATABASE (\w+);", compose["configs"]["databases"]["content"])
    assert made == [f"huitouke_{service}" for service in SERVICES]
    script = compose["services"]["topics"]["command"][-1]
    assert f"for topic in {' '.join(topic.service for topic in TOPICS)}; do" in script


@pytest.mark.parametrize("service", SERVICES)
def test_the_suite_runs_the_roles_that_a_service_offers(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = "gateway" if service == "gateway" else f"services.{service}"
    main = importlib.import_module(f"{package}.main")
    offered: list[set[str]] = []

    def record(_service: str, _settings: object, roles: dict[str, object]) -> None:
        offered.append(set(roles))

    monkeypatch.setattr(main, "run_roles", record)
    main.main()
    assert offered == [{*SERVICES[service], "migrate", *RUN_BY_HAND.get(service, ())}]


def _instructions(dockerfile: Path) -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE)
    joined = re.sub(r"\\\n", " ", text)
    lines = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(word, rest) for word, _, rest in lines]


def test_the_dockerfile_makes_one_service_that_is_not_root() -> None:
    instructions = _instructions(ROOT / "deploy" / "Dockerfile")
    assert {word for word, _ in instructions} <= INSTRUCTIONS
    assert ("ARG", "SERVICE") in instructions
    final_stage = instructions[
        max(i for i, (word, _) in enumerate(instructions) if word == "FROM") :
    ]
    assert [rest for word, rest in final_stage if word == "USER"] == ["huitouke"]


def test_the_build_context_holds_what_the_distribution_needs() -> None:
    allowed = (ROOT / ".dockerignore").read_text()
    for name in ("chassis", "services", "gateway", "cli", "protos", "deploy", "pyproject.toml"):
        assert f"!{name}\n" in allowed


def test_a_wheel_holds_every_package_and_the_local_servers(tmp_path: Path) -> None:
    builder = WheelBuilder(str(ROOT))
    (built,) = builder.build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(built).namelist())
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"chassis", "services", "gateway", "cli", "huitouke", "buf"}
    assert {"huitouke/py.typed", "huitouke/points/v1/points_service_pb2.py"} <= names
    assert {"cli/local/kafka_files/pom.xml", "cli/local/smsc_files/server.js"} <= names
