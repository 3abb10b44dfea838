"""What is missing or wrong on a machine is said in one line with the way to mend it."""

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from cli.local import kafka, smsc
from cli.local.cache import fetched
from cli.local.certificates import CALLERS, ensure_certificates
from cli.local.errors import LocalServerError
from cli.suite.keys import DevelopmentKeys


def _program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any program and with an empty cache; the folder on its PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("HUITOUKE_CACHE", str(tmp_path / "cache"))
    return programs


def test_a_missing_java_is_named_with_its_package(bare_machine: Path) -> None:
    with pytest.raises(LocalServerError, match=r"Java 17.* is missing: apt-get install openjdk-17"):
        kafka.jars()


def test_a_java_that_is_too_old_is_named(bare_machine: Path) -> None:
    _program(bare_machine, "java", "echo 'openjdk version \"11.0.2\"' >&2")
    with pytest.raises(LocalServerError, match=r"needs Java 17; this is Java 11"):
        kafka.jars()


def test_a_missing_maven_is_named_with_its_package(bare_machine: Path) -> None:
    _program(bare_machine, "java", "echo 'openjdk version \"17.0.2\"' >&2")
    with pytest.raises(LocalServerError, match=r"Maven.* is missing: apt-get install maven"):
        kafka.jars()


def test_a_failed_fetch_quotes_maven_and_leaves_nothing(bare_machine: Path, tmp_path: Path) -> None:
    _program(bare_machine, "java", "echo 'openjdk version \"17.0.2\"' >&2")
    _program(bare_machine, "mvn", "echo '[ERROR] no route to host'; exit 1")
    said: list[str] = []
    with pytest.raises(LocalServerError, match=r"couldn't fetch Kafka: \[ERROR\] no route"):
        kafka.jars(said.append)
    assert said == ["fetching Kafka 4.3.1 by Maven (44 MB, once)"]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["kafka-4.3.1.lock"]


def test_a_missing_node_is_named_with_its_package(bare_machine: Path) -> None:
    with pytest.raises(LocalServerError, match=r"node.* is missing: apt-get install nodejs"):
        smsc.packages()


def test_a_fetched_folder_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUITOUKE_CACHE", str(tmp_path))
    fetches: list[Path] = []
    assert fetched("thing", fetches.append) == fetched("thing", fetches.append)
    assert len(fetches) == 1


def test_keys_stay_the_same_are_marked_and_differ_by_name(tmp_path: Path) -> None:
    file = tmp_path / "development.key"
    first, again = DevelopmentKeys(file), DevelopmentKeys(file)
    assert first.key("points.request") == again.key("points.request")
    assert first.key("points.request") != first.key("member.request")
    raw = base64.b64decode(first.key("points.request"))
    assert (len(raw), raw[:12]) == (32, b"development-")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_broken_key_is_named_and_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "development.key"
    file.write_text("half a k")
    with pytest.raises(LocalServerError, match=r"development key in .* is broken: restore it"):
        DevelopmentKeys(file)
    assert file.read_text() == "half a k"


def test_certificates_are_made_once_and_again_when_one_is_missing(tmp_path: Path) -> None:
    folder = ensure_certificates(tmp_path / "certs")
    authority = (folder / "ca.pem").read_bytes()
    assert (ensure_certificates(folder) / "ca.pem").read_bytes() == authority
    (folder / f"{CALLERS[0]}.key").unlink()
    assert (ensure_certificates(folder) / "ca.pem").read_bytes() != authority
    assert (folder / f"{CALLERS[0]}.key").stat().st_mode & 0o077 == 0


def test_help_is_quick_to_load_and_lists_the_commands() -> None:
    program = "import sys; from cli.main import app; sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
