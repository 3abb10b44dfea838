"""The walls between chassis, services, gateway and command line, as pyproject.toml states them."""

import subprocess
import sys
from pathlib import Path

from tests.contract.tree import ROOT


def test_every_import_keeps_to_the_contracts() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [str(program), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
