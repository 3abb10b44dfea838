"""Settings are documented where they are declared, and every deployment gives those needed."""

import importlib
from pathlib import Path

import pytest
import yaml

from chassis.settings import ServiceSettings, env_name
from cli.suite.configuration import Configuration, Surroundings
from cli.suite.keys import DevelopmentKeys
from cli.suite.layout import SERVICES, Ports
from tests.contract.tree import ROOT

DESCRIPTION_LENGTH_MIN = 12
COMPOSE = ROOT / "deploy" / "compose.yaml"


def _settings_class(service: str) -> type[ServiceSettings]:
    package = "gateway" if service == "gateway" else f"services.{service}"
    module = importlib.import_module(f"{package}.settings")
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, ServiceSettings)
        and value.__module__ == module.__name__
    )
    return found


def _names(service: str, *, required_only: bool = False) -> set[str]:
    cls = _settings_class(service)
    return {
        env_name(cls, key)
        for key, field in cls.model_fields.items()
        if field.is_required() or not required_only
    }


def _given(service: str, names: set[str]) -> set[str]:
    """The settings that these variables give, directly or as the file with their content."""
    known = _names(service)
    ours = {name for name in names if name.startswith("HUITOUKE_")}
    return {name if name in known else name.removesuffix("_FILE") for name in ours}


@pytest.mark.parametrize("service", SERVICES)
def test_each_setting_says_what_it_is(service: str) -> None:
    fields = _settings_class(service).model_fields
    silent = [
        key
        for key, field in fields.items()
        if len(field.description or "") < DESCRIPTION_LENGTH_MIN
    ]
    assert silent == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_local_suite_gives_each_service_what_it_needs(service: str, tmp_path: Path) -> None:
    surroundings = Surroundings("postgresql://h:1/x", "k:2", "smpp://u:p@s:3", "smtp://m:4")
    keys = DevelopmentKeys(tmp_path / "key")
    configuration = Configuration(Ports.by_default(), surroundings, tmp_path, keys)
    given = _given(service, set(configuration.environment(f"{service}.serve")))
    assert _names(service, required_only=True) - given == set()
    assert given - _names(service) == set()


@pytest.mark.parametrize("service", SERVICES)
def test_compose_gives_each_process_what_it_needs(service: str) -> None:
    composed = yaml.safe_load(COMPOSE.read_text())["services"]
    roles = (*SERVICES[service], "migrate")
    for role in roles:
        given = _given(service, set(composed[f"{service}-{role}"]["environment"]))
        assert _names(service, required_only=True) - given == set()
        assert given - _names(service) == set()
