"""The secrets of each service in a development suite, and files of them for containers."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from cli.local.certificates import ensure_certificates
from cli.suite.keys import DevelopmentKeys
from cli.suite.layout import SERVICES


def secrets_of(service: str, keys: DevelopmentKeys) -> Mapping[str, str]:
    """A service's secret settings without their prefix, such as REQUEST_KEY, and their values."""
    request_key = {"REQUEST_KEY": keys.key(f"{service}.request")}
    made = {"member": _member, "notify": _notify, "gateway": _gateway}.get(service)
    return request_key | (made(keys) if made else {})


def _member(keys: DevelopmentKeys) -> dict[str, str]:
    return {"KEY_RING": _ring(keys, "member.ring"), "INDEX_KEY": keys.key("member.index")}


def _notify(keys: DevelopmentKeys) -> dict[str, str]:
    del keys
    return {}


def _gateway(keys: DevelopmentKeys) -> dict[str, str]:
    del keys
    return {}


def _ring(keys: DevelopmentKeys, name: str) -> str:
    return json.dumps({"active": "k1", "keys": {"k1": keys.key(name)}})


def write_secret_files(folder: Path, postgres_host: str) -> None:
    """Write what deploy/compose.yaml mounts: certificates, and a file for each secret.

    A file is called <service>_<setting in lower case>; what is there already is kept.
    """
    ensure_certificates(folder / "certs")
    keys = DevelopmentKeys(folder / "development.key")
    password = keys.key("postgres").replace("/", "_").replace("+", "-").rstrip("=")
    _write(folder / "postgres_password", password)
    for service in SERVICES:
        url = f"postgresql://postgres:{password}@{postgres_host}/huitouke_{service}"
        for name, value in {**secrets_of(service, keys), "DATABASE_URL": url}.items():
            _write(folder / f"{service}_{name.lower()}", value)


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as output:
        output.write(text)
